import { buffer } from 'node:stream/consumers'
import type { Sharp } from 'sharp'
import { mostPages, NoCopy } from '../copy.ts'

/** A page as a picture, with its size in points: 72 an inch. */
export interface Picture {
  width: number
  height: number
  image: Sharp
}

/** A new PDF whose pages are pictures, and have nothing else. `picture` gives one after the other, from 0. Throws `NoCopy`. */
export async function pdfOfPictures(pages: number, picture: (number: number) => Promise<Picture>): Promise<Buffer> {
  if (pages > mostPages) throw new NoCopy(`it has ${pages} pages, and a copy at most ${mostPages}`)
  const { default: PDFDocument } = await import('pdfkit')
  // No font is loaded: there is no text.
  const copy = new PDFDocument({ autoFirstPage: false, font: null as unknown as string })
  const written = buffer(copy as unknown as AsyncIterable<Buffer>)
  for (let number = 0; number < pages; number++) {
    const { width, height, image } = await picture(number)
    copy.addPage({ size: [width, height], margin: 0 })
    copy.image(await image.jpeg({ quality: 85 }).toBuffer(), 0, 0, { width, height })
  }
  copy.end()
  return written
}
