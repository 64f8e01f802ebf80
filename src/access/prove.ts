import type { Attachment } from '../attachment.ts'
import { Damaged, Gone, NotFound } from '../errors.ts'
import { type OpenParts, openStored } from './download.ts'

/** `gone`: it was erased or destroyed meanwhile, and nothing need be there. */
export type Proof = 'whole' | 'damaged' | 'missing' | 'gone'

/**
 * Reads what is stored of a file to its end: each segment by its tag, the whole by its digest. Nothing of it is kept. Throws
 * `Unavailable` when it cannot be read now.
 */
export async function prove(attachment: Attachment, parts: OpenParts): Promise<Proof> {
  if (attachment.state === 'erased' || attachment.state === 'refused') return 'gone'
  try {
    const { bytes } = await openStored(attachment, parts)
    for await (const _ of bytes());
    return 'whole'
  } catch (error) {
    if (error instanceof Gone) return 'gone'
    if (error instanceof Damaged) return error.cause instanceof NotFound ? 'missing' : 'damaged'
    throw error
  }
}
