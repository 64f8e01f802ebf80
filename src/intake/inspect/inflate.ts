import { constants } from 'node:buffer'
import type { Transform } from 'node:stream'
import {
  createGunzip,
  createInflate,
  createInflateRaw,
  gunzipSync,
  inflateRawSync,
  inflateSync,
  type ZlibOptions,
} from 'node:zlib'
import { Refused } from '../../errors.ts'
import { megabytes, type Work } from './limits.ts'

export interface Inflation {
  /** `raw`: as in ZIP; `zlib`: with a header and a check sum, as in PNG and PDF; `gzip`: a file of its own. */
  format: 'raw' | 'zlib' | 'gzip'
  /** What is packed, in pieces. */
  packed: Iterable<Buffer>
  /** Most bytes that may come out. */
  most: number
  /** For the detail: "entry a.txt". */
  what: string
  work: Work
  /** Packed bytes that are left over at the end are passed over. */
  leftOver?: boolean
}

/** What is packed in so little is unpacked in one go: it becomes 17 MB at most. A stream wakes other threads, for each. */
const atOnceBytes = 16 * 1024

/**
 * Unpacks piece by piece, in memory of a piece or two, or in one if it is small. Throws `Refused`: `bomb` as soon as more comes
 * out than may, `corrupt` when the data is not whole, or when packed bytes are left over.
 */
export async function* inflate(inflation: Inflation): AsyncGenerator<Buffer> {
  const pieces = inflation.packed[Symbol.iterator]()
  const first: Buffer[] = []
  let bytes = 0
  for (let next = pieces.next(); !next.done; next = pieces.next()) {
    first.push(next.value)
    bytes += next.value.length
    if (bytes > atOnceBytes) {
      const packed = followedBy(first, pieces)
      yield* inflatePieces({ ...inflation, packed })
      return
    }
  }
  const unpacked = inflateAtOnce(inflation, Buffer.concat(first))
  if (unpacked.length > 0) yield unpacked
}

function* followedBy(first: Buffer[], rest: Iterator<Buffer>): Generator<Buffer> {
  yield* first
  yield* { [Symbol.iterator]: () => rest }
}

function inflateAtOnce({ format, most, what, work, leftOver = false }: Inflation, packed: Buffer): Buffer {
  const { buffer, engine } = attempt(what, most, () =>
    atOnce[format](packed, {
      ...options,
      info: true,
      maxOutputLength: Math.max(1, Math.min(most, constants.MAX_LENGTH)),
    }),
  )
  if (buffer.length > most) throw tooMuch(what, most)
  work.unpacked(buffer.length)
  if (!leftOver && engine.bytesWritten !== packed.length) throw leftBytes(what)
  return buffer
}

function attempt<T>(what: string, most: number, unpack: () => T): T {
  try {
    return unpack()
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') throw tooMuch(what, most)
    throw broken(what, error)
  }
}

async function* inflatePieces({
  format,
  packed,
  most,
  what,
  work,
  leftOver = false,
}: Inflation): AsyncGenerator<Buffer> {
  const inflater = inflaters[format](options)
  let put = 0
  const feed = (async () => {
    for (const piece of packed) {
      put += piece.length
      if (!inflater.write(piece)) await drainedOrClosed(inflater)
      if (inflater.destroyed) return
    }
    inflater.end()
  })()
  // Its failure is told below, by the stream: `destroy` passes it on.
  feed.catch((error: Error) => inflater.destroy(error))
  let out = 0
  try {
    for await (const piece of inflater as AsyncIterable<Buffer>) {
      out += piece.length
      if (out > most) throw tooMuch(what, most)
      work.unpacked(piece.length)
      yield piece
    }
  } catch (error) {
    if (error instanceof Refused) throw error
    throw broken(what, error)
  } finally {
    inflater.destroy()
  }
  if (!leftOver && inflater.bytesWritten !== put) throw leftBytes(what)
}

/** NOTE: not `once` for both: one of the two would stay behind at each piece of a long stream. */
function drainedOrClosed(stream: Transform): Promise<void> {
  return new Promise((resolve) => {
    const over = () => {
      stream.off('drain', over).off('close', over)
      resolve()
    }
    stream.on('drain', over).on('close', over)
  })
}

const tooMuch = (what: string, most: number) => new Refused('bomb', `${what} expands to more than ${megabytes(most)}`)
const broken = (what: string, error: unknown) =>
  new Refused('corrupt', `${what} cannot be unpacked: ${(error as Error).message}`)
const leftBytes = (what: string) => new Refused('corrupt', `${what} has bytes after the end of what is packed`)

/** What `node:zlib` tells with `info: true`; its types know of the buffer alone. */
type AtOnce = (packed: Buffer, options: ZlibOptions) => { buffer: Buffer; engine: { bytesWritten: number } }
const atOnce = { raw: inflateRawSync, zlib: inflateSync, gzip: gunzipSync } as unknown as Record<
  Inflation['format'],
  AtOnce
>
const inflaters = { raw: createInflateRaw, zlib: createInflate, gzip: createGunzip }
const options = { chunkSize: 64 * 1024 }

/** How many bytes come out. */
export async function inflatedSize(inflation: Inflation): Promise<number> {
  let size = 0
  for await (const piece of inflate(inflation)) size += piece.length
  return size
}
