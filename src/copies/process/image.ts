import sharp, { type Sharp } from 'sharp'
import { type Copy, type CopyWanted, mostPixels, NoCopy } from '../copy.ts'
import { pdfOfPictures } from './pictures.ts'

sharp.concurrency(1)
sharp.cache(false)
// Only what is named is decoded: libvips could open documents, drawings and scripts too.
sharp.block({ operation: ['VipsForeignLoad'] })
sharp.unblock({
  operation: [
    'VipsForeignLoadJpeg',
    'VipsForeignLoadPng',
    'VipsForeignLoadNsgif',
    'VipsForeignLoadWebp',
    'VipsForeignLoadHeif',
    'VipsForeignLoadTiff',
  ],
})

const options = { limitInputPixels: mostPixels, failOn: 'error', sequentialRead: true } as const
const moving = ['image/gif', 'image/webp']

/** Written anew without its metadata; turned upright first, since the orientation goes with it. */
export async function copyImage({ kind, type, page, pixels }: CopyWanted, bytes: Buffer): Promise<Copy> {
  const { pages = 1 } = await sharp(bytes, options).metadata()
  if (kind === 'preview') {
    if (page > pages) throw new NoCopy(`it has ${pages} pages or frames`)
    const shown = sharp(bytes, { ...options, page: page - 1 }).autoOrient()
    const small = shown.resize(pixels, pixels, { fit: 'inside', withoutEnlargement: true })
    return { type: 'image/webp', pages, bytes: await small.webp({ quality: 80 }).toBuffer() }
  }
  if (type === 'image/tiff' && pages > 1)
    return { type: 'application/pdf', pages, bytes: await copyPages(bytes, pages) }
  const upright = sharp(bytes, { ...options, animated: moving.includes(type) }).autoOrient()
  const written = writer(type)
  return { type: written.type, pages, bytes: await written.write(upright).toBuffer() }
}

/** Dots an inch of a scan that does not say, or says what no scanner has. */
const usualDpi = 150

/** A letter that was scanned or faxed: a PDF of its pages, as it would be looked at. */
function copyPages(bytes: Buffer, pages: number): Promise<Buffer> {
  return pdfOfPictures(pages, async (page) => {
    const shown = sharp(bytes, { ...options, page }).autoOrient()
    const { density = 0 } = await shown.metadata()
    const { data, info } = await shown
      .flatten({ background: '#fff' })
      .jpeg({ quality: 95 })
      .toBuffer({ resolveWithObject: true })
    const points = 72 / (density >= 50 && density <= 2400 ? density : usualDpi)
    return { width: info.width * points, height: info.height * points, image: sharp(data, options) }
  })
}

/** What a copy is written as: the same type where every viewer has it. */
function writer(type: string): { type: string; write(image: Sharp): Sharp } {
  switch (type) {
    case 'image/png':
    case 'image/tiff':
      return { type: 'image/png', write: (image) => image.png() }
    case 'image/gif':
      return { type, write: (image) => image.gif() }
    case 'image/webp':
      return { type, write: (image) => image.webp({ quality: 90 }) }
    default:
      return { type: 'image/jpeg', write: (image) => image.flatten({ background: '#fff' }).jpeg({ quality: 92 }) }
  }
}
