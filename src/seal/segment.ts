import { createDecipheriv } from 'node:crypto'
import { Damaged } from '../errors.ts'
import { nonceOf, tagBytes } from './format.ts'

/** What all segments of one sealed file have in common. */
export interface SegmentContext {
  dataKey: Uint8Array
  header: Buffer
  /** `associatedData(header, attachmentId)`. */
  data: Buffer
}

/** The plaintext of one sealed segment (its bytes, then its tag). Throws `Damaged` unless the tag proves it. */
export function openSegment(
  { dataKey, header, data }: SegmentContext,
  number: number,
  last: boolean,
  sealed: Buffer,
): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', dataKey, nonceOf(header, number, last), { authTagLength: tagBytes })
  decipher.setAAD(data)
  decipher.setAuthTag(sealed.subarray(sealed.length - tagBytes))
  const plaintext = decipher.update(sealed.subarray(0, sealed.length - tagBytes))
  try {
    decipher.final()
  } catch (cause) {
    throw new Damaged(`segment ${number}`, { cause })
  }
  return plaintext
}
