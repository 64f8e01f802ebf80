import { createHash } from 'node:crypto'
import { closeSync, openSync, rmSync, writeSync } from 'node:fs'
import { headerBytes, sealedSegmentBytes, segmentBytes } from '../../seal/format.ts'
import { sealer } from '../../seal/seal.ts'
import { headBytes, sniff } from './sniff.ts'
import { textProbe } from './text.ts'

export interface PassStart {
  path: string
  attachmentId: string
  dataKey: Uint8Array
}

export interface PassResult {
  /** Bytes of plaintext. */
  size: number
  sealedSize: number
  /** Of the plaintext, in hex. */
  sha256: string
  /** The canonical type that the bytes say. */
  type: string | null
}

/**
 * The one pass over a file's bytes: digest, first bytes, text or not, seal, write. Runs in a thread, so it may block.
 * Any error means that nothing is left at `path`.
 */
export interface Pass {
  /** All but the last have `pieceBytes`. */
  piece(plaintext: Uint8Array, last: boolean): void
  end(): Promise<PassResult>
  abort(): void
}

export function beginPass({ path, attachmentId, dataKey }: PassStart, scratch: Buffer): Pass {
  const file = openSync(path, 'wx', 0o600)
  const seal = sealer(dataKey, attachmentId)
  const digest = createHash('sha256')
  const text = textProbe()
  let head = Buffer.alloc(0)
  let size = 0
  let written = 0
  const abort = () => {
    try {
      closeSync(file)
    } finally {
      rmSync(path, { force: true })
    }
  }
  const write = (bytes: Buffer) => {
    for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at, bytes.length - at)
    written += bytes.length
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
      } catch (error) {
        abort()
        throw error
      }
    },
    async end() {
      try {
        closeSync(file)
        return { size, sealedSize: written, sha256: digest.digest('hex'), type: await sniff(head, text.kind()) }
      } catch (error) {
        rmSync(path, { force: true })
        throw error
      }
    },
    abort,
  }
}

/** How many segments go to a thread at once: waking it costs more than hashing and sealing one. */
const segmentsAtOnce = 2
export const pieceBytes = segmentsAtOnce * segmentBytes

/** The largest that a pass writes at once. */
export const scratchBytes = headerBytes + segmentsAtOnce * sealedSegmentBytes
