import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

/**
 * A genuine file of an exact size, made once. Any 32 hexadecimal digits may stand at `markAt`, and it stays genuine: in a
 * comment of the JPEG, in the title of the PDF, in the first line of the text. So no two uploads are alike, and none
 * has to be encoded.
 */
export interface Template {
  ending: 'jpg' | 'pdf' | 'txt'
  type: string
  markAt: number
  bytes: Buffer
}

export const markBytes = 32

/** The bytes that were sent with this mark. */
export function fileOf({ bytes, markAt }: Template, mark: string): Buffer {
  const file = Buffer.from(bytes)
  file.write(mark, markAt, 'latin1')
  return file
}

/** Marks that no other process makes, and no other call of this function. */
export function marks(): () => string {
  const before = randomBytes(8).toString('hex')
  let count = 0
  return () => before + (count++).toString(16).padStart(16, '0')
}

export const endings = ['jpg', 'pdf', 'txt'] as const
const types = { jpg: 'image/jpeg', pdf: 'application/pdf', txt: 'text/plain' }

/** Where the mark stands in a template as it was made. */
export const placeholder = 'benchmark'.padEnd(markBytes, '0')

export async function readTemplates(folder: string, size: number): Promise<Template[]> {
  return Promise.all(
    endings.map(async (ending) => {
      const bytes = await readFile(join(folder, `${size}.${ending}`))
      // The last: the picture in the letter has one too, before the letter's title.
      return { ending, type: types[ending], bytes, markAt: bytes.lastIndexOf(placeholder) }
    }),
  )
}
