import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import PDFDocument from 'pdfkit'
import { filledUp, noise } from '../tests/fixtures/files.ts'

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

const endings = ['jpg', 'pdf', 'txt'] as const
const types = { jpg: 'image/jpeg', pdf: 'application/pdf', txt: 'text/plain' }
const makers = { jpg: picture, pdf: letter, txt: async (size: number) => text(size) }

/** Makes a file of each kind, of exactly `size` bytes, for other processes to read. */
export async function makeTemplates(folder: string, size: number): Promise<void> {
  for (const ending of endings) await writeFile(join(folder, `${size}.${ending}`), await makers[ending](size))
}

export async function readTemplates(folder: string, size: number): Promise<Template[]> {
  return Promise.all(
    endings.map(async (ending) => {
      const bytes = await readFile(join(folder, `${size}.${ending}`))
      // The last: the picture in the letter has one too, before the letter's title.
      return { ending, type: types[ending], bytes, markAt: bytes.lastIndexOf(placeholder) }
    }),
  )
}

const placeholder = 'benchmark'.padEnd(markBytes, '0')

/** A JPEG of noise, with a comment or several that make up the size. */
async function picture(size: number): Promise<Buffer> {
  const enough = size - markBytes - 4
  for (let pixels = Math.floor(Math.sqrt(size)); pixels > 0; pixels = Math.floor(pixels * 0.9)) {
    const bytes = await noise(pixels).jpeg({ quality: 85 }).toBuffer()
    if (bytes.length > enough) continue
    const filled = filledUp(bytes, size)
    // Of the first comment, after the file's first marker, the comment's own and its length.
    filled.write(placeholder, 6, 'latin1')
    return filled
  }
  throw new Error(`no JPEG of ${size} bytes`)
}

/** A PDF that shows such a picture. */
async function letter(size: number): Promise<Buffer> {
  let spent = 1500
  for (;;) {
    const document = new PDFDocument({ info: { Title: placeholder } })
    const chunks: Buffer[] = []
    document.on('data', (chunk: Buffer) => chunks.push(chunk))
    const ended = new Promise((resolve) => document.on('end', resolve))
    document.text('Dear customer')
    document.image(await picture(size - spent), { width: 400 })
    document.end()
    await ended
    const bytes = Buffer.concat(chunks)
    if (bytes.length === size) return bytes
    spent += bytes.length - size
  }
}

/** Lines as somebody might write them, in UTF-8, not all of it ASCII. */
function text(size: number): Buffer {
  const words = 'the account statement of March was zwölf Euro höher, and the card ends in'.split(' ')
  let content = `${placeholder}\n`
  while (content.length < size) {
    const line = Array.from({ length: 14 }, () => words[Math.floor(Math.random() * words.length)])
    content += `${line.join(' ')} ${Math.floor(Math.random() * 1e6)}\n`
  }
  const bytes = Buffer.from(content).subarray(0, size)
  // Whatever character was cut.
  for (let at = size - 1; bytes[at]! >= 0x80; at--) bytes[at] = 0x2e
  return bytes
}
