import { createHash } from 'node:crypto'
import { openSync, rmSync, writeSync } from 'node:fs'
import { headerBytes, sealedSegmentBytes, segmentBytes } from '../../seal/format.ts'
import { sealer } from '../../seal/seal.ts'
import type { Examined } from '../inspect/examine.ts'
import { quickBytes } from '../inspect/limits.ts'
import { examineQuickly, type Inspection } from '../inspect/quick.ts'
import { piecesSource } from '../inspect/source.ts'
import { givenAhead, type Turns } from './ahead.ts'
import { createKept } from './kept.ts'
import { headBytes, sniff } from './sniff.ts'
import { textProbe } from './text.ts'

/** How many segments go to a thread at once: waking it costs more than hashing and sealing one. */
const segmentsAtOnce = 2
export const pieceBytes = segmentsAtOnce * segmentBytes

export interface PassStart {
  path: string
  attachmentId: string
  dataKey: Uint8Array
  /** Null: nothing is to be read. */
  inspection: Inspection | null
}

export interface PassResult {
  /** Bytes of plaintext. */
  size: number
  sealedSize: number
  /** Of the plaintext, in hex. */
  sha256: string
  /** The canonical type that the bytes say. */
  type: string | null
  /** Null: it was not inspected, or not to a good end. */
  examined: Examined | null
}

/**
 * The one pass over a file's bytes: digest, first bytes, text or not, seal, write. Runs in a thread, so it may block.
 * Any error means that nothing is left at `path`.
 */
export interface Pass {
  /** All but the last have `pieceBytes`. The buffer that comes back may be used again; another one, when this one is kept. */
  piece(plaintext: Uint8Array<ArrayBuffer>, last: boolean): ArrayBuffer
  /** When it is read. `disk`: when the disk has it, if that is to be waited for: it may take longer than any reading. */
  end(): Promise<{ result: PassResult; disk: Promise<void> | null }>
  abort(): void
}

const memory = createKept()

export function beginPass({ path, attachmentId, dataKey, inspection }: PassStart, scratch: Buffer, turns: Turns): Pass {
  const file = openSync(path, 'wx', 0o600)
  const ahead = givenAhead(file, turns)
  const seal = sealer(dataKey, attachmentId)
  const digest = createHash('sha256')
  const text = textProbe()
  let head = Buffer.alloc(0)
  let size = 0
  /** The plaintext of a file that is to be read. Null: it is not. */
  let kept: Uint8Array<ArrayBuffer>[] | null = inspection && []
  let written = 0
  const abort = () => {
    letGo()
    ahead.close().catch(() => {})
    rmSync(path, { force: true })
  }
  const write = (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at)
    written += bytes.length
  }
  const keep = (plaintext: Uint8Array<ArrayBuffer>, last: boolean): ArrayBuffer => {
    if (kept && (size > quickBytes || !memory.take(plaintext.length))) letGo()
    kept?.push(plaintext)
    // The last one stays ours until the end.
    return kept && !last ? memory.swap(plaintext) : plaintext.buffer
  }
  const letGo = () => {
    for (const piece of kept ?? []) memory.giveBack(piece)
    kept = null
  }
  return {
    piece(plaintext, last) {
      try {
        if (size === 0) head = Buffer.from(plaintext.subarray(0, headBytes))
        size += plaintext.length
        digest.update(plaintext)
        text.see(plaintext)
        let sealed = written === 0 ? seal.header.copy(scratch, 0) : 0
        let at = 0
        do {
          const segment = plaintext.subarray(at, at + segmentBytes)
          at += segmentBytes
          sealed += seal.segment(segment, last && at >= plaintext.length, scratch.subarray(sealed))
        } while (at < plaintext.length)
        write(scratch.subarray(0, sealed))
        if (!last) ahead.wrote(written)
        return keep(plaintext, last)
      } catch (error) {
        abort()
        throw error
      }
    },
    async end() {
      const disk = ahead.close().catch((error) => {
        rmSync(path, { force: true })
        throw error
      })
      disk.catch(() => {})
      try {
        const type = await sniff(head, text.kind())
        const examined = kept && (await examineQuickly(piecesSource(kept, pieceBytes), inspection!))
        const result = { size, sealedSize: written, sha256: digest.digest('hex'), type, examined }
        if (ahead.isWaiting()) return { result, disk }
        await disk
        return { result, disk: null }
      } catch (error) {
        rmSync(path, { force: true })
        throw error
      } finally {
        letGo()
      }
    },
    abort,
  }
}

/** The largest that a pass writes at once. */
export const scratchBytes = headerBytes + segmentsAtOnce * sealedSegmentBytes
