import { closeSync, openSync, readSync } from 'node:fs'
import { Damaged } from '../../errors.ts'
import {
  associatedData,
  headerBytes,
  isHeader,
  sealedSegmentBytes,
  segmentBytes,
  segmentsOf,
  tagBytes,
} from '../../seal/format.ts'
import { openSegment, type SegmentContext } from '../../seal/segment.ts'
import { checkRange, type Source } from './source.ts'

/** A sealed file in the spool. */
export interface SpooledFile {
  path: string
  attachmentId: string
  dataKey: Uint8Array
  /** Bytes of plaintext. */
  size: number
}

/**
 * Opened segments that are kept at hand. More would cost memory beyond their own: what is kept while garbage is collected grows old,
 * and the old is collected late.
 */
const mostKept = 1

/**
 * Reads a sealed file by position; each segment is proved before any byte of it is seen. It blocks, so it is for a thread.
 * Throws `Damaged`. `opened` is told of each piece that was opened.
 */
export function openSealedSource(
  { path, attachmentId, dataKey, size }: SpooledFile,
  opened: (bytes: number) => void = () => {},
): Source & { close(): void } {
  const file = openSync(path, 'r')
  const kept = new Map<number, Buffer>()
  const segments = segmentsOf(size)
  let context: SegmentContext | null = null

  /** What is read is opened at once, so one buffer does for all. */
  const sealed = Buffer.allocUnsafeSlow(Math.min(sealedSegmentBytes, size + headerBytes + tagBytes))

  function read(at: number, length: number): Buffer {
    const buffer = sealed.subarray(0, length)
    for (let filled = 0; filled < length; ) {
      const came = readSync(file, buffer, filled, length - filled, at + filled)
      if (came === 0) throw new Damaged('length of the sealed file')
      filled += came
    }
    return buffer
  }

  function begin(): SegmentContext {
    const header = Buffer.from(read(0, headerBytes))
    if (!isHeader(header)) throw new Damaged('sealed header')
    return { dataKey, header, data: associatedData(header, attachmentId) }
  }

  function segment(number: number): Buffer {
    const known = kept.get(number)
    // The one that was used last is dropped last.
    kept.delete(number)
    if (known) {
      kept.set(number, known)
      return known
    }
    context ??= begin()
    const last = number === segments - 1
    const length = last ? size - number * segmentBytes + tagBytes : sealedSegmentBytes
    const plaintext = openSegment(context, number, last, read(headerBytes + number * sealedSegmentBytes, length))
    opened(plaintext.length)
    if (kept.size >= mostKept) kept.delete(kept.keys().next().value!)
    kept.set(number, plaintext)
    return plaintext
  }

  return {
    size,
    bytes(at, length) {
      checkRange(size, at, length)
      if (length === 0) return Buffer.alloc(0)
      const first = Math.floor(at / segmentBytes)
      const last = Math.floor((at + length - 1) / segmentBytes)
      const offset = at - first * segmentBytes
      if (first === last) return segment(first).subarray(offset, offset + length)
      const found: Buffer[] = []
      for (let number = first; number <= last; number++) found.push(segment(number))
      found[0] = found[0]!.subarray(offset)
      return Buffer.concat(found, length)
    },
    close: () => closeSync(file),
  }
}
