import { createHash, randomBytes } from 'node:crypto'
import { NotFound, type RefusalCode } from './errors.ts'

/** `att_` and 26 characters of Crockford's base32: 130 random bits. */
export type AttachmentId = string & { readonly __brand: 'AttachmentId' }

/** `fetching`: known, and its bytes are on the way. `unfetched`: they are not to be had; `detail` says why. */
export const attachmentStates = [
  'accepted',
  'refused',
  'quarantined',
  'recalled',
  'erased',
  'fetching',
  'unfetched',
] as const
export type AttachmentState = (typeof attachmentStates)[number]

export const doors = ['push', 'gateway', 'pull'] as const
export type Door = (typeof doors)[number]

/** Who sent a file, when it was not the customer. */
export const senders = ['agent', 'bot'] as const
export type Sender = (typeof senders)[number]

/** What an engine says of a file. Only `clean` is clean. */
export interface Verdict {
  engine: string
  verdict: 'clean' | 'infected' | 'unscannable' | 'failed'
  /** The threat's name, or why there is no verdict. */
  detail?: string
  /** Version of the signatures that the engine judged by. */
  signatures?: string
  /** ISO 8601, UTC. */
  at: string
}

export const ways = ['message', 'agentless', 'attributes'] as const
export type Way = (typeof ways)[number]

/** What we owe, or owed, the conversation about an attachment. `off`: this installation confirms nothing. */
export interface Confirmation {
  state: 'pending' | 'delivered' | 'parked' | 'dropped' | 'off'
  way: Way | null
  /** When it reached its state; null while it is pending or off. */
  at: string | null
  /** The platform's answer was lost and it could not be asked, so the customer may have read it twice. */
  possiblyRepeated?: boolean
}

/** The record of a file that went through intake, in the shape that people and scripts read. Times are ISO 8601, UTC. */
export interface Attachment {
  id: AttachmentId
  state: AttachmentState
  code: RefusalCode | null
  detail: string | null
  door: Door
  conversationId: string | null
  messageId: string | null
  /** Exactly as the customer's side gave it: data, never part of a path. Null once erased. */
  filename: string | null
  /** What the bytes are; null when nothing we know. */
  type: string | null
  declaredType: string | null
  /** Bytes. Null for a file that was cut off at the limit. */
  size: number | null
  sha256: string | null
  /** Whether engines had to agree when this file was judged. */
  scan: 'required' | 'off'
  verdicts: Verdict[]
  confirmation: Confirmation | null
  /** When it came in; through the pull door, when it was learned of. */
  receivedAt: string
  /** It was pulled from the platform, so the agent may have opened it before it was judged. */
  agentMayHaveSeen?: true
  /** It came from our side of the conversation, and the customer may have opened it before it was judged. Else the customer sent it. */
  sentBy?: Sender
}

/** Who sent it, and whether an agent may have seen it: through the other doors a customer's file is held until it is judged. */
export function sentAndSeen(door: Door, sentBy: Sender | null): Pick<Attachment, 'agentMayHaveSeen' | 'sentBy'> {
  if (sentBy !== null) return { sentBy }
  return door === 'pull' ? { agentMayHaveSeen: true } : {}
}

const alphabet = '0123456789abcdefghjkmnpqrstvwxyz'

function base32(bytes: Uint8Array, length: number): string {
  let text = ''
  for (let i = 0; i < length; i++) text += alphabet[bytes[i]! & 31]
  return text
}

export function newAttachmentId(): AttachmentId {
  return `att_${base32(randomBytes(26), 26)}` as AttachmentId
}

/** Reads an attachment id from outside. Throws `NotFound`: a malformed id names nothing. */
export function parseAttachmentId(text: string): AttachmentId {
  if (!/^att_[0-9a-hjkmnp-tv-z]{26}$/.test(text)) throw new NotFound('attachment')
  return text as AttachmentId
}

/**
 * The short reference in a confirmation: `#` and 8 characters. Made from the id by a digest, so that it tells a
 * customer nothing of the id, and the courier can look for it without keeping it. `round`: how often the conversation was told of
 * it before; what is told later has a number behind, so that one is not taken for the other.
 */
export function reference(id: AttachmentId, round = 0): string {
  const first = `#${base32(createHash('sha256').update(id).digest(), 8).toUpperCase()}`
  return round === 0 ? first : `${first}-${round + 1}`
}
