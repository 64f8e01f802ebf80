import type { components } from './api.d.ts'

/** The full view, in which `participants[].messages[]` are communications and the messages lie inside them. */
export type Conversation = components['schemas']['Conversation']

/**
 * The communication on which a message to the customer is sent: of the last participant who is an agent, the one that is
 * connected. Null: no agent is there.
 */
export function agentCommunicationId(conversation: Conversation): string | null {
  const agent = conversation.participants?.findLast(({ purpose }) => purpose === 'agent')
  return agent?.messages?.find(({ state }) => state === 'connected')?.id ?? null
}

/** Null: the conversation names no customer. */
export function customerParticipantId(conversation: Conversation): string | null {
  return conversation.participants?.find(({ purpose }) => purpose === 'customer')?.id ?? null
}

/**
 * Between whom a text of Open Messaging goes: our integration, and the customer. Null: it is another kind of conversation.
 * That the communication's addresses hold these two is unconfirmed; a wrong one is refused, and sends nothing.
 */
export function openAddresses(conversation: Conversation): { integrationId: string; customerId: string } | null {
  const customer = conversation.participants?.find(({ purpose }) => purpose === 'customer')
  const open = customer?.messages?.findLast(({ type }) => type === 'open')
  const [integrationId, customerId] = [open?.toAddress?.addressNormalized, open?.fromAddress?.addressNormalized]
  return integrationId && customerId ? { integrationId, customerId } : null
}

/** Ids of the messages of all participants, newest first, at most `limit`. Those without a time count as the oldest. */
export function newestMessageIds(conversation: Conversation, limit: number): string[] {
  return (conversation.participants ?? [])
    .flatMap(({ messages }) => messages ?? [])
    .flatMap(({ messages }) => messages ?? [])
    .map(({ messageId, messageTime }) => ({ id: messageId, at: Date.parse(messageTime ?? '') || 0 }))
    .filter((message): message is { id: string; at: number } => message.id !== undefined)
    .sort((a, b) => b.at - a.at)
    .slice(0, limit)
    .map(({ id }) => id)
}

/** Whose files are fetched: the customer's alone, or also those of agents and bots. */
export type Sides = 'customer' | 'both'

/** Who writes to the customer, and not as the customer. */
const ourSide = ['agent', 'user']

/**
 * Ids of the messages that may have brought a file from the customer, or from anybody, oldest first. Whether the details of a message always
 * say what is in it is unconfirmed: where they say nothing, it may.
 */
export function messagesWithFiles(conversation: Conversation, sides: Sides): string[] {
  const messages = (conversation.participants ?? [])
    .filter(({ purpose }) => sides === 'both' || !ourSide.includes(purpose ?? ''))
    .flatMap(({ messages }) => messages ?? [])
    .flatMap(({ messages }) => messages ?? [])
    .filter(({ messageMetadata }) => mayHaveFile(messageMetadata))
    .map(({ messageId, messageTime }) => ({ id: messageId, at: Date.parse(messageTime ?? '') || 0 }))
    .filter((message): message is { id: string; at: number } => message.id !== undefined)
    .sort((a, b) => a.at - b.at)
  return [...new Set(messages.map(({ id }) => id))]
}

export function mayHaveFile(metadata: { content?: { contentType?: string }[] } | null | undefined): boolean {
  return !metadata?.content || metadata.content.some(({ contentType }) => contentType === 'Attachment')
}

export const hasEnded = ({ endTime }: Conversation): boolean => endTime !== undefined && endTime !== null

/** Whether this user takes, or took, part in it as an agent. */
export function hadAgent({ participants }: Conversation, userId: string): boolean {
  return (participants ?? []).some((one) => one.purpose === 'agent' && one.userId === userId)
}
