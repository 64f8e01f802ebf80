import { Damaged } from '../errors.ts'
import {
  associatedData,
  headerBytes,
  isHeader,
  sealedSegmentBytes,
  segmentBytes,
  segmentsOf,
  tagBytes,
} from './format.ts'
import { openSegment } from './segment.ts'

/** Inclusive positions in the plaintext, as in an HTTP range. */
export interface ByteRange {
  start: number
  end: number
}

/** Opens the sealed bytes from `start` up to and including `end`. */
export type OpenSealed = (range?: ByteRange) => Promise<AsyncIterable<Uint8Array>>

export interface Sealed {
  dataKey: Uint8Array
  attachmentId: string
  /** Bytes of plaintext, from the record: the truth about where the file ends. */
  size: number
  open: OpenSealed
}

/**
 * Yields the plaintext of `range` (the whole file without one), segment by segment. A segment leaves only after its tag
 * has proved it. Throws `Damaged` at the first byte that is changed, missing, moved or from another file.
 */
export async function* unseal(
  { dataKey, attachmentId, size, open }: Sealed,
  range?: ByteRange,
): AsyncGenerator<Buffer> {
  const segments = segmentsOf(size)
  const from = range ? Math.floor(range.start / segmentBytes) : 0
  const to = range ? Math.floor(range.end / segmentBytes) : segments - 1
  const header = from === 0 ? null : await readHeader(open)
  const sealedFrom = from === 0 ? 0 : headerBytes + from * sealedSegmentBytes
  const sealedTo = headerBytes + size + segments * tagBytes - 1
  const wanted = { start: sealedFrom, end: Math.min(sealedTo, headerBytes + (to + 1) * sealedSegmentBytes - 1) }
  // A whole read asks for all that is there, so that what was added at the end is seen too.
  const pieces = exactly(await (range ? open(wanted) : open()), pieceSizes(wanted, from === 0))

  let context = header && { header, data: associatedData(header, attachmentId) }
  let number = from
  for await (const piece of pieces) {
    if (!context) {
      if (!isHeader(piece)) throw new Damaged('sealed header')
      context = { header: piece, data: associatedData(piece, attachmentId) }
      continue
    }
    const last = number === segments - 1
    const plaintext = openSegment({ dataKey, ...context }, number, last, piece)
    const base = number * segmentBytes
    const begin = range ? Math.max(0, range.start - base) : 0
    const end = range ? Math.min(plaintext.length, range.end - base + 1) : plaintext.length
    if (end > begin) yield plaintext.subarray(begin, end)
    number++
  }
}

async function readHeader(open: OpenSealed): Promise<Buffer> {
  for await (const header of exactly(await open({ start: 0, end: headerBytes - 1 }), [headerBytes])) {
    if (!isHeader(header)) break
    return header
  }
  throw new Damaged('sealed header')
}

/** The lengths that `wanted` must come in: the header if it begins at 0, then sealed segments, the last as it falls. */
function* pieceSizes(wanted: ByteRange, withHeader: boolean): Generator<number> {
  if (withHeader) yield headerBytes
  let left = wanted.end + 1 - wanted.start - (withHeader ? headerBytes : 0)
  for (; left > 0; left -= sealedSegmentBytes) yield Math.min(left, sealedSegmentBytes)
}

/** Regroups chunks into pieces of exactly these sizes. Throws `Damaged` as soon as bytes are missing or left over. */
async function* exactly(chunks: AsyncIterable<Uint8Array>, sizes: Iterable<number>): AsyncGenerator<Buffer> {
  const wanted = sizes[Symbol.iterator]()
  let want = wanted.next()
  let held: Uint8Array[] = []
  let heldBytes = 0
  for await (const chunk of chunks) {
    held.push(chunk)
    heldBytes += chunk.length
    while (!want.done && heldBytes >= want.value) {
      const joined =
        held.length === 1 ? Buffer.from(held[0]!.buffer, held[0]!.byteOffset, heldBytes) : Buffer.concat(held)
      yield joined.subarray(0, want.value)
      const rest = joined.subarray(want.value)
      held = rest.length > 0 ? [rest] : []
      heldBytes = rest.length
      want = wanted.next()
    }
    if (want.done && heldBytes > 0) throw new Damaged('length of the sealed file')
  }
  if (!want.done) throw new Damaged('length of the sealed file')
}
