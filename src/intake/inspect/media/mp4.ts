import { Refused } from '../../../errors.ts'
import { checkMetadata, checkPixels } from '../images/bounds.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'
import { type Box, boxes, brandsOf } from './boxes.ts'

/** Boxes that hold boxes. */
const containers = new Set('moov trak mdia minf dinf stbl edts udta mvex moof traf mfra ilst'.split(' '))
/** QuickTime's ways of playing what lies elsewhere, or of doing something. */
const active = new Map([
  ['rmra', 'a reference to another film'],
  ['rmda', 'a reference to another film'],
  ['rdrf', 'a reference to another film'],
  ['wtxt', 'wired text'],
  ['sprt', 'wired sprites'],
  ['flsh', 'Flash'],
])
const mostDepth = 16
const mostTracks = 100

/** MP4, M4A and QuickTime: every box of the film, where its samples lie, and that nothing of it lies elsewhere. */
export const mp4Reader: Reader = {
  types: ['video/mp4', 'audio/mp4', 'video/quicktime', 'video/3gpp'],
  read(file: Source, asked: string, work: Work): Found {
    const brands = brandsOf(file)
    const film: Film = { tracks: 0, kinds: new Set(), media: false }
    let end = 0
    let first = true
    let described = false
    for (const box of boxes(file, 0, file.size, work, true)) {
      if (first && !['ftyp', 'moov', 'mdat', 'wide', 'free', 'skip', 'pnot'].includes(box.type))
        throw corrupt(`it begins with ${box.type}`)
      first = false
      end = box.end
      film.media ||= box.type === 'mdat'
      described ||= box.type === 'moov'
      visit(file, box, film, work, 0)
    }
    if (!described) throw corrupt('its description is missing, or it is cut')
    if (!film.media) throw corrupt('it has no picture and no sound')
    return { type: typeOf(brands, film.kinds, asked), end }
  },
}

interface Film {
  tracks: number
  /** Handlers of its tracks: `vide`, `soun` … */
  kinds: Set<string>
  media: boolean
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

function visit(file: Source, box: Box, film: Film, work: Work, depth: number): void {
  if (depth > mostDepth) throw new Refused('unscannable', 'its boxes nest too deep')
  const { type, at, end } = box
  const act = active.get(type)
  if (act) throw new Refused('active_content', `it has ${act}`)
  if (type === 'cmov') throw new Refused('unscannable', 'its description is packed')
  if (type === 'trak' && ++film.tracks > mostTracks) throw new Refused('bomb', `more than ${mostTracks} tracks`)
  if (type === 'hdlr' && end - at >= 12) film.kinds.add(file.bytes(at + 8, 4).toString('latin1'))
  if (type === 'dref') checkReferences(file, box, work)
  if (type === 'stco' || type === 'co64') checkOffsets(file, box, type === 'co64' ? 8 : 4, work)
  if (type === 'tkhd') checkTrack(file, box, work)
  // A box for texts and pictures: its own head is four bytes longer in MP4, and is not in QuickTime.
  if (type === 'meta') {
    const full = end - at >= 12 && file.bytes(at + 4, 8).toString('latin1', 4) === 'hdlr' ? 0 : 4
    for (const inner of boxes(file, at + full, end, work, true)) visit(file, inner, film, work, depth + 1)
  } else if (containers.has(type))
    for (const inner of boxes(file, at, end, work, true)) visit(file, inner, film, work, depth + 1)
  else if (type.startsWith('\xa9') || type === 'data' || type === 'uuid')
    checkMetadata(file, at, Math.min(end - at, 65_536), `the box ${type}`)
}

/** Samples lie in this file, or somewhere that a player would fetch from. */
function checkReferences(file: Source, { at, end }: Box, work: Work): void {
  for (const { type, at: inside, end: over } of boxes(file, at + 8, end, work)) {
    const own = over - inside >= 4 && (file.bytes(inside, 4).readUInt32BE(0) & 1) === 1
    if (!own) throw new Refused('active_content', `its samples lie elsewhere (${type})`)
  }
}

function checkOffsets(file: Source, { at, end }: Box, size: number, work: Work): void {
  const count = file.bytes(at + 4, 4).readUInt32BE(0)
  if (at + 8 + count * size > end) throw corrupt('its table of samples is cut')
  for (let from = at + 8; from < at + 8 + count * size; ) {
    const table = file.bytes(from, Math.min(65_536, at + 8 + count * size - from))
    work.step(table.length / size)
    for (let i = 0; i + size <= table.length; i += size) {
      const offset = size === 8 ? Number(table.readBigUInt64BE(i)) : table.readUInt32BE(i)
      if (offset >= file.size) throw corrupt('it is cut: samples lie beyond its end')
    }
    from += table.length
  }
}

function checkTrack(file: Source, { at, end }: Box, work: Work): void {
  // Width and height are the last two, in 16.16; sound has none.
  if (end - at < 84) return
  const size = file.bytes(end - 8, 8)
  const [width, height] = [size.readUInt16BE(0), size.readUInt16BE(4)]
  if (width > 0 && height > 0) checkPixels(width, height, work.limits)
}

function typeOf(brands: string[], kinds: Set<string>, asked: string): string {
  if (brands.length === 0 || brands[0] === 'qt  ') return 'video/quicktime'
  if (brands.some((brand) => brand.startsWith('3g'))) return asked === 'video/mp4' ? asked : 'video/3gpp'
  return kinds.has('vide') ? 'video/mp4' : kinds.has('soun') ? 'audio/mp4' : 'video/mp4'
}
