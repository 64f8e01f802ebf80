import { randomUUID } from 'node:crypto'
import { newMessageId } from '../ids.ts'
import { org, userOf } from '../org.ts'
import type { UrlOf } from '../platform/views.ts'
import type { components } from '../platform.d.ts'
import type { Conversation } from '../world/conversation.ts'
import type { Message } from '../world/message.ts'
import { GuestPace, type GuestRefusal } from './refusal.ts'

type Schemas = components['schemas']
type MessageClass = Schemas['Guest.MessageDataType']

/** One frame from the server. */
export interface Frame {
  type: 'response' | 'message'
  class: MessageClass
  code: number
  body: object | string
  tracingId?: string
}

const traced = (tracingId: string | undefined) => (tracingId === undefined ? {} : { tracingId })

/** Answers a request. */
export function response(name: MessageClass, body: object, tracingId?: string): Frame {
  return { type: 'response', class: name, code: 200, body, ...traced(tracingId) }
}

/** Pushed. */
export function pushed(name: MessageClass, body: object, tracingId?: string): Frame {
  return { type: 'message', class: name, code: 200, body, ...traced(tracingId) }
}

/** A refusal as most requests get it. */
export function refusalFrame(refusal: GuestRefusal, tracingId?: string): Frame {
  const { errorCode, message: errorMessage } = refusal
  if (refusal instanceof GuestPace) {
    const body = { retryAfter: refusal.retryAfter, errorCode, errorMessage }
    return { type: 'response', class: 'TooManyRequestsErrorMessage', code: 429, body, ...traced(tracingId) }
  }
  return { type: 'response', class: 'string', code: errorCode, body: errorMessage, ...traced(tracingId) }
}

/** A refused upload, for a client that asked for objects. */
export function generateUrlError(
  refusal: GuestRefusal,
  attachmentId: string,
  form: 'response400' | 'message200',
  tracingId?: string,
): Frame {
  const { errorCode, message: errorMessage } = refusal
  const body = { attachmentId, errorCode, errorMessage }
  const [type, code] = form === 'response400' ? (['response', 400] as const) : (['message', 200] as const)
  return { type, class: 'GenerateUrlError', code, body, ...traced(tracingId) }
}

/** A message as the guest's side shows it. */
export function structuredMessage(
  message: Message,
  conversation: Conversation,
  urlOf: UrlOf,
): Schemas['Guest.StructuredMessage'] {
  const { text, attachment, direction } = message
  const sender = conversation.participants.find(({ communicationId }) => communicationId === message.communicationId)
  const time = message.time.toISOString()
  const nickname = userOf(sender?.userId ?? '')?.name.split(' ')[0] ?? org.queue.name
  return {
    id: message.id,
    type: 'Text',
    ...(text !== undefined && { text }),
    ...(direction === 'inbound'
      ? { direction: 'Inbound', channel: { time, messageId: message.channelMessageId, from: {} } }
      : { direction: 'Outbound', originatingEntity: 'Human', channel: { time, type: 'Private', from: { nickname } } }),
    ...(attachment && {
      content: [
        {
          contentType: 'Attachment',
          attachment: {
            id: attachment.id,
            filename: attachment.filename,
            fileSize: attachment.bytes.length,
            mediaType: attachment.mediaType,
            mime: attachment.mime,
            url: urlOf(attachment),
          },
        },
      ],
    }),
    metadata: { correlationId: randomUUID() },
  }
}

/** The conversation was ended by the other side. */
export function disconnectEvent(time: Date, readOnly: boolean): Schemas['Guest.StructuredMessage'] {
  return {
    id: newMessageId(),
    type: 'Event',
    direction: 'Outbound',
    channel: { time: time.toISOString(), messageId: randomUUID() },
    metadata: { readOnly: String(readOnly) },
    events: [{ eventType: 'Presence', presence: { type: 'Disconnect' } }],
  }
}

/** The agent types. */
export function typingEvent(time: Date, duration: number): Schemas['Guest.StructuredMessage'] {
  return {
    id: newMessageId(),
    type: 'Event',
    direction: 'Outbound',
    originatingEntity: 'Human',
    channel: { time: time.toISOString(), messageId: randomUUID() },
    events: [{ eventType: 'Typing', typing: { type: 'On', duration } }],
  }
}
