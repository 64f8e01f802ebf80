import { org, userOf } from '../org.ts'
import type { components } from '../platform.d.ts'
import { type Conversation, customerOf, type Participant, peerOf } from '../world/conversation.ts'
import type { Attachment, Message } from '../world/message.ts'

type Schemas = components['schemas']

/** Makes the url under which an attachment can be fetched now. */
export type UrlOf = (attachment: Attachment) => string

/** How a file is shown in a message. */
export interface FileView {
  urlOf: UrlOf
  /** Whether its size and its digest are told. */
  withSizeAndHash: () => boolean
}

/** The full view: a participant's `messages[]` are its communications, and the messages lie inside them. */
export function fullView(conversation: Conversation): Schemas['Conversation'] {
  return {
    id: conversation.id,
    startTime: conversation.startTime.toISOString(),
    ...optional('endTime', customerOf(conversation).endTime?.toISOString()),
    address: conversation.channel.id,
    participants: conversation.participants.map((participant) => fullParticipant(conversation, participant)),
    divisions: [
      {
        division: { id: org.divisionId, selfUri: `/api/v2/authorization/divisions/${org.divisionId}` },
        entities: [],
      },
    ],
    selfUri: `/api/v2/conversations/${conversation.id}`,
  }
}

function fullParticipant(conversation: Conversation, participant: Participant): Schemas['Participant'] {
  const { purpose } = participant
  return {
    id: participant.id,
    startTime: participant.startTime.toISOString(),
    ...(participant.endTime && { endTime: participant.endTime.toISOString() }),
    name: nameOf(conversation, participant),
    ...(participant.userId !== undefined && { userId: participant.userId }),
    ...(purpose !== 'customer' && { queueId: conversation.queue.id, queueName: conversation.queue.name }),
    purpose,
    participantType: purpose === 'customer' ? 'External' : 'Internal',
    attributes: { ...participant.attributes },
    messages: [communication(conversation, participant)],
  }
}

function communication(conversation: Conversation, participant: Participant): Schemas['Message'] {
  return {
    id: participant.communicationId,
    ...stateOf(participant),
    ...(participant.endTime && { disconnectedTime: participant.endTime.toISOString() }),
    initialState: participant.purpose === 'agent' ? 'alerting' : 'connected',
    direction: 'inbound',
    held: false,
    authenticated: conversation.authenticated,
    type: conversation.channel.messenger,
    ...optional('peerId', peerOf(conversation, participant)),
    ...addressesOf(conversation, participant),
    messages: detailsOf(conversation, participant),
  }
}

/** The per-media view: `messages[]` are the messages themselves; the participant's own communication id is nowhere in it. */
export function messageView(conversation: Conversation): Schemas['MessageConversation'] {
  return {
    id: conversation.id,
    participants: conversation.participants.map((participant) => messageParticipant(conversation, participant)),
    otherMediaUris: [],
    selfUri: `/api/v2/conversations/messages/${conversation.id}`,
  }
}

function messageParticipant(conversation: Conversation, participant: Participant): Schemas['MessageMediaParticipant'] {
  const { purpose } = participant
  return {
    id: participant.id,
    name: nameOf(conversation, participant),
    startTime: participant.startTime.toISOString(),
    connectedTime: participant.startTime.toISOString(),
    ...(participant.endTime && { endTime: participant.endTime.toISOString() }),
    purpose,
    ...stateOf(participant),
    direction: 'inbound',
    held: false,
    wrapupRequired: purpose === 'agent',
    ...(purpose === 'customer' && { mediaRoles: ['full'] }),
    ...(participant.userId !== undefined && {
      user: { id: participant.userId, selfUri: `/api/v2/users/${participant.userId}` },
    }),
    ...(purpose !== 'customer' && {
      queue: { id: conversation.queue.id, selfUri: `/api/v2/routing/queues/${conversation.queue.id}` },
    }),
    attributes: { ...participant.attributes },
    ...optional('peer', peerOf(conversation, participant)),
    ...addressesOf(conversation, participant),
    messages: detailsOf(conversation, participant),
    type: conversation.channel.messenger,
    authenticated: conversation.authenticated,
  }
}

