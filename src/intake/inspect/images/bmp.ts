import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { checkPixels } from './bounds.ts'

/** How the pixels are packed: none, RLE 8, RLE 4, and none with masks. JPEG and PNG inside (4, 5) are for printers. */
const plain = [0, 3, 6]
const runs = [1, 2]

/** BMP (Windows and OS/2): its head, and pixels where it says, as many as it says. */
export const bmpReader: Reader = {
  types: ['image/bmp'],
  read(file: Source, _asked: string, { limits }: Work): Found {
    const head = file.bytes(0, Math.min(54, file.size))
    if (head.length < 26 || head.toString('latin1', 0, 2) !== 'BM') throw corrupt('it has no BMP head')
    const [size, offset, header] = [2, 10, 14].map((at) => head.readUInt32LE(at)) as [number, number, number]
    const old = header === 12
    if (!old && (![16, 40, 52, 56, 64, 108, 124].includes(header) || head.length < 34))
      throw corrupt(`a head of ${header} bytes`)
    const width = old ? head.readUInt16LE(18) : head.readInt32LE(18)
    const height = Math.abs(old ? head.readUInt16LE(20) : head.readInt32LE(22))
    const depth = head.readUInt16LE(old ? 24 : 28)
    const compression = old ? 0 : head.readUInt32LE(30)
    if (width <= 0 || ![1, 2, 4, 8, 16, 24, 32].includes(depth)) throw corrupt('its head names what no BMP has')
    checkPixels(width, height, limits)
    if (offset < 14 + header || offset > file.size) throw corrupt(`its pixels begin at ${offset}`)
    if (runs.includes(compression)) {
      const packed = head.length >= 38 ? head.readUInt32LE(34) : 0
      if (packed === 0) throw corrupt('packed pixels of no length')
      file.bytes(offset + packed, 0)
      return { type: 'image/bmp', end: offset + packed }
    }
    if (!plain.includes(compression)) throw new Refused('unscannable', `pixels that are packed in way ${compression}`)
    const pixels = Math.ceil((width * depth) / 32) * 4 * height
    if (offset + pixels > file.size) throw corrupt(`it is cut: ${pixels} bytes of pixels at ${offset}`)
    // A profile may stand behind the pixels, within the size that is told.
    const profile = header === 124 && size > offset + pixels && size <= file.size
    return { type: 'image/bmp', end: profile ? size : offset + pixels }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}
