import { mayHaveFile, type Sides } from '../../genesys/conversation.ts'
import type { Ask } from '../../records/questions/lookups.ts'

/** An event of the platform, as EventBridge or the notification service delivers it. All of it may be missing. */
export interface PlatformEvent {
  topicName?: unknown
  eventBody?: unknown
}

type Loose = Record<string, unknown>

const isId = (value: unknown): value is string => typeof value === 'string' && /^[\w-]{1,100}$/.test(value)
const objects = (value: unknown): Loose[] =>
  Array.isArray(value) ? value.filter((one): one is Loose => typeof one === 'object' && one !== null) : []

/** Who writes to the customer. */
const ourSide = ['agent', 'user']

/**
 * What an event asks us to look at. An event about messages names those that may have brought files; a detail event, such
 * as that a customer or an agent has joined or left, only the conversation. Calls and mails are none of ours.
 */
export function asksOf({ eventBody }: PlatformEvent, sides: Sides): Ask[] {
  if (typeof eventBody !== 'object' || eventBody === null) return []
  const { id, conversationId, participants, mediaType } = eventBody as Loose
  if (Array.isArray(participants) && isId(id))
    return messagesOf(participants, sides).map((messageId) => ({ conversationId: id, messageId, language: null }))
  const isOurs = mediaType === undefined || mediaType === 'MESSAGE'
  if (isOurs && isId(conversationId)) return [{ conversationId, messageId: null, language: null }]
  return []
}

/** In either view: a participant's messages, or those of its communications. */
function messagesOf(participants: unknown[], sides: Sides): string[] {
  const all = objects(participants)
    .filter(({ purpose }) => sides === 'both' || !ourSide.includes(String(purpose)))
    .flatMap(({ messages }) => objects(messages))
  const found = all
    .flatMap((one) => [one, ...objects(one.messages)])
    .flatMap((message) => {
      const { messageId, message: named, messageMetadata } = message
      const id = messageId ?? (named as Loose | undefined)?.id
      return isId(id) && mayHaveFile(messageMetadata as Parameters<typeof mayHaveFile>[0]) ? [id] : []
    })
  return [...new Set(found)]
}
