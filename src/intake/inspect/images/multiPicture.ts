import { Refused } from '../../../errors.ts'
import type { Source } from '../source.ts'

/** A segment of a JPEG. */
export interface Segment {
  marker: number
  /** Of its content, after the length. */
  at: number
  length: number
}

const tags = { entries: 0xb002 }
const entryBytes = 16
/** A camera writes two to four. */
const mostImages = 64

/**
 * Where further images begin that a JPEG says it has behind its own end, by the index of CIPA DC-007 (Multi-Picture Format,
 * segment APP2 "MPF"). Each must follow the one before without a gap of anything but padding: what lies between would be
 * shown to nobody.
 */
export function furtherImages(file: Source, segments: Segment[], end: number): number[] {
  const index = segments.find(
    ({ marker, at, length }) => marker === 0xe2 && length >= 8 && file.bytes(at, 4).toString('latin1') === 'MPF\0',
  )
  if (!index) return []
  return imagesIn(file.bytes(index.at + 4, index.length - 4))
    .filter(({ offset }) => offset > 0)
    .map(({ offset }) => index.at + 4 + offset)
    .filter((at) => at >= end && at < file.size)
    .sort((a, b) => a - b)
}

/** The index is a TIFF of its own; offsets count from its beginning. */
function imagesIn(tiff: Buffer): { offset: number }[] {
  try {
    const order = tiff.toString('latin1', 0, 2)
    if (order !== 'II' && order !== 'MM') throw new RangeError()
    const u16 = (at: number) => (order === 'II' ? tiff.readUInt16LE(at) : tiff.readUInt16BE(at))
    const u32 = (at: number) => (order === 'II' ? tiff.readUInt32LE(at) : tiff.readUInt32BE(at))
    const directory = u32(4)
    for (let i = 0; i < u16(directory); i++) {
      const field = directory + 2 + i * 12
      if (u16(field) !== tags.entries) continue
      const count = Math.floor(u32(field + 4) / entryBytes)
      if (count > mostImages) throw new RangeError()
      const first = u32(field + 8)
      return Array.from({ length: count }, (_, n) => ({ offset: u32(first + n * entryBytes + 8) }))
    }
    return []
  } catch (error) {
    if (error instanceof RangeError) throw new Refused('corrupt', 'its index of further pictures')
    throw error
  }
}
