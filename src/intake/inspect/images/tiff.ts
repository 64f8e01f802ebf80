import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { checkMetadata, checkPixels, framesOf } from './bounds.ts'

/** Bytes of a value, by its type. */
const sizes = [0, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8, 4, 0, 0, 8, 8, 8]
const tags = {
  width: 256,
  height: 257,
  strips: 273,
  stripBytes: 279,
  tiles: 324,
  tileBytes: 325,
  sub: 330,
  jpeg: 513,
  jpegBytes: 514,
  xmp: 700,
  exif: 34665,
  gps: 34853,
  interoperability: 40965,
}
const texts = [269, 270, 271, 272, 305, 306, 315, 316, 33432, tags.xmp]
const directories = [tags.sub, tags.exif, tags.gps, tags.interoperability]
/** Pieces that one picture may be cut into. */
const mostPieces = 1_000_000

/** TIFF 6 and BigTIFF: every directory, what its fields point at, and the end of the last of it. */
export const tiffReader: Reader = {
  types: ['image/tiff'],
  read(file: Source, _asked: string, work: Work): Found {
    const reading = beginTiff(file)
    const seen = new Set<number>()
    const waiting = [{ at: reading.first, main: true }]
    const frames = framesOf(work)
    let pages = 0
    for (const { at, main } of waiting) {
      if (at === 0) continue
      if (seen.has(at)) throw corrupt('its pages go in a circle')
      seen.add(at)
      work.step()
      const { fields, next } = reading.directory(at, work)
      if (main) waiting.push({ at: next, main: true })
      for (const tag of directories) for (const inner of fields.get(tag) ?? []) waiting.push({ at: inner, main: false })
      const [width] = fields.get(tags.width) ?? []
      const [height] = fields.get(tags.height) ?? []
      if (width === undefined || height === undefined) continue
      checkPixels(width, height, work.limits)
      frames(width, height)
      pages += 1
      if (pages > work.limits.pages) throw new Refused('bomb', `more than ${work.limits.pages} pages`)
      reading.extents(fields.get(tags.strips), fields.get(tags.stripBytes), work)
      reading.extents(fields.get(tags.tiles), fields.get(tags.tileBytes), work)
      reading.extents(fields.get(tags.jpeg), fields.get(tags.jpegBytes), work)
    }
    if (pages === 0) throw corrupt('it has no picture')
    return { type: 'image/tiff', end: reading.end() }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

function beginTiff(file: Source) {
  const head = file.bytes(0, Math.min(16, file.size))
  const order = head.toString('latin1', 0, 2)
  if (head.length < 8 || (order !== 'II' && order !== 'MM')) throw corrupt('it has no TIFF head')
  const little = order === 'II'
  const number = (bytes: Buffer, at: number, size: number): number => {
    if (size === 8) {
      const value = little ? bytes.readBigUInt64LE(at) : bytes.readBigUInt64BE(at)
      return value > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(value)
    }
    return little ? bytes.readUIntLE(at, size) : bytes.readUIntBE(at, size)
  }
  const version = number(head, 2, 2)
  if (version !== 42 && version !== 43) throw corrupt('it has no TIFF head')
  const wide = version === 43
  if (wide && (head.length < 16 || number(head, 4, 2) !== 8)) throw corrupt('the head of a BigTIFF')
  const word = wide ? 8 : 4
  let end = head.length
  const reaches = (to: number) => {
    end = Math.max(end, to)
  }

  return {
    first: wide ? number(head, 8, 8) : number(head, 4, 4),
    end: () => end,
    directory(at: number, work: Work): { fields: Map<number, number[]>; next: number } {
      const countBytes = wide ? 8 : 2
      const count = number(file.bytes(at, countBytes), 0, countBytes)
      if (count > 4096) throw corrupt(`a directory of ${count} fields`)
      const fieldBytes = wide ? 20 : 12
      const table = file.bytes(at + countBytes, count * fieldBytes + word)
      reaches(at + countBytes + table.length)
      const fields = new Map<number, number[]>()
      for (let i = 0; i < count; i++) {
        work.step()
        const from = i * fieldBytes
        const [tag, type] = [number(table, from, 2), number(table, from + 2, 2)]
        const length = number(table, from + 4, word)
        const size = sizes[type] ?? 0
        const bytes = length * size
        const inside = bytes <= word
        const place = inside ? 0 : number(table, from + 4 + word, word)
        if (!inside) {
          file.bytes(place, 0)
          if (place + bytes > file.size) throw corrupt(`the field ${tag} lies beyond its end`)
          reaches(place + bytes)
        }
        const value = () =>
          inside ? table.subarray(from + 4 + word, from + 4 + word + bytes) : file.bytes(place, bytes)
        if (texts.includes(tag) && !inside) checkMetadata(file, place, bytes, `the field ${tag}`)
        else if ([2, 3, 4, 8].includes(size) && [3, 4, 13, 16, 18].includes(type) && isNeeded(tag)) {
          if (length > mostPieces) throw new Refused('unscannable', `the field ${tag} has ${length} values`)
          const given = value()
          fields.set(
            tag,
            Array.from({ length }, (_, n) => number(given, n * size, size)),
          )
        }
      }
      return { fields, next: number(table, count * fieldBytes, word) }
    },
    /** Pieces of a picture: where each lies, and how long it is. */
    extents(places: number[] = [], lengths: number[] = [], work: Work): void {
      if (places.length !== lengths.length) throw corrupt('pieces of a picture without a length')
      work.step(places.length)
      for (const [i, place] of places.entries()) {
        if (place + lengths[i]! > file.size) throw corrupt('it is cut: a piece of its picture lies beyond its end')
        reaches(place + lengths[i]!)
      }
    },
  }
}

function isNeeded(tag: number): boolean {
  return Object.values(tags).includes(tag)
}
