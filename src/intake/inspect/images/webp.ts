import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import { type RiffChunk, riffChunks, riffEnd } from '../media/riff.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { checkMetadata, checkPixels, framesOf } from './bounds.ts'

/** WebP (RFC 9649): chunks in order, sizes of the canvas and of each frame, and of what is really coded in them. */
export const webpReader: Reader = {
  types: ['image/webp'],
  read(file: Source, _asked: string, work: Work): Found {
    const end = riffEnd(file, 'WEBP')
    const frames = framesOf(work)
    let images = 0
    let canvas: { width: number; height: number } | null = null
    const see = ({ id, at, length }: RiffChunk, most: { width: number; height: number } | null) => {
      const coded = id === 'VP8 ' ? lossySize(file, at, length) : id === 'VP8L' ? losslessSize(file, at, length) : null
      if (!coded) return
      checkPixels(coded.width, coded.height, work.limits)
      if (most && (coded.width !== most.width || coded.height !== most.height))
        throw corrupt(`a picture of ${coded.width} × ${coded.height} where ${most.width} × ${most.height} is told`)
      images += 1
    }
    for (const chunk of riffChunks(file, 12, end, work)) {
      const { id, at, length } = chunk
      if (id === 'VP8X') {
        canvas = { width: u24(file.bytes(at + 4, 3), 0) + 1, height: u24(file.bytes(at + 7, 3), 0) + 1 }
        checkPixels(canvas.width, canvas.height, work.limits)
      } else if (id === 'ANMF') {
        const head = file.bytes(at, 16)
        const frame = { width: u24(head, 6) + 1, height: u24(head, 9) + 1 }
        frames(frame.width, frame.height)
        if (!canvas || u24(head, 0) * 2 + frame.width > canvas.width || u24(head, 3) * 2 + frame.height > canvas.height)
          throw corrupt('a frame that is larger than the picture')
        for (const inner of riffChunks(file, at + 16, at + length, work)) see(inner, frame)
      } else if (id === 'EXIF' || id === 'XMP ' || id === 'ICCP') checkMetadata(file, at, length, id.trim())
      else see(chunk, canvas)
    }
    if (images === 0) throw corrupt('it has no picture')
    return { type: 'image/webp', end }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

const u24 = (bytes: Buffer, at: number) => bytes.readUIntLE(at, 3)

/** A key frame of VP8 (RFC 6386, 9.1). */
function lossySize(file: Source, at: number, length: number) {
  if (length < 10) throw corrupt('a picture without a head')
  const head = file.bytes(at, 10)
  if ((head[0]! & 1) !== 0 || head.readUIntBE(3, 3) !== 0x9d012a)
    throw corrupt('a picture that begins with no key frame')
  return { width: head.readUInt16LE(6) & 0x3fff, height: head.readUInt16LE(8) & 0x3fff }
}

function losslessSize(file: Source, at: number, length: number) {
  if (length < 5 || file.bytes(at, 1)[0] !== 0x2f) throw corrupt('a lossless picture without a head')
  const bits = file.bytes(at + 1, 4).readUInt32LE(0)
  return { width: (bits & 0x3fff) + 1, height: ((bits >>> 14) & 0x3fff) + 1 }
}
