import { describe, expect, it } from 'vitest'
import {
  conversationWithFile,
  type ErrorBody,
  membersOf,
  read,
  type Schemas,
  sample,
  sendPath,
  start,
} from './start.ts'

type Full = Schemas['Conversation']
type PerMedia = Schemas['MessageConversation']

/** The samples show customer and agent; the emulator also shows the queue, through which every conversation came. */
function withPurpose<P extends { purpose?: string }>(
  { participants = [] }: { participants?: P[] },
  purpose: string,
): P {
  const found = participants.findLast((participant) => participant.purpose === purpose)
  if (!found) throw new Error(`no ${purpose}`)
  return found
}

async function bothViews(id: string, call: (method: string, path: string) => Promise<Response>) {
  const full = await read<Full>(call('GET', `/api/v2/conversations/${id}`))
  const perMedia = await read<PerMedia>(call('GET', `/api/v2/conversations/messages/${id}`))
  return { full, perMedia }
}

describe('the full view', () => {
  it.each(['customer', 'agent'])('shows the %s with the members of the platform', async (purpose) => {
    const { emulator, client } = await start()
    const { id } = conversationWithFile(emulator)
    const { full } = await bothViews(id, await client())
    const expected = sample<Full>('conversation.full.response')
    const { participants: _, ...rest } = full
    const { participants: __, ...expectedRest } = expected
    expect(membersOf(rest)).toEqual(membersOf(expectedRest))
    const { attributes: ___, ...expectedParticipant } = withPurpose(expected, purpose)
    const { attributes: ____, ...participant } = withPurpose(full, purpose)
    expect(membersOf(participant)).toEqual(membersOf(expectedParticipant))
  })

  it('has the communications of a participant, each naming the one on the other side', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const { full } = await bothViews(ids.id, await client())
    expect(withPurpose(full, 'customer').messages).toMatchObject([
      { id: ids.customerCommunicationId, peerId: ids.agentCommunicationId, state: 'connected', type: 'webmessaging' },
    ])
    expect(withPurpose(full, 'agent').messages).toMatchObject([
      {
        id: ids.agentCommunicationId,
        peerId: ids.customerCommunicationId,
        state: 'connected',
        initialState: 'alerting',
      },
    ])
  })
})

describe('the per-media view', () => {
  it.each(['customer', 'agent'])('shows the %s with the members of the platform', async (purpose) => {
    const { emulator, client } = await start()
    const { id } = conversationWithFile(emulator)
    const { perMedia } = await bothViews(id, await client())
    const { attributes: _, ...participant } = withPurpose(perMedia, purpose)
    const { attributes: __, ...expected } = withPurpose(sample<PerMedia>('conversation.message.response'), purpose)
    expect(membersOf(participant)).toEqual(membersOf(expected))
  })

  it('has no communication id but the peer', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const { perMedia } = await bothViews(ids.id, await client())
    expect(withPurpose(perMedia, 'customer')).toMatchObject({
      id: ids.customerParticipantId,
      peer: ids.agentCommunicationId,
    })
    expect(withPurpose(perMedia, 'agent')).toMatchObject({
      id: ids.agentParticipantId,
      peer: ids.customerCommunicationId,
    })
    expect(JSON.stringify(withPurpose(perMedia, 'customer'))).not.toContain(ids.customerCommunicationId)
  })
})

describe('in both views', () => {
  it('a file shows only as the kind of a message that the customer sent', async () => {
    const { emulator, client } = await start()
    const { id, messageId } = conversationWithFile(emulator)
    const { full, perMedia } = await bothViews(id, await client())
    const details = withPurpose(perMedia, 'customer').messages
    expect(details).toEqual([
      {
        messageId,
        messageURI: `/api/v2/conversations/messages/${id}/messages/${messageId}`,
        messageStatus: 'received',
        messageSegmentCount: 1,
        messageTime: '2026-10-02T09:10:00.000Z',
        messageMetadata: { type: 'Text', content: [{ contentType: 'Attachment', subType: 'File' }] },
      },
    ])
    expect(withPurpose(full, 'customer').messages?.[0]?.messages).toEqual(details)
    expect(JSON.stringify(full)).not.toContain('passport-scan')
  })

  it('what was sent on the agent’s communication is listed there', async () => {
    const { emulator, client } = await start()
    const call = await client()
    const ids = emulator.createConversation()
    const sent = await read<Schemas['MessageData']>(call('POST', sendPath(ids), { textBody: 'Thank you' }))
    const { full, perMedia } = await bothViews(ids.id, call)
    expect(withPurpose(perMedia, 'agent').messages).toMatchObject([
      { messageId: sent.id, messageMetadata: { type: 'Text' } },
    ])
    expect(withPurpose(full, 'agent').messages?.[0]?.messages).toMatchObject([{ messageId: sent.id }])
    expect(withPurpose(perMedia, 'customer').messages).toEqual([])
  })

  it('a conversation that nobody has taken has no agent, and the customer’s peer is the queue', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation({ agent: false })
    expect(ids).toMatchObject({ agentParticipantId: null, agentCommunicationId: null })
    const { full, perMedia } = await bothViews(ids.id, await client())
    expect(full.participants.map(({ purpose }) => purpose)).toEqual(['customer', 'acd'])
    expect(withPurpose(perMedia, 'customer').peer).toBe(withPurpose(full, 'acd').messages?.[0]?.id)
  })

  it('an agent who left is disconnected, and one who comes later is another participant', async () => {
    const { emulator, client } = await start()
    const first = emulator.createConversation()
    emulator.disconnectAgent(first.id)
    const second = emulator.connectAgent(first.id)
    const { full, perMedia } = await bothViews(first.id, await client())
    const agents = full.participants.filter(({ purpose }) => purpose === 'agent')
    expect(agents.map(({ id, messages }) => [id, messages?.[0]?.id, messages?.[0]?.state])).toEqual([
      [first.agentParticipantId, first.agentCommunicationId, 'disconnected'],
      [second.agentParticipantId, second.agentCommunicationId, 'connected'],
    ])
    expect(withPurpose(perMedia, 'customer').peer).toBe(second.agentCommunicationId)
    expect(perMedia.participants?.find(({ id }) => id === first.agentParticipantId)).toMatchObject({
      state: 'disconnected',
      endTime: '2026-10-02T09:10:00.000Z',
    })
  })
})

describe('an unknown conversation', () => {
  it.each(['/api/v2/conversations/', '/api/v2/conversations/messages/'])('is not found at %s', async (path) => {
    const { client } = await start()
    const call = await client()
    const answer = await call('GET', `${path}7d5e2b1c-0c3a-4c53-9f8a-2e4d5a6b7c81`)
    expect(answer.status).toBe(404)
    const { contextId: _, ...expected } = sample<ErrorBody>('error.404.notFound')
    expect(await read<ErrorBody>(answer)).toMatchObject(expected)
  })
})
