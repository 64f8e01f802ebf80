import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Source } from '../source.ts'

export interface RiffChunk {
  id: string
  /** Of its content. */
  at: number
  length: number
}

/** Chunks in a row from `at` up to `end`, each padded to an even length. Throws `Refused` (corrupt) when they do not fit. */
export function* riffChunks(file: Source, at: number, end: number, work: Work): Generator<RiffChunk> {
  while (at < end) {
    work.step()
    const head = file.bytes(at, 8)
    const id = head.toString('latin1', 0, 4)
    const length = head.readUInt32LE(4)
    if (!/^[\x20-\x7e]{4}$/.test(id)) throw new Refused('corrupt', `what stands at ${at} is no chunk`)
    if (at + 8 + length > end) throw new Refused('corrupt', `the chunk ${id} at ${at} is cut`)
    yield { id, at: at + 8, length }
    // The last may lack its padding.
    at = Math.min(end, at + 8 + length + (length % 2))
  }
}

/** Where a RIFF file of this form ends, by its head. Throws `Refused` (corrupt). */
export function riffEnd(file: Source, form: string): number {
  const head = file.bytes(0, Math.min(12, file.size))
  if (head.length < 12 || head.toString('latin1', 0, 4) !== 'RIFF' || head.toString('latin1', 8, 12) !== form)
    throw new Refused('corrupt', `it has no ${form} head`)
  const end = 8 + head.readUInt32LE(4)
  if (end > file.size) throw new Refused('corrupt', `it is cut at ${file.size} of ${end} bytes`)
  return end + (end % 2 && end < file.size ? 1 : 0)
}
