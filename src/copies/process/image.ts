import sharp, { type Sharp } from 'sharp'
import { type Copy, type CopyWanted, mostPixels, NoCopy } from '../copy.ts'

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

const moving = ['image/gif', 'image/webp']

/** Written anew without its metadata; turned upright first, since the orientation goes with it. */
export async function copyImage({ kind, type, page, pixels }: CopyWanted, bytes: Buffer): Promise<Copy> {
  const options = { limitInputPixels: mostPixels, failOn: 'error', sequentialRead: true } as const
  const { pages = 1 } = await sharp(bytes, options).metadata()
  if (kind === 'preview') {
    if (page > pages) throw new NoCopy(`it has ${pages} pages or frames`)
    const shown = sharp(bytes, { ...options, page: page - 1 }).autoOrient()
    const small = shown.resize(pixels, pixels, { fit: 'inside', withoutEnlargement: true })
    return { type: 'image/webp', pages, bytes: await small.webp({ quality: 80 }).toBuffer() }
  }
  if (type === 'image/tiff' && pages > 1) throw new NoCopy(`it has ${pages} pages, and a copy has one`)
  const upright = sharp(bytes, { ...options, animated: moving.includes(type) }).autoOrient()
  const written = writer(type)
  return { type: written.type, pages, bytes: await written.write(upright).toBuffer() }
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
