import { createCipheriv } from 'node:crypto'
import { associatedData, newHeader, nonceOf, segmentBytes, tagBytes } from './format.ts'

/**
 * Seals one file, segment by segment, under a data key that seals nothing else.
 * The caller gives segments in order, each full but the last, and marks the last.
 */
export interface Sealer {
  readonly header: Buffer
  /** Writes the sealed segment (its bytes and 16 of tag) to the start of `out` and returns its length. */
  segment(plaintext: Uint8Array, last: boolean, out: Buffer): number
}

export function sealer(dataKey: Uint8Array, attachmentId: string): Sealer {
  const header = newHeader()
  const context = associatedData(header, attachmentId)
  let number = 0
  let ended = false
  return {
    header,
    segment(plaintext, last, out) {
      if (ended) throw new Error('a segment after the last')
      if (plaintext.length > segmentBytes || (!last && plaintext.length !== segmentBytes))
        throw new Error(`a segment of ${plaintext.length} bytes`)
      ended = last
      const cipher = createCipheriv('aes-256-gcm', dataKey, nonceOf(header, number++, last), {
        authTagLength: tagBytes,
      })
      cipher.setAAD(context)
      const sealed = cipher.update(plaintext)
      cipher.final()
      sealed.copy(out, 0)
      cipher.getAuthTag().copy(out, sealed.length)
      return sealed.length + tagBytes
    },
  }
}
