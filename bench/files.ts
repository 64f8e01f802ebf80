import { existsSync } from 'node:fs'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import PDFDocument from 'pdfkit'
import { filledUp, noise } from '../tests/fixtures/files.ts'
import { endings, markBytes, placeholder } from './templates.ts'

const makers = { jpg: picture, pdf: letter, txt: async (size: number) => text(size) }

/** Makes a file of each kind, of exactly `size` bytes. Those that are there stay: other processes read them once. */
export async function makeTemplates(folder: string, size: number): Promise<void> {
  for (const ending of endings) {
    const path = join(folder, `${size}.${ending}`)
    if (!existsSync(path)) await writeFile(path, await makers[ending](size))
  }
}

/** A JPEG of noise as large as goes into `size`, with a comment that makes up the rest: a hundredth of a large one. */
async function picture(size: number): Promise<Buffer> {
  const enough = size - markBytes - 4
  for (let pixels = 2 * Math.floor(Math.sqrt(size)); pixels > 0; ) {
    const bytes = await noise(pixels).jpeg({ quality: 85 }).toBuffer()
    if (bytes.length > enough) {
      // Its size goes with the square of its sides.
      pixels = Math.floor(pixels * Math.min(0.995, Math.sqrt(enough / bytes.length)))
      continue
    }
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
