import { describe, expect, it } from 'vitest'
import { read, type Schemas, start } from './start.ts'

const ways = ['/api/v2/conversations', '/api/v2/conversations/messages']
const path = (way: string, conversationId: string, participantId: string) =>
  `${way}/${conversationId}/participants/${participantId}/attributes`

describe.each(ways)('attributes written at %s', (way) => {
  it('are added to those of the participant and overwrite the ones named', async () => {
    const { emulator, client } = await start()
    const { id, customerParticipantId } = emulator.createConversation()
    const call = await client()
    const at = path(way, id, customerParticipantId)
    expect((await call('PATCH', at, { attributes: { a: '1', b: '1' } })).status).toBe(202)
    expect((await call('PATCH', at, { attributes: { b: '2' } })).status).toBe(202)
    expect(emulator.conversation(id).attributes).toEqual({ a: '1', b: '2' })
    const { participants } = await read<Schemas['Conversation']>(call('GET', `/api/v2/conversations/${id}`))
    const customer = participants.find((participant) => participant.id === customerParticipantId)
    expect(customer?.attributes).toEqual({ a: '1', b: '2' })
  })

  it.each([{}, { attributes: { a: 1 } }, { attributes: 'a' }, undefined])('are refused as %j', async (body) => {
    const { emulator, client } = await start()
    const { id, customerParticipantId } = emulator.createConversation()
    const call = await client()
    expect((await call('PATCH', path(way, id, customerParticipantId), body)).status).toBe(400)
    expect(emulator.conversation(id).attributes).toEqual({})
  })

  it('have no place without their participant', async () => {
    const { emulator, client } = await start()
    const { id } = emulator.createConversation()
    const other = emulator.createConversation()
    const call = await client()
    const answer = await call('PATCH', path(way, id, other.customerParticipantId), { attributes: { a: '1' } })
    expect(answer.status).toBe(404)
  })
})

describe('the answer to written attributes', () => {
  it('is empty at the conversation and has all of them at the message conversation', async () => {
    const { emulator, client } = await start()
    const { id, customerParticipantId } = emulator.createConversation()
    const call = await client()
    const [conversation = '', messages = ''] = ways.map((way) => path(way, id, customerParticipantId))
    const first = await call('PATCH', conversation, { attributes: { a: '1' } })
    expect(await first.text()).toBe('')
    expect(await read(call('PATCH', messages, { attributes: { b: '1' } }))).toEqual({ attributes: { a: '1', b: '1' } })
  })

  it('leaves the agent’s attributes beside the customer’s, who wins in the short view', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    const [way = ''] = ways
    await call('PATCH', path(way, ids.id, ids.customerParticipantId), { attributes: { a: 'customer' } })
    await call('PATCH', path(way, ids.id, String(ids.agentParticipantId)), { attributes: { a: 'agent', b: 'agent' } })
    expect(emulator.conversation(ids.id).attributes).toEqual({ a: 'customer', b: 'agent' })
  })
})
