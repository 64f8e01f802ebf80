import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Source } from '../source.ts'

/** A box of the ISO base media file format (ISO/IEC 14496-12), or an atom of QuickTime. */
export interface Box {
  type: string
  /** Of its content. */
  at: number
  end: number
}

/**
 * Boxes in a row from `at` up to `end`. What is no box ends the row where `ragged` allows it: then the last one's end tells where the
 * rest begins. Throws `Refused` (corrupt) for one that is cut.
 */
export function* boxes(file: Source, at: number, end: number, work: Work, ragged = false): Generator<Box> {
  while (at + 8 <= end) {
    work.step()
    const head = file.bytes(at, 8)
    const type = head.toString('latin1', 4)
    let size = head.readUInt32BE(0)
    let content = at + 8
    if (!/^[\x20-\x7e\xa9]{4}$/.test(type)) {
      if (ragged) return
      throw new Refused('corrupt', `what stands at ${at} is no box`)
    }
    if (size === 1) {
      const wide = file.bytes(at + 8, 8).readBigUInt64BE(0)
      size = wide > BigInt(Number.MAX_SAFE_INTEGER) ? Number.MAX_SAFE_INTEGER : Number(wide)
      content = at + 16
    } else if (size === 0) size = end - at
    if (size < content - at || at + size > end) throw new Refused('corrupt', `the box ${type} at ${at} is cut`)
    yield { type, at: content, end: at + size }
    at += size
  }
}

/** The brands that a file says it keeps to, the main one first. Empty where it says none, as old QuickTime does. */
export function brandsOf(file: Source): string[] {
  if (file.size < 16) return []
  const head = file.bytes(0, 16)
  const size = head.readUInt32BE(0)
  if (head.toString('latin1', 4, 8) !== 'ftyp' || size < 16 || size > 1024 || size > file.size) return []
  const brands = file.bytes(8, size - 8).toString('latin1')
  return [brands.slice(0, 4), ...(brands.slice(8).match(/.{4}/gs) ?? [])]
}
