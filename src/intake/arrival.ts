import type { Door, Sender } from '../attachment.ts'
import type { HeldFetch } from '../records/questions/fetches.ts'
import type { Spend } from '../records/questions/tickets.ts'

/** A file as it came through a door, not yet believed. */
export interface Arrival {
  door: Door
  /** Of Web Messaging, where the door knows it. */
  deploymentId: string | null
  conversationId: string | null
  /** Whose quota it uses up: its conversation's, or its session's where that is not known yet. Null: nobody's. */
  countsFor: string | null
  messageId: string | null
  /** Of the customer, as the sender says it; null: the installation's own. */
  language: string | null
  /** Exactly as given. */
  filename: string
  /** What the sender says it is, without parameters, in lower case. */
  declaredType: string
  /** Null: the customer. */
  sentBy: Sender | null
  /** What the sender calls this delivery, so that the same one twice is one. Null: it did not say. */
  delivery: { scope: string; key: string } | null
  /** What we knew of it before its bytes were here, which ends when the record commits. Null: it came by itself. */
  fetch: (HeldFetch & { learnedAt: Date }) | null
  /** What the sender's credentials lose when the record commits. */
  spend: Spend | null
  /** Whether what the sender is becomes known only at the end of its bytes: until then it has a small pool of its own. */
  unproven: boolean
  /**
   * Resolves when nothing of the sender is left to be proved. Called before anything is recorded of a file whose bytes
   * were not read to their end; throws as reading them would.
   */
  proved(): Promise<void>
  /** Aborts when the sender is gone: then nobody waits for an answer. */
  gone: AbortSignal
  /** As many bytes as are said to come at the most; null: nobody says. It decides nothing but how they are worked on. */
  atMost: number | null
  /** The file's bytes. Reading them fails when the sender's request does, and when what it claims does not hold. */
  bytes: AsyncIterable<Uint8Array>
}
