import { randomUUID } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { AttachmentId } from '../../attachment.ts'
import { Unavailable } from '../../errors.ts'
import { type ByteRange, unseal } from '../../seal/unseal.ts'
import type { SealedFile } from '../../storage/storage.ts'
import type { Examined } from '../inspect/examine.ts'
import type { Inspection } from '../inspect/quick.ts'
import { collectEvery } from './garbage.ts'
import { pieceBytes } from './pass.ts'
import { createThreads, type Threads } from './threads.ts'

/** The private copy that the checks read, sealed while it arrived. It becomes the stored object, or is discarded. */
export interface WholeFile extends SealedFile {
  tooLarge: false
  id: AttachmentId
  dataKey: Buffer
  /** Bytes of plaintext. */
  size: number
  sha256: string
  /** The canonical MIME type that the bytes say, or null. */
  type: string | null
  /** It was small, and read well as it came. Null: it is to be inspected. */
  examined: Examined | null
  /** Plaintext, in memory only, each piece proved before it comes. */
  open(range?: ByteRange): AsyncIterable<Buffer>
  /** Nobody reads it again soon: a small one is in memory until then. */
  letGo(): void
  /** Removes the copy unless the storage has taken it. */
  discard(): Promise<void>
}

/** A file that was cut off one byte past the limit. Nothing is kept of it. */
export interface CutFile {
  tooLarge: true
  id: AttachmentId
  size: null
  sha256: null
  type: null
  discard(): Promise<void>
}

export type Spooled = WholeFile | CutFile

export interface SpoolOptions {
  id: AttachmentId
  dataKey: Buffer
  maxBytes: number
  /** How it is to be read while it comes, if it is small. Null: it is not. */
  inspection: Inspection | null
}

export interface Spool {
  /**
   * Reads `bytes` to their end or to the limit, in memory of one piece of 128 KiB a file when many arrive, of up to eight when
   * few do. On any failure nothing is left.
   * Throws what the reading throws, and `Unavailable` when the disk does not take the file.
   */
  spool(bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>, options: SpoolOptions): Promise<Spooled>
  /** Files that are under way fail as `Unavailable`. */
  close(): Promise<void>
}

/** Empties `dir` first: what lies there was given up by a process that died. */
export async function openSpool(dir: string, threads: number): Promise<Spool> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  for (const name of await readdir(dir)) await rm(join(dir, name), { force: true })
  const pool = createThreads(threads)
  const collected = collectEvery(8 * 1024 * 1024)
  return {
    spool: (bytes, options) => spoolOne(pool, join(dir, randomUUID()), bytes, options, collected),
    close: () => pool.close(),
  }
}

async function spoolOne(
  threads: Threads,
  path: string,
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  { id, dataKey, maxBytes, inspection }: SpoolOptions,
  collected: (bytes: number) => void,
): Promise<Spooled> {
  const pass = threads.begin({ path, attachmentId: id, dataKey, inspection })
  let buffer = await pass.nextBuffer()
  let filled = 0
  let size = 0
  try {
    for await (const chunk of bytes) {
      size += chunk.length
      collected(chunk.length)
      if (size > maxBytes) {
        await pass.abort()
        return { tooLarge: true, id, size: null, sha256: null, type: null, discard: async () => {} }
      }
      for (let at = 0; at < chunk.length; ) {
        // A full piece goes only when more has come: the last one must be marked as the last.
        if (filled === pieceBytes) {
          pass.send(buffer, filled, false)
          buffer = await pass.nextBuffer()
          filled = 0
        }
        const piece = chunk.subarray(at, at + pieceBytes - filled)
        buffer.set(piece, filled)
        filled += piece.length
        at += piece.length
      }
    }
    pass.send(buffer, filled, true)
    const result = await pass.result()
    const sealed = {
      dataKey,
      attachmentId: id,
      size: result.size,
      open: async (range?: ByteRange) => createReadStream(path, { ...range }),
    }
    return {
      ...result,
      tooLarge: false,
      id,
      path,
      dataKey,
      async *open(range) {
        const plaintext = range ? null : pass.plaintext()
        // A copy: its memory is used again before whoever has it may be done with it.
        if (plaintext) yield Buffer.from(plaintext)
        else yield* unseal(sealed, range)
      },
      letGo: pass.letGo,
      discard() {
        pass.letGo()
        return rm(path, { force: true }).catch((cause) => {
          throw new Unavailable('the spool cannot be cleared', { cause })
        })
      },
    }
  } catch (error) {
    await pass.abort()
    throw error
  }
}
