import { type Allowed, checkFile, checkMessage } from '../guest/limits.ts'
import { GuestRefusal } from '../guest/refusal.ts'
import { newOpaqueId } from '../ids.ts'
import { org } from '../org.ts'
import {
  beginConversation,
  type Channel,
  type Conversation,
  connectAgent,
  connected,
  customerOf,
  disconnectAgent,
  endConversation,
  hasEnded,
  type Participant,
} from './conversation.ts'
import {
  type Attachment,
  attach,
  type CustomerFile,
  type Message,
  newMessage,
  type OutboundContent,
} from './message.ts'

/** What a customer sends in one message: a text, a file, or both. */
export interface CustomerMessage {
  text?: string
  file?: CustomerFile
}

/** What a client sends after it has uploaded. */
export interface UploadedMessage {
  text?: string
  attachment?: Attachment
  tracingId?: string
  /** The channel's own id of it. */
  channelMessageId?: string
}

export type Listener = (conversation: Conversation, message?: Message) => void

/** Everything that happened in the emulated organization, in memory. A lookup of what is not there gives undefined. */
export interface World {
  /** Over the web deployment, in the organization's one named queue, unless others are named. */
  begin(about?: { queueId?: string; channel?: Channel; guestAddress?: string }): Conversation
  conversation(id: string): Conversation | undefined
  /** In which a user is connected as an agent now. */
  conversationsOf(userId: string): Conversation[]
  message(id: string): Message | undefined
  /** By the id in its download url. */
  attachment(downloadId: string): Attachment | undefined
  /** In the order in which they began. */
  conversations(): Conversation[]
  /** As the stock Messenger sends. Throws `GuestRefusal`; then nothing was sent. */
  customerSends(conversation: Conversation, sent: CustomerMessage): Message
  /** The same for a file that was uploaded before. */
  customerSendsUploaded(conversation: Conversation, sent: UploadedMessage): Message
  /** The same over a channel that has rules of its own; it may hold nothing. */
  channelSends(conversation: Conversation, sent: UploadedMessage): Message
  /** A file that is not in a message yet can be downloaded already. */
  keepUpload(attachment: Attachment): void
  removeUpload(attachment: Attachment): void
  /** Everyone leaves. */
  end(conversation: Conversation): void
  /** On the given communication, which the caller has found to be a connected agent's. */
  agentSends(conversation: Conversation, communicationId: string, content: OutboundContent): Message
  /** The organization's first agent, or another user. */
  connectAgent(conversation: Conversation, userId?: string): void
  disconnectAgent(conversation: Conversation): void
  /** Adds to a participant's attributes and overwrites those named. */
  setAttributes(conversation: Conversation, participant: Participant, attributes: Record<string, string>): void
  /** From now on `listener` hears of every change, after it was made; of a message with the message. */
  onChange(listener: Listener): void
}

const webDeployment: Channel = { messenger: 'webmessaging', id: org.deploymentId }

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

  function customerSendsUploaded(conversation: Conversation, sent: UploadedMessage): Message {
    if (hasEnded(conversation)) throw new GuestRefusal(409, 'The conversation is read-only')
    checkMessage(sent.text ?? '', sent.attachment !== undefined)
    return channelSends(conversation, sent)
  }

  function channelSends(conversation: Conversation, sent: UploadedMessage): Message {
    const { text = '', attachment, tracingId, channelMessageId } = sent
    const time = now()
    if (attachment) attachment.sentAt = time
    const message = newMessage({
      conversationId: conversation.id,
      communicationId: customerOf(conversation).communicationId,
      direction: 'inbound',
      time,
      ...(text !== '' && { text }),
      ...(attachment && { attachment }),
      ...(tracingId !== undefined && { tracingId }),
      ...(channelMessageId !== undefined && { channelMessageId }),
    })
    return keep(conversation, message)
  }

  return {
    begin({ queueId = org.queue.id, channel = webDeployment, guestAddress = newOpaqueId() } = {}) {
      const queue = queueId === org.queue.id ? org.queue : { id: queueId, name: 'Another queue' }
      const conversation = beginConversation({ queue, channel, guestAddress }, now())
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
    conversations: () => [...conversations.values()],
    customerSends(conversation, { text, file }) {
      if (file) checkFile({ name: file.name, mime: file.mime, sizeBytes: file.bytes.length }, allowed())
      return customerSendsUploaded(conversation, {
        ...(text !== undefined && { text }),
        ...(file && { attachment: attach(file, now()) }),
      })
    },
    customerSendsUploaded,
    channelSends,
    keepUpload(attachment) {
      attachments.set(attachment.downloadId, attachment)
    },
    removeUpload(attachment) {
      attachments.delete(attachment.downloadId)
    },
    end(conversation) {
      if (hasEnded(conversation)) return
      endConversation(conversation, now())
      changed(conversation)
    },
    agentSends(conversation, communicationId, content) {
      const conversationId = conversation.id
      return keep(
        conversation,
        newMessage({ conversationId, communicationId, direction: 'outbound', time: now(), ...content }),
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
