import { describe, expect, it } from 'vitest'
import {
  agentCommunicationId,
  type Conversation,
  customerParticipantId,
  hasEnded,
  newestMessageIds,
} from './conversation.ts'

type Participant = NonNullable<Conversation['participants']>[number]
type Communication = NonNullable<Participant['messages']>[number]

const startTime = '2026-10-02T09:10:00.000Z'
const of = (...participants: Participant[]): Conversation => ({ startTime, participants })
const leg = (
  id: string,
  state: NonNullable<Communication['state']>,
  ...messages: [string, string?][]
): Communication => ({
  id,
  state,
  messages: messages.map(([messageId, messageTime]) => ({ messageId, ...(messageTime && { messageTime }) })),
})

describe('the communication to send on', () => {
  it('is the connected one of the last participant who is an agent', () => {
    const conversation = of(
      { purpose: 'customer', messages: [leg('customer', 'connected')] },
      { purpose: 'agent', messages: [leg('first', 'connected')] },
      { purpose: 'agent', messages: [leg('left', 'disconnected'), leg('here', 'connected')] },
    )
    expect(agentCommunicationId(conversation)).toBe('here')
  })

  it.each([
    ['no participants', of()],
    ['no agent', of({ purpose: 'acd', messages: [leg('queue', 'connected')] })],
    ['an agent who is still being alerted', of({ purpose: 'agent', messages: [leg('a', 'alerting')] })],
    ['an agent who has left', of({ purpose: 'agent', messages: [leg('a', 'disconnected')] })],
    ['an agent without communications', of({ purpose: 'agent' })],
  ])('is not there with %s', (_what, conversation) => {
    expect(agentCommunicationId(conversation)).toBeNull()
  })
})

it('the customer is the participant whose purpose it is', () => {
  expect(customerParticipantId(of({ id: 'a', purpose: 'agent' }, { id: 'c', purpose: 'customer' }))).toBe('c')
  expect(customerParticipantId(of({ id: 'a', purpose: 'agent' }))).toBeNull()
})

it('the newest messages are those of all participants by time, the ones without a time last', () => {
  const conversation = of(
    {
      purpose: 'customer',
      messages: [leg('c', 'connected', ['1', '2026-10-02T09:10:01Z'], ['3', '2026-10-02T09:10:03Z'])],
    },
    { purpose: 'agent', messages: [leg('a', 'connected', ['?'], ['2', '2026-10-02T09:10:02Z'])] },
    { purpose: 'acd' },
  )
  expect(newestMessageIds(conversation, 10)).toEqual(['3', '2', '1', '?'])
  expect(newestMessageIds(conversation, 2)).toEqual(['3', '2'])
})

it('a conversation has ended when it has an end', () => {
  expect(hasEnded(of())).toBe(false)
  expect(hasEnded({ ...of(), endTime: startTime })).toBe(true)
})
