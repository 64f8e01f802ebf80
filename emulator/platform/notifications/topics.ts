import type { components } from '../../platform.d.ts'
import type { Conversation } from '../../world/conversation.ts'
import type { Message } from '../../world/message.ts'
import { fullView, messageView, type UrlOf } from '../views.ts'

type Schemas = components['schemas']
type EventBody = Schemas['ConversationMessageEventTopicMessageConversation']
type EventParticipant = Schemas['ConversationMessageEventTopicMessageMediaParticipant']
type EventMessage = Schemas['ConversationMessageEventTopicMessageDetails']

/** The topics about conversations that the emulator plays, of the platform's 242. */
export const topicTemplates = [
  'v2.routing.queues.{id}.conversations.messages',
  'v2.routing.queues.{id}.conversations',
  'v2.users.{id}.conversations.messages',
  'v2.users.{id}.conversations',
]

const patterns = topicTemplates.map(
  (template) => new RegExp(`^${template.replaceAll('.', '\\.').replace('{id}', '[^.]+')}$`),
)

export function isTopic(id: string): boolean {
  return patterns.some((pattern) => pattern.test(id))
}

/**
 * Every topic that tells of a conversation, with its body: always the whole state. `mediaUrlOf` is given when messages list
 * their files in `media` too.
 */
export function eventsOf(conversation: Conversation, mediaUrlOf?: UrlOf): { topic: string; body: object }[] {
  const users = conversation.participants.flatMap(({ userId }) => (userId === undefined ? [] : [`users.${userId}`]))
  return [`routing.queues.${conversation.queue.id}`, ...new Set(users)].flatMap((one) => [
    { topic: `v2.${one}.conversations.messages`, body: perMediaBody(conversation, mediaUrlOf) },
    { topic: `v2.${one}.conversations`, body: fullView(conversation) },
  ])
}

function perMediaBody(conversation: Conversation, mediaUrlOf?: UrlOf): EventBody {
  const { id, participants = [] } = messageView(conversation)
  const messages = new Map(conversation.messages.map((message) => [message.id, message]))
  return {
    ...(id !== undefined && { id }),
    participants: participants.map((view): EventParticipant => {
      // These are not in the events; a participant's addresses are objects in the view and a text here.
      const { user, queue, toAddress: _, fromAddress: __, authenticated: ___, messages: details = [], ...rest } = view
      return {
        ...(rest as Pick<EventParticipant, keyof typeof rest & keyof EventParticipant>),
        ...(user?.id !== undefined && { user: { id: user.id } }),
        ...(queue?.id !== undefined && { queue: { id: queue.id } }),
        messages: details.map((detail) => eventMessage(detail, messages.get(String(detail.messageId)), mediaUrlOf)),
      }
    }),
    otherMediaUris: [],
  }
}

function eventMessage(details: Schemas['MessageDetails'], message?: Message, mediaUrlOf?: UrlOf): EventMessage {
  const { messageId, messageURI: _, ...rest } = details
  return {
    ...(rest as Pick<EventMessage, keyof typeof rest & keyof EventMessage>),
    message: { id: String(messageId) },
    ...(message?.attachment && mediaUrlOf && { media: [mediaOf(message.attachment, mediaUrlOf)] }),
  }
}

function mediaOf(attachment: NonNullable<Message['attachment']>, urlOf: UrlOf) {
  const { id, mime, filename, bytes } = attachment
  return { id, url: urlOf(attachment), mediaType: mime, contentLengthBytes: bytes.length, name: filename }
}
