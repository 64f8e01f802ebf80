import { createHash, randomUUID } from 'node:crypto'
import { newMessageId, newOpaqueId } from '../ids.ts'

export interface Message {
  id: string
  conversationId: string
  /** On whose leg it was sent; it is listed there. */
  communicationId: string
  /** Seen from Genesys: inbound comes from the customer. */
  direction: 'inbound' | 'outbound'
  time: Date
  text?: string
  attachment?: Attachment
  /** What a receipt said of an outbound one. */
  delivery?: 'delivery-success' | 'delivery-failed'
  /** With which the customer's client marked it, to know its echo. */
  tracingId?: string
  /** The channel's own id of an inbound message: a UUID, unlike `id`. */
  channelMessageId: string
}

/** A message to the customer holds one of them. */
export type OutboundContent = { text: string } | { attachment: Attachment }

/** A file that somebody uploaded, with its bytes. */
export interface Attachment {
  id: string
  downloadId: string
  filename: string
  /** As it was declared. */
  mime: string
  mediaType: 'Image' | 'Video' | 'Audio' | 'File'
  sha256: string
  /** At most 10 MiB. */
  bytes: Buffer
  sentAt: Date
}

/** A file as a customer picks it; not yet checked. */
export interface CustomerFile {
  name: string
  mime: string
  bytes: Buffer
}

export function newMessage(about: Omit<Message, 'id' | 'channelMessageId'> & { channelMessageId?: string }): Message {
  return { id: newMessageId(), channelMessageId: randomUUID(), ...about }
}

export function attach({ name, mime, bytes }: CustomerFile, at: Date, id: string = randomUUID()): Attachment {
  return {
    id,
    downloadId: newOpaqueId(),
    filename: name,
    mime,
    mediaType: mediaTypeOf(mime),
    sha256: createHash('sha256').update(bytes).digest('hex'),
    bytes,
    sentAt: at,
  }
}

function mediaTypeOf(mime: string): Attachment['mediaType'] {
  const byFamily = { image: 'Image', video: 'Video', audio: 'Audio' } as const
  const family = mime.split('/')[0]?.toLowerCase()
  return byFamily[family as keyof typeof byFamily] ?? 'File'
}
