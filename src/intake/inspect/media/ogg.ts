import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'

/** Ogg's check sum: the polynomial of CRC-32, not reflected (RFC 3533). */
const table = Uint32Array.from({ length: 256 }, (_, n) => {
  let sum = n << 24
  for (let bit = 0; bit < 8; bit++) sum = sum & 0x80000000 ? (sum << 1) ^ 0x04c11db7 : sum << 1
  return sum >>> 0
})

const sounds = [/^\x01vorbis/, /^OpusHead/, /^Speex {3}/, /^\x7fFLAC/]

/** Ogg (RFC 3533) with sound: pages in order, each with its sum, every stream begun and ended. */
export const oggReader: Reader = {
  types: ['audio/ogg'],
  read(file: Source, _asked: string, work: Work): Found {
    /** Streams that have begun and not ended, with the number of their last page. */
    const open = new Map<number, number>()
    let at = 0
    let pages = 0
    while (at + 27 <= file.size) {
      work.step()
      const head = file.bytes(at, 27)
      if (head.toString('latin1', 0, 4) !== 'OggS') break
      if (head[4] !== 0) throw corrupt(`a page of version ${head[4]}`)
      const segments = file.bytes(at + 27, head[26]!)
      const length = 27 + segments.length + segments.reduce((sum, size) => sum + size, 0)
      const page = file.bytes(at, length)
      if (sumOf(page) !== head.readUInt32LE(22)) throw corrupt(`the check sum of the page at ${at}`)
      const [flags, serial, number] = [head[5]!, head.readUInt32LE(14), head.readUInt32LE(18)]
      if (flags & 2) {
        if (open.has(serial)) throw corrupt('a stream begins twice')
        const start = page.toString('latin1', 27 + segments.length, 27 + segments.length + 16)
        if (!sounds.some((sound) => sound.test(start))) return { type: 'video/ogg', end: file.size }
      } else if (open.get(serial) !== number - 1) throw corrupt(`a page is missing before ${at}`)
      open.set(serial, number)
      if (flags & 4) open.delete(serial)
      at += length
      pages += 1
    }
    if (pages === 0) throw corrupt('it has no page')
    if (open.size > 0) throw corrupt('it is cut: a stream has no end')
    return { type: 'audio/ogg', end: at }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

/** Over the page, its own sum taken as zero. */
function sumOf(page: Buffer): number {
  let sum = 0
  for (let i = 0; i < page.length; i++) {
    const byte = i >= 22 && i < 26 ? 0 : page[i]!
    sum = ((sum << 8) ^ table[((sum >>> 24) ^ byte) & 0xff]!) >>> 0
  }
  return sum
}
