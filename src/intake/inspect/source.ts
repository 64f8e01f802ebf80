import { Refused } from '../../errors.ts'

/**
 * A file's plaintext, read by position. A reader asks for small pieces; what it is given stays as it is, and may be a view of
 * a larger buffer.
 */
export interface Source {
  /** Bytes. */
  readonly size: number
  /** Exactly these bytes. Throws `Refused` (corrupt) when the file has not so many. */
  bytes(at: number, length: number): Buffer
}

/** Most bytes that a reader may hold of a file at once, whatever a length in the file says. */
export const mostAtOnce = 16 * 1024 * 1024

export function checkRange(size: number, at: number, length: number): void {
  if (!Number.isSafeInteger(at) || !Number.isSafeInteger(length) || at < 0 || length < 0 || at + length > size)
    throw new Refused('corrupt', `it ends at byte ${size}, and ${length} bytes at ${at} are named`)
  if (length > mostAtOnce)
    throw new Refused('unscannable', `a piece of ${length} bytes at ${at} is too large to be read`)
}

export function bufferSource(buffer: Buffer): Source {
  return {
    size: buffer.length,
    bytes(at, length) {
      checkRange(buffer.length, at, length)
      return buffer.subarray(at, at + length)
    },
  }
}

/** A file in memory, in pieces that all but the last have the same length. */
export function piecesSource(pieces: readonly Uint8Array[], pieceLength: number): Source {
  const buffers = pieces.map(({ buffer, byteOffset, length }) => Buffer.from(buffer, byteOffset, length))
  const size = buffers.reduce((sum, { length }) => sum + length, 0)
  return {
    size,
    bytes(at, length) {
      checkRange(size, at, length)
      const first = Math.floor(at / pieceLength)
      const offset = at - first * pieceLength
      const [one] = buffers.slice(first, first + 1)
      if (length === 0 || !one) return Buffer.alloc(0)
      if (offset + length <= one.length) return one.subarray(offset, offset + length)
      const found = buffers.slice(first, Math.floor((at + length - 1) / pieceLength) + 1)
      found[0] = one.subarray(offset)
      return Buffer.concat(found, length)
    },
  }
}

/** A part of a file as a file of its own. */
export function part(source: Source, at: number, size: number): Source {
  checkRange(source.size, at, 0)
  checkRange(source.size, at + size, 0)
  return {
    size,
    bytes(from, length) {
      checkRange(size, from, length)
      return source.bytes(at + from, length)
    },
  }
}

const pieceBytes = 64 * 1024

/** The bytes from `at` up to `end` in pieces that fall on the borders of sealed segments, so that none is opened twice. */
export function* pieces(source: Source, at = 0, end = source.size): Generator<Buffer> {
  for (let from = at; from < end; ) {
    const to = Math.min(end, (Math.floor(from / pieceBytes) + 1) * pieceBytes)
    yield source.bytes(from, to - from)
    from = to
  }
}

/** Where `needle` begins at or after `from` and before `end`, or -1. */
export function indexOf(source: Source, needle: Buffer, from = 0, end = source.size): number {
  // What is kept of the piece before: a needle may lie across a border.
  let tail: Buffer = Buffer.alloc(0)
  let at = from
  for (const piece of pieces(source, from, end)) {
    if (tail.length > 0) {
      const joined = Buffer.concat([tail, piece.subarray(0, needle.length - 1)])
      const across = joined.indexOf(needle)
      if (across >= 0) return at - tail.length + across
    }
    const found = piece.indexOf(needle)
    if (found >= 0) return at + found
    tail = needle.length > 1 ? Buffer.concat([tail, piece]).subarray(-(needle.length - 1)) : tail
    at += piece.length
  }
  return -1
}

/** Zeros, blanks and line ends carry nothing: cameras and mailers leave them. */
export function isPadding(file: Source, from: number): boolean {
  for (const piece of pieces(file, from))
    for (const byte of piece) if (![0x00, 0x09, 0x0a, 0x0d, 0x20].includes(byte)) return false
  return true
}