function detailsOf(conversation: Conversation, participant: Participant): Schemas['MessageDetails'][] {
  return conversation.messages
    .filter((message) => message.communicationId === participant.communicationId)
    .map((message) => ({
      messageId: message.id,
      messageURI: uriOf(message),
      messageStatus: statusOf(message),
      messageSegmentCount: 1,
      messageTime: message.time.toISOString(),
      messageMetadata: {
        type: 'Text',
        // No event says "a file came"; this is the only trace of one outside the message itself.
        ...(message.attachment && { content: [{ contentType: 'Attachment', subType: message.attachment.mediaType }] }),
      },
    }))
}

/** One message with its content, as every call that returns messages gives it. */
export function messageData(message: Message, conversation: Conversation, files: FileView): Schemas['MessageData'] {
  const inbound = message.direction === 'inbound'
  const { channel, guestAddress } = conversation
  return {
    id: message.id,
    timestamp: message.time.toISOString(),
    fromAddress: inbound ? guestAddress : channel.id,
    toAddress: inbound ? channel.id : guestAddress,
    direction: message.direction,
    messengerType: channel.messenger,
    status: statusOf(message),
    normalizedMessage: inbound ? inboundContent(message, conversation, files) : outboundContent(message, files),
    ...(inbound && { normalizedReceipts: [] }),
    conversationId: message.conversationId,
    selfUri: uriOf(message),
  }
}

/** Which optional members really come for web messaging is UNCONFIRMED; size and sha256 have a switch. */
function inboundContent(
  message: Message,
  { channel, guestAddress }: Conversation,
  files: FileView,
): Schemas['ConversationNormalizedMessage'] {
  const { attachment } = message
  return {
    id: message.id,
    channel: {
      id: channel.id,
      platform: channel.messenger === 'open' ? 'Open' : 'WebMessaging',
      type: 'Private',
      messageId: message.channelMessageId,
      to: { id: channel.id },
      from: { id: guestAddress, idType: 'Opaque' },
      time: message.time.toISOString(),
    },
    type: 'Text',
    ...optional('text', message.text),
    ...contentOf(attachment, files),
    direction: 'Inbound',
    originatingEntity: 'Human',
  }
}

function outboundContent(message: Message, files: FileView): Schemas['ConversationNormalizedMessage'] {
  return {
    id: message.id,
    type: 'Text',
    ...optional('text', message.text),
    ...contentOf(message.attachment, files),
    direction: 'Outbound',
  }
}

function contentOf(
  attachment: Attachment | undefined,
  files: FileView,
): Pick<Schemas['ConversationNormalizedMessage'], 'content'> {
  if (!attachment) return {}
  return {
    content: [
      {
        contentType: 'Attachment',
        attachment: {
          id: attachment.id,
          mediaType: attachment.mediaType,
          url: files.urlOf(attachment),
          mime: attachment.mime,
          filename: attachment.filename,
          ...(files.withSizeAndHash() && {
            sha256: attachment.sha256,
            contentSizeBytes: attachment.bytes.length,
          }),
        },
      },
    ],
  }
}

/** Outbound stays "queued", as the answer to sending shows it, until a receipt comes; when else the platform moves it on is not documented. */
function statusOf(message: Message) {
  return message.direction === 'inbound' ? 'received' : (message.delivery ?? 'queued')
}

/** The reason given for a leg that ended is UNCONFIRMED: here always that the conversation moved on. */
function stateOf(participant: Participant) {
  return participant.endTime
    ? ({ state: 'disconnected', disconnectType: 'transfer' } as const)
    : ({ state: 'connected' } as const)
}

function addressesOf(conversation: Conversation, participant: Participant) {
  if (participant.purpose !== 'customer') return {}
  return {
    toAddress: { addressNormalized: conversation.channel.id },
    fromAddress: { addressNormalized: conversation.guestAddress },
  }
}

function nameOf({ queue }: Conversation, { purpose, userId = '' }: Participant): string {
  return { customer: org.guestName, acd: queue.name, agent: userOf(userId)?.name ?? 'Agent' }[purpose]
}

function uriOf(message: Message): string {
  return `/api/v2/conversations/messages/${message.conversationId}/messages/${message.id}`
}

/** Absent rather than undefined: what JSON would drop should not be in the value either. */
function optional<Name extends string>(name: Name, value: string | undefined): { [N in Name]?: string } {
  return value === undefined ? {} : ({ [name]: value } as { [N in Name]: string })
}
