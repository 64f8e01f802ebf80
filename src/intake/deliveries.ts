import { createHash } from 'node:crypto'
import type { Attachment } from '../attachment.ts'
import { Conflict, Gone } from '../errors.ts'
import { type Delivery, type EarlierDelivery, messageScope } from '../records/questions/settle.ts'
import type { Arrival } from './arrival.ts'
import type { Spooled } from './spool/spool.ts'

/** What tells one delivery from another, beside its content. */
export type Named = Pick<Arrival, 'conversationId' | 'messageId' | 'filename' | 'declaredType' | 'delivery'>

/**
 * How this arrival will be known again. The sender's own key, or else the message that it came with and what it holds;
 * with neither it is new. Of a file that was cut off at the limit we know no digest: name, type and code stand for it.
 */
export function deliveryOf(arrival: Named, file: Spooled): Delivery | null {
  const { conversationId, messageId, filename, declaredType } = arrival
  const content = file.tooLarge ? 'too_large' : file.sha256
  const fingerprint = digestOf([conversationId, messageId, filename, declaredType, content])
  if (arrival.delivery) return { ...arrival.delivery, fingerprint }
  if (conversationId === null || messageId === null) return null
  const told = file.tooLarge ? [filename, declaredType, content] : [content]
  return { scope: messageScope, key: digestOf([conversationId, messageId, ...told]), fingerprint }
}

/** How a file that is here already is known by the message that it turned out to have come with. */
export function deliveryByMessage(
  { filename, declaredType, sha256 }: Pick<Attachment, 'filename' | 'declaredType' | 'sha256'>,
  { conversationId, messageId }: { conversationId: string; messageId: string },
): Delivery {
  const fingerprint = digestOf([conversationId, messageId, filename, declaredType, sha256])
  return { scope: messageScope, key: digestOf([conversationId, messageId, sha256]), fingerprint }
}

/**
 * What the first arrival was answered. Throws when this one is another file, or its attachment was erased. What we fetched
 * ourselves is the same file under whatever name a sender has pushed it: message and content are the same.
 */
export function sameAnswer(
  delivery: Delivery,
  earlier: EarlierDelivery,
  { fetch }: Pick<Arrival, 'fetch'>,
): Attachment {
  if (!earlier.answer) throw new Gone('The file of this delivery was erased.')
  if (earlier.fingerprint !== delivery.fingerprint && fetch === null)
    throw new Conflict('conflict', 'This delivery was made before with another file, name, type or message.')
  return earlier.answer
}

function digestOf(parts: (string | null)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('hex')
}
