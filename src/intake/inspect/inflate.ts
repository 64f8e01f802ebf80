import { createGunzip, createInflate, createInflateRaw } from 'node:zlib'
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

/**
 * Unpacks piece by piece, in memory of a piece or two. Throws `Refused`: `bomb` as soon as more comes out than may, `corrupt`
 * when the data is not whole, or when packed bytes are left over.
 */
export async function* inflate({
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
      if (!inflater.write(piece)) await new Promise((resolve) => inflater.once('drain', resolve).once('close', resolve))
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
      if (out > most) throw new Refused('bomb', `${what} expands to more than ${megabytes(most)}`)
      work.unpacked(piece.length)
      yield piece
    }
  } catch (error) {
    if (error instanceof Refused) throw error
    throw new Refused('corrupt', `${what} cannot be unpacked: ${(error as Error).message}`)
  } finally {
    inflater.destroy()
  }
  if (!leftOver && inflater.bytesWritten !== put)
    throw new Refused('corrupt', `${what} has bytes after the end of what is packed`)
}

const inflaters = { raw: createInflateRaw, zlib: createInflate, gzip: createGunzip }
const options = { chunkSize: 64 * 1024 }

/** How many bytes come out. */
export async function inflatedSize(inflation: Inflation): Promise<number> {
  let size = 0
  for await (const piece of inflate(inflation)) size += piece.length
  return size
}
