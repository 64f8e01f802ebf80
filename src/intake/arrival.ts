import type { Door } from '../attachment.ts'

/** A file as it came through a door, not yet believed. */
export interface Arrival {
  door: Door
  conversationId: string | null
  messageId: string | null
  /** Of the customer, as the sender says it; null: the installation's own. */
  language: string | null
  /** Exactly as given. */
  filename: string
  /** What the sender says it is, without parameters, in lower case. */
  declaredType: string
  /** What the sender calls this delivery, so that the same one twice is one. Null: it did not say. */
  delivery: { scope: string; key: string } | null
  /** The file's bytes. Reading them fails when the sender's request does. */
  bytes: AsyncIterable<Uint8Array>
}
