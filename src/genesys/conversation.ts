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

export const hasEnded = ({ endTime }: Conversation): boolean => endTime !== undefined && endTime !== null
