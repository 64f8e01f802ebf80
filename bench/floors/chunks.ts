import { createCipheriv, createDecipheriv } from 'node:crypto'
import { tagBytes } from '../../src/seal/format.ts'

/** A body's chunks, each sealed as it came under the body's own key. Clipgate's segments are as many bytes each; this costs the same. */

const algorithm = 'aes-256-gcm'

/** Writes the sealed chunk to the start of `out` and returns its length. */
export function sealChunk(chunk: Uint8Array, dataKey: Uint8Array, number: number, out: Buffer): number {
  const cipher = createCipheriv(algorithm, dataKey, nonceOf(number), { authTagLength: tagBytes })
  const sealed = cipher.update(chunk).copy(out)
  cipher.final()
  return sealed + cipher.getAuthTag().copy(out, sealed)
}

/** `lengths`: of the plaintext of each. */
export function unsealChunks(sealed: Buffer, dataKey: Uint8Array, lengths: number[]): Buffer {
  let at = 0
  const chunks = lengths.map((length, number) => {
    const decipher = createDecipheriv(algorithm, dataKey, nonceOf(number), { authTagLength: tagBytes })
    const end = at + length
    decipher.setAuthTag(sealed.subarray(end, end + tagBytes))
    const chunk = decipher.update(sealed.subarray(at, end))
    decipher.final()
    at = end + tagBytes
    return chunk
  })
  return Buffer.concat(chunks)
}

function nonceOf(number: number): Buffer {
  const nonce = Buffer.alloc(12)
  nonce.writeUInt32BE(number, 8)
  return nonce
}
