import { Refused } from '../../../errors.ts'
import { checkMetadata, checkPixels, framesOf } from '../images/bounds.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { type Box, boxes, brandsOf } from './boxes.ts'

const mostItems = 10_000

/**
 * HEIF (ISO/IEC 23008-12): HEIC and AVIF, still pictures. Items, where their data lies, and the sizes of all that is shown, also of
 * what is put together of tiles.
 */
export const heifReader: Reader = {
  types: ['image/heic', 'image/heif', 'image/avif'],
  read(file: Source, asked: string, work: Work): Found {
    if (brandsOf(file).length === 0) throw corrupt('it does not begin with its brands')
    let coded: string | null = null
    let end = 0
    for (const box of boxes(file, 0, file.size, work, true)) {
      end = box.end
      if (box.type === 'meta') coded = readMeta(file, box, work)
    }
    if (coded === null) throw corrupt('it has no picture')
    if (coded === 'av01') return { type: 'image/avif', end }
    // `image/heif` is the name of the whole family.
    return { type: asked === 'image/heif' ? asked : 'image/heic', end }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

interface Item {
  id: number
  type: string
}

/** Returns how the main picture is coded. */
function readMeta(file: Source, meta: Box, work: Work): string {
  const frames = framesOf(work)
  let items: Item[] = []
  const places = new Map<number, { at: number; length: number }[]>()
  let main: number | null = null
  let data: Box | null = null
  const inner = [...boxes(file, meta.at + 4, meta.end, work)]
  for (const box of inner) {
    if (box.type === 'iinf') items = itemsOf(file, box, work)
    if (box.type === 'pitm')
      main =
        file.bytes(box.at, 1)[0] === 0
          ? file.bytes(box.at + 4, 2).readUInt16BE(0)
          : file.bytes(box.at + 4, 4).readUInt32BE(0)
    if (box.type === 'idat') data = box
    if (box.type === 'iprp')
      for (const property of boxes(file, box.at, box.end, work))
        if (property.type === 'ipco')
          for (const { type, at } of boxes(file, property.at, property.end, work))
            if (type === 'ispe') {
              const size = file.bytes(at + 4, 8)
              checkPixels(size.readUInt32BE(0), size.readUInt32BE(4), work.limits)
              frames(size.readUInt32BE(0), size.readUInt32BE(4))
            }
  }
  for (const box of inner) if (box.type === 'iloc') readPlaces(file, box, data, places, work)
  for (const { id, type } of items) {
    const [place] = places.get(id) ?? []
    if (type === 'grid' && place) checkGrid(file.bytes(place.at, Math.min(12, place.length)), work)
    if ((type === 'mime' || type === 'Exif') && place) checkMetadata(file, place.at, place.length, `the item ${type}`)
    if (type === 'uri ') work.step()
  }
  const shown = items.find(({ id }) => id === main)
  if (!shown) throw corrupt('its main picture is missing')
  const kinds = items.map(({ type }) => type)
  const coded = ['hvc1', 'av01', 'jpeg', 'hev1', 'j2k1', 'vvc1'].find(
    (kind) => shown.type === kind || (['grid', 'iden', 'iovl'].includes(shown.type) && kinds.includes(kind)),
  )
  if (coded === undefined) throw new Refused('unscannable', `its main picture is coded as ${shown.type}`)
  return coded
}

function itemsOf(file: Source, box: Box, work: Work): Item[] {
  const version = file.bytes(box.at, 1)[0]!
  const count = version === 0 ? file.bytes(box.at + 4, 2).readUInt16BE(0) : file.bytes(box.at + 4, 4).readUInt32BE(0)
  if (count > mostItems) throw new Refused('bomb', `it has ${count} items`)
  const items: Item[] = []
  for (const { type, at, end } of boxes(file, box.at + (version === 0 ? 6 : 8), box.end, work)) {
    if (type !== 'infe') continue
    const own = file.bytes(at, Math.min(16, end - at))
    if (own.length < 12 || own[0]! < 2) continue
    const wide = own[0] === 3
    const from = wide ? 10 : 8
    items.push({ id: wide ? own.readUInt32BE(4) : own.readUInt16BE(4), type: own.toString('latin1', from, from + 4) })
  }
  return items
}

/** Where the data of each item lies: in the file, or in the box for small data. Each piece must be there. */
function readPlaces(
  file: Source,
  box: Box,
  data: Box | null,
  places: Map<number, { at: number; length: number }[]>,
  work: Work,
): void {
  const head = file.bytes(box.at, 8)
  const version = head[0]!
  const [offsetSize, lengthSize] = [head[4]! >> 4, head[4]! & 15]
  const [baseSize, indexSize] = [head[5]! >> 4, version > 0 ? head[5]! & 15 : 0]
  let at = box.at + 6
  const take = (size: number): number => {
    if (![0, 1, 2, 4, 8].includes(size)) throw corrupt('the widths of its places')
    if (at + size > box.end) throw corrupt('its places are cut')
    const bytes = file.bytes(at, size)
    at += size
    if (size === 8) return Number(bytes.readBigUInt64BE(0))
    return size === 0 ? 0 : bytes.readUIntBE(0, size)
  }
  const count = take(version < 2 ? 2 : 4)
  if (count > mostItems) throw new Refused('bomb', `it has ${count} items`)
  for (let i = 0; i < count; i++) {
    work.step()
    const id = take(version < 2 ? 2 : 4)
    const method = version > 0 ? take(2) & 15 : 0
    if (take(2) !== 0) throw new Refused('active_content', 'data of a picture lies in another file')
    const base = take(baseSize)
    const extents = take(2)
    for (let n = 0; n < extents; n++) {
      work.step()
      take(indexSize)
      const offset = base + take(offsetSize)
      const length = take(lengthSize)
      // Made of other items.
      if (method === 2) continue
      const begin = method === 1 ? (data?.at ?? Number.NaN) + offset : offset
      const most = method === 1 ? (data?.end ?? 0) : file.size
      if (!(begin + length <= most)) throw corrupt(`the data of item ${id} lies beyond its end`)
      places.set(id, [...(places.get(id) ?? []), { at: begin, length: length === 0 ? most - begin : length }])
    }
  }
}

/** A picture of rows and columns of others, with the size that is shown in the end. */
function checkGrid(bytes: Buffer, work: Work): void {
  if (bytes.length < 8) throw corrupt('tiles without a size')
  const wide = (bytes[1]! & 1) === 1
  if (wide && bytes.length < 12) throw corrupt('tiles without a size')
  const [width, height] = wide
    ? [bytes.readUInt32BE(4), bytes.readUInt32BE(8)]
    : [bytes.readUInt16BE(4), bytes.readUInt16BE(6)]
  checkPixels(width, height, work.limits)
}
