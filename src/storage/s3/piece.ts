import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open } from 'node:fs/promises'
import { Readable } from 'node:stream'

/** A part of a file on its way up, read anew for each attempt. */
export interface Piece {
  length: number
  /** Base64. */
  md5: string
  /** Base64. Null: nobody asked for it. */
  sha256: string | null
  /** `alive` is called with each chunk that leaves. */
  body(alive: () => void): Readable | Buffer
}

/** What is this small stays in memory between its digest and its answer. */
const heldBytes = 64 * 1024
const chunkBytes = 256 * 1024

/** Reads `length` bytes from `start` once, for their digests. Throws when they are not there. */
export async function readPiece(path: string, start: number, length: number, withSha256: boolean): Promise<Piece> {
  const md5 = createHash('md5')
  const sha256 = withSha256 ? createHash('sha256') : null
  const held: Buffer[] = []
  let read = 0
  const handle = await open(path, 'r')
  const range = { start, end: start + length - 1, highWaterMark: chunkBytes }
  for await (const chunk of handle.createReadStream(range)) {
    read += chunk.length
    md5.update(chunk)
    sha256?.update(chunk)
    if (length <= heldBytes) held.push(chunk)
  }
  if (read !== length) throw new Error(`${length - read} bytes of a sealed file are missing`)
  return {
    length,
    md5: md5.digest('base64'),
    sha256: sha256?.digest('base64') ?? null,
    body: (alive) =>
      length <= heldBytes ? Buffer.concat(held) : Readable.from(told(path, range, alive), { objectMode: false }),
  }
}

async function* told(path: string, range: { start: number; end: number; highWaterMark: number }, alive: () => void) {
  for await (const chunk of createReadStream(path, range)) {
    alive()
    yield chunk
  }
}
