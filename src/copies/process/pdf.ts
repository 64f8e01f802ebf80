import sharp from 'sharp'
import { type Copy, type CopyWanted, NoCopy } from '../copy.ts'
import { pdfOfPictures } from './pictures.ts'

/** Dots an inch of a page in a copy; a PDF's own unit is 72 an inch. */
const dpi = 150
/** Longest side of a rendered page. */
const mostSide = 4000

/** Pages as pictures: what a PDF does, hides or links to does not come along. */
export async function copyPdf({ kind, page, pixels }: CopyWanted, bytes: Buffer): Promise<Copy> {
  const { PDFiumLibrary } = await import('@hyzyla/pdfium')
  const library = await PDFiumLibrary.init()
  const document = await library.loadDocument(bytes)
  const pages = document.getPageCount()
  const render = async (number: number, scaleOf: (longest: number) => number) => {
    const shown = document.getPage(number)
    const { originalWidth: width, originalHeight: height } = shown.getOriginalSize()
    const longest = Math.max(width, height, 1)
    const scale = Math.min(scaleOf(longest), mostSide / longest)
    const bitmap = await shown.render({ scale, renderFormFields: true })
    const image = sharp(bitmap.data, { raw: { width: bitmap.width, height: bitmap.height, channels: 4 } })
    return { width, height, image: image.flatten({ background: '#fff' }) }
  }
  if (pages === 0) throw new NoCopy('it has no pages')
  if (kind === 'preview') {
    if (page > pages) throw new NoCopy(`it has ${pages} pages`)
    const { image } = await render(page - 1, (longest) => pixels / longest)
    return { type: 'image/webp', pages, bytes: await image.webp({ quality: 80 }).toBuffer() }
  }
  const bytesOfCopy = await pdfOfPictures(pages, (number) => render(number, () => dpi / 72))
  return { type: 'application/pdf', pages, bytes: bytesOfCopy }
}
