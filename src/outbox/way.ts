import type { AttachmentId, Way } from '../attachment.ts'
import type { Views } from './views.ts'

/** What is owed to a conversation about one attachment. */
export interface Owed {
  attachmentId: AttachmentId
  conversationId: string
  /** The sentence for the customer. */
  text: string
  /** The short reference that stands in the text. */
  reference: string
  /** An earlier attempt may have arrived. */
  uncertain: boolean
  views: Views
}

/**
 * `not_this_way`: the next way is asked. When none is left, a reason that is `final` parks the confirmation, since the
 * same would be said again; any other is tried again later.
 */
export type WayAnswer =
  | { kind: 'delivered'; possiblyRepeated: boolean }
  | { kind: 'not_this_way'; reason: string; final: boolean }

export interface ConfirmationWay {
  name: Way
  /** Throws the errors of the Genesys client, but for its definite no, and `Unavailable` of the records. */
  confirm(owed: Owed): Promise<WayAnswer>
}

/** A definite no: the same would be said again. */
export function notThisWay(reason: string): WayAnswer {
  return { kind: 'not_this_way', reason, final: true }
}
