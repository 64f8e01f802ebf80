import { type Allowed, checkFile, checkText } from '../guest/limits.ts'
import { GuestRefusal } from '../guest/refusal.ts'
import { org } from '../org.ts'
import {
  beginConversation,
  type Conversation,
  connectAgent,
  connected,
  customerOf,
  disconnectAgent,
  type Participant,
} from './conversation.ts'
import { type Attachment, attach, type CustomerFile, type Message, newMessage } from './message.ts'

/** What a customer sends in one message: a text, a file, or both. */
export interface CustomerMessage {
  text?: string
  file?: CustomerFile
}

export type Listener = (conversation: Conversation, message?: Message) => void

/** Everything that happened in the emulated organization, in memory. A lookup of what is not there gives undefined. */
export interface World {
  /** In the organization's one named queue, or in another by its id. */
  begin(queueId?: string): Conversation
  conversation(id: string): Conversation | undefined
  /** In which a user is connected as an agent now. */
  conversationsOf(userId: string): Conversation[]
  message(id: string): Message | undefined
  /** By the id in its download url. */
  attachment(downloadId: string): Attachment | undefined
  /** As the stock Messenger sends. Throws `GuestRefusal`; then nothing was sent. */
  customerSends(conversation: Conversation, sent: CustomerMessage): Message
  /** On the given communication, which the caller has found to be a connected agent's. */
  agentSends(conversation: Conversation, communicationId: string, text: string): Message
  /** The organization's first agent, or another user. */
  connectAgent(conversation: Conversation, userId?: string): void
  disconnectAgent(conversation: Conversation): void
  /** Adds to a participant's attributes and overwrites those named. */
  setAttributes(conversation: Conversation, participant: Participant, attributes: Record<string, string>): void
  /** From now on `listener` hears of every change, after it was made; of a message with the message. */
  onChange(listener: Listener): void
}

/** `allowed` is asked each time, as it changes with the deployment's settings. */
export function createWorld(now: () => Date, allowed: () => Allowed): World {
  const conversations = new Map<string, Conversation>()
  const messages = new Map<string, Message>()
  const attachments = new Map<string, Attachment>()
  const listeners: Listener[] = []

  function changed(conversation: Conversation, message?: Message): void {
    for (const listener of listeners) listener(conversation, message)
  }

  function keep(conversation: Conversation, message: Message): Message {
    conversation.messages.push(message)
    messages.set(message.id, message)
    if (message.attachment) attachments.set(message.attachment.downloadId, message.attachment)
    changed(conversation, message)
    return message
  }

  return {
    begin(queueId = org.queue.id) {
      const queue = queueId === org.queue.id ? org.queue : { id: queueId, name: 'Another queue' }
      const conversation = beginConversation(queue, now())
      conversations.set(conversation.id, conversation)
      changed(conversation)
      return conversation
    },
    conversation: (id) => conversations.get(id),
    conversationsOf(userId) {
      return [...conversations.values()].filter((one) => connected(one, 'agent')?.userId === userId)
    },
    message: (id) => messages.get(id),
    attachment: (downloadId) => attachments.get(downloadId),
    customerSends(conversation, { text = '', file }) {
      if (text === '' && !file) throw new GuestRefusal(4020, 'A text or a file is needed')
      checkText(text)
      if (file) checkFile({ name: file.name, mime: file.mime, sizeBytes: file.bytes.length }, allowed())
      const time = now()
      const message = newMessage({
        conversationId: conversation.id,
        communicationId: customerOf(conversation).communicationId,
        direction: 'inbound',
        time,
        ...(text !== '' && { text }),
        ...(file && { attachment: attach(file, time) }),
      })
      return keep(conversation, message)
    },
    agentSends(conversation, communicationId, text) {
      const conversationId = conversation.id
      return keep(
        conversation,
        newMessage({ conversationId, communicationId, direction: 'outbound', time: now(), text }),
      )
    },
    connectAgent(conversation, userId = org.agent.id) {
      connectAgent(conversation, userId, now())
      changed(conversation)
    },
    disconnectAgent(conversation) {
      disconnectAgent(conversation, now())
      changed(conversation)
    },
    setAttributes(conversation, participant, attributes) {
      Object.assign(participant.attributes, attributes)
      changed(conversation)
    },
    onChange(listener) {
      listeners.push(listener)
    },
  }
}
