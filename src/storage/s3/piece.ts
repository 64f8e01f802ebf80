import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
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

/** What is no longer than a chunk stays in memory between its digest and its answer: a stream of it would hold as much. */
const chunkBytes = 256 * 1024

/** Reads `length` bytes from `start` once, for their digests. Throws when they are not there. */
export async function readPiece(path: string, start: number, length: number, withSha256: boolean): Promise<Piece> {
  const md5 = createHash('md5')
  const sha256 = withSha256 ? createHash('sha256') : null
  const see = (chunk: Buffer) => {
    md5.update(chunk)
    sha256?.update(chunk)
  }
  const digests = () => ({ length, md5: md5.digest('base64'), sha256: sha256?.digest('base64') ?? null })
  const handle = await open(path, 'r')
  if (length <= chunkBytes) {
    const whole = await readWhole(handle, start, length).finally(() => handle.close())
    see(whole)
    return { ...digests(), body: () => whole }
  }
  const range = { start, end: start + length - 1, highWaterMark: chunkBytes }
  let read = 0
  for await (const chunk of handle.createReadStream(range)) {
    read += chunk.length
    see(chunk)
  }
  if (read !== length) throw missing(length - read)
  return { ...digests(), body: (alive) => Readable.from(told(path, range, alive), { objectMode: false }) }
}

async function readWhole(handle: FileHandle, start: number, length: number): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(length)
  for (let read = 0; read < length; ) {
    const { bytesRead } = await handle.read(whole, read, length - read, start + read)
    if (bytesRead === 0) throw missing(length - read)
    read += bytesRead
  }
  return whole
}

const missing = (bytes: number) => new Error(`${bytes} bytes of a sealed file are missing`)

async function* told(path: string, range: { start: number; end: number; highWaterMark: number }, alive: () => void) {
  for await (const chunk of createReadStream(path, range)) {
    alive()
    yield chunk
  }
}
