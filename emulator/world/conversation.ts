import { randomUUID } from 'node:crypto'
import { newOpaqueId } from '../ids.ts'
import type { Message } from './message.ts'

/**
 * One web messaging conversation. Each participant has exactly one communication, which the platform calls a leg: the
 * customer's, the queue's (acd) while nobody has taken it, and one for each agent who was ever connected.
 */
export interface Conversation {
  id: string
  startTime: Date
  queue: Queue
  /** How the guest is called in addresses; opaque. */
  guestAddress: string
  /** In the order in which they joined. */
  participants: Participant[]
  /** In the order in which they were sent. */
  messages: Message[]
}

export interface Queue {
  id: string
  name: string
}

export interface Participant {
  id: string
  communicationId: string
  purpose: 'customer' | 'acd' | 'agent'
  startTime: Date
  /** Set when the leg was disconnected. */
  endTime?: Date
  attributes: Record<string, string>
  /** Who an agent is. */
  userId?: string
}

/** Begins with the queue; an agent joins with `connectAgent`. */
export function beginConversation(queue: Queue, at: Date): Conversation {
  const conversation: Conversation = {
    id: randomUUID(),
    startTime: at,
    queue,
    guestAddress: newOpaqueId(),
    participants: [],
    messages: [],
  }
  join(conversation, 'customer', at)
  join(conversation, 'acd', at)
  return conversation
}

/** Takes the conversation from the queue. Does nothing while an agent is connected. */
export function connectAgent(conversation: Conversation, userId: string, at: Date): void {
  if (connected(conversation, 'agent')) return
  leave(conversation, 'acd', at)
  join(conversation, 'agent', at, userId)
}

/** The agent hands the conversation back to the queue. Does nothing while no agent is connected. */
export function disconnectAgent(conversation: Conversation, at: Date): void {
  if (!connected(conversation, 'agent')) return
  leave(conversation, 'agent', at)
  join(conversation, 'acd', at)
}

export function connected(conversation: Conversation, purpose: Participant['purpose']): Participant | undefined {
  return conversation.participants.find((one) => one.purpose === purpose && one.endTime === undefined)
}

export function customerOf(conversation: Conversation): Participant {
  const customer = connected(conversation, 'customer')
  if (!customer) throw new Error('a conversation without its customer')
  return customer
}

/**
 * The communication on the other side of a participant's leg. UNCONFIRMED for a customer whom no agent has taken yet;
 * inferred there: the leg of the queue.
 */
export function peerOf(conversation: Conversation, participant: Participant): string | undefined {
  if (participant.purpose !== 'customer') return customerOf(conversation).communicationId
  return (connected(conversation, 'agent') ?? connected(conversation, 'acd'))?.communicationId
}

function join(conversation: Conversation, purpose: Participant['purpose'], at: Date, userId?: string): void {
  conversation.participants.push({
    id: randomUUID(),
    communicationId: randomUUID(),
    purpose,
    startTime: at,
    attributes: {},
    ...(userId !== undefined && { userId }),
  })
}

function leave(conversation: Conversation, purpose: Participant['purpose'], at: Date): void {
  const participant = connected(conversation, purpose)
  if (participant) participant.endTime = at
}
