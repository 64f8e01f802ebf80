import { describe, expect, it } from 'vitest'
import { type ErrorBody, membersOf, read, type Schemas, sample, sendPath, start } from './start.ts'

const text = { textBody: 'We have received your file.' }

describe('a text on a connected agent’s communication', () => {
  it('is queued, and is in the conversation', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    const sent = await read<Schemas['MessageData']>(call('POST', sendPath(ids), text))
    expect(membersOf(sent)).toEqual(membersOf(sample('message.send.response')))
    expect(sent).toMatchObject({ direction: 'outbound', status: 'queued', conversationId: ids.id })
    expect(emulator.conversation(ids.id).messages).toEqual([
      { id: sent.id, direction: 'outbound', text: text.textBody, attachments: [] },
    ])
  })

  it.each([
    [2000, 200],
    [2001, 400],
  ])('of %i characters is answered %i', async (length, status) => {
    const { emulator, client } = await start()
    const call = await client()
    const answer = await call('POST', sendPath(emulator.createConversation()), { textBody: 'x'.repeat(length) })
    expect(answer.status).toBe(status)
  })
})

describe('nothing is sent', () => {
  it('if client credentials need a user context', async () => {
    const { emulator, client } = await start()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const ids = emulator.createConversation()
    const call = await client()
    const answer = await call('POST', sendPath(ids), text)
    const { contextId: _, ...expected } = sample<ErrorBody>('error.400.userContext')
    expect(answer.status).toBe(400)
    expect(await read(answer)).toMatchObject(expected)
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('on the communication of an agent who has left', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    emulator.disconnectAgent(ids.id)
    const call = await client()
    expect((await call('POST', sendPath(ids), text)).status).toBe(400)
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('on the customer’s communication', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    expect((await call('POST', sendPath(ids, ids.customerCommunicationId), text)).status).toBe(400)
  })

  it('on a communication of another conversation', async () => {
    const { emulator, client } = await start()
    const other = emulator.createConversation()
    const call = await client()
    const answer = await call('POST', sendPath(emulator.createConversation(), other.agentCommunicationId), text)
    expect(answer.status).toBe(404)
  })

  it.each([
    ['no field', {}],
    ['two fields', { textBody: 'a', mediaIds: ['b'] }],
    ['an empty text', { textBody: '' }],
    ['a text that is a number', { textBody: 7 }],
    ['media that nobody uploaded', { mediaIds: ['84afaa85-bfaa-40bf-bc37-a534cfa0e0c9'] }],
    ['a list', []],
    ['nothing', undefined],
  ])('for a body with %s', async (_, body) => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    expect((await call('POST', sendPath(ids), body)).status).toBe(400)
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('for a body that is not JSON', async () => {
    const { emulator, platform, login } = await start()
    const authorization = `Bearer ${await login()}`
    const request = (type: string) => ({
      method: 'POST',
      headers: { authorization, 'content-type': type },
      body: '{"textBody"',
    })
    const path = sendPath(emulator.createConversation())
    expect((await platform(path, request('application/json'))).status).toBe(400)
    expect((await platform(path, request('application/xml'))).status).toBe(415)
  })
})
