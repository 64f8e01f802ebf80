import { describe, expect, it } from 'vitest'
import type { ConversationIds, Emulator } from '../../emulator/index.ts'
import { attachmentMessage, configured, guest, guestSample } from './guest.ts'
import { membersOf, pdf, read, type Schemas, sample, sendPath } from './start.ts'

const refusal = (code: number) => ({ type: 'response', class: 'string', code, body: expect.any(String) })

/** A guest whose conversation has begun. */
async function talking() {
  const started = await configured()
  started.guest.message({ type: 'Text', text: 'Hello' })
  await started.guest.next()
  const [{ id }] = started.emulator.conversations() as [{ id: string }]
  return { ...started, id }
}

const idsOf = (emulator: Emulator, id: string): ConversationIds => emulator.connectAgent(id)

describe('a guest’s message', () => {
  it('comes back as its echo, with the same tracing id, on each of the guest’s connections', async () => {
    const { emulator, guest: one } = await configured()
    const second = await guest(emulator, one.token)
    await second.configure()
    const tracingId = one.message({ type: 'Text', text: 'Here is my scan' })
    const echo = await one.next()
    expect(echo).toMatchObject({
      type: 'message',
      class: 'StructuredMessage',
      tracingId,
      body: { direction: 'Inbound' },
    })
    expect(await second.next()).toEqual(echo)
  })

  it('is known to the Platform API by the id of its echo, which leads to the conversation', async () => {
    const { emulator, client, guest: one } = await configured()
    one.message({ type: 'Text', text: 'Hello' })
    const { body } = await one.next()
    const call = await client()
    const details = await read<Schemas['MessageData']>(call('GET', `/api/v2/conversations/messages/${body.id}/details`))
    expect(details.normalizedMessage?.text).toBe('Hello')
    expect(emulator.conversation(String(details.conversationId)).messages).toMatchObject([{ text: 'Hello' }])
  })

  it.each([true, false])('begins a conversation that an agent takes at once, or not: %s', async (agentTakesGuests) => {
    const { emulator, client, guest: one } = await configured()
    emulator.setSwitches({ agentTakesGuests })
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    const [{ id }] = emulator.conversations() as [{ id: string }]
    const call = await client()
    const { participants } = await read<Schemas['Conversation']>(call('GET', `/api/v2/conversations/${id}`))
    expect(participants?.some(({ purpose }) => purpose === 'agent')).toBe(agentTakesGuests)
  })

  it('is seen by the guest too when a script sends it in the guest’s place', async () => {
    const { emulator, guest: one, id } = await talking()
    emulator.customerSends(id, { text: 'Me too' })
    expect(await one.next()).toMatchObject({ body: { text: 'Me too', direction: 'Inbound' } })
  })

  it.each([
    ['nothing', { type: 'Text' }, 4020],
    ['an empty text', { type: 'Text', text: '' }, 4020],
    ['a text over 4096 bytes', { type: 'Text', text: 'é'.repeat(2049) }, 4011],
    [
      'custom attributes over 2048 bytes',
      { type: 'Text', text: 'a', channel: { metadata: { customAttributes: { a: 'x'.repeat(2048) } } } },
      4013,
    ],
    ['a file that nobody announced', attachmentMessage('nothing'), 4009],
    ['two files', { content: [...attachmentMessage('a').content, ...attachmentMessage('b').content] }, 400],
  ])('cannot be %s', async (_, message, code) => {
    const { emulator, guest: one } = await configured()
    one.message(message)
    expect(await one.next()).toMatchObject(refusal(code))
    expect(emulator.conversations()).toEqual([])
  })

  it('may carry custom attributes', async () => {
    const { guest: one } = await configured()
    const {
      action: _,
      token: __,
      ...request
    } = guestSample('onMessage.text.request') as unknown as Record<string, unknown>
    one.send({ ...request, action: 'onMessage' })
    expect(await one.next()).toMatchObject({ class: 'StructuredMessage', body: { text: 'Here is my scan' } })
  })

  it('is one of five a second', async () => {
    const { guest: one, passSeconds } = await configured()
    for (let turn = 0; turn < 6; turn += 1) one.message({ type: 'Text', text: 'Hello' })
    const frames = await one.waiting()
    expect(frames.map((frame) => frame.class)).toEqual([
      ...Array.from({ length: 5 }, () => 'StructuredMessage'),
      'TooManyRequestsErrorMessage',
    ])
    passSeconds(1)
    one.message({ type: 'Text', text: 'Hello' })
    expect(await one.next()).toMatchObject({ class: 'StructuredMessage' })
  })

  it('is not an event: typing says nothing, joining begins the conversation', async () => {
    const { emulator, guest: one } = await configured()
    for (const name of ['onMessage.typing.request', 'onMessage.join.request']) {
      const { token: _, ...request } = guestSample(name) as unknown as { token: string }
      one.send({ action: 'onMessage', ...request })
    }
    expect(await one.waiting()).toEqual([])
    expect(emulator.conversations().length).toBe(1)
  })
})

describe('an agent’s message', () => {
  it('reaches the guest in the platform’s shape', async () => {
    const { emulator, client, guest: one, id } = await talking()
    const call = await client()
    await call('POST', sendPath(idsOf(emulator, id)), { textBody: 'Thank you' })
    const frame = await one.next()
    expect(membersOf(frame)).toEqual(membersOf(guestSample('StructuredMessage.outbound.text')))
    expect(frame).toMatchObject({ body: { text: 'Thank you', direction: 'Outbound', originatingEntity: 'Human' } })
    expect(frame.body.channel).toMatchObject({ from: { nickname: 'Maria' } })
  })

  it('is announced by typing, of which nothing stays', async () => {
    const { emulator, client, guest: one, id } = await talking()
    const call = await client()
    const path = sendPath(idsOf(emulator, id)).replace(/messages$/, 'typing')
    expect((await call('POST', path, { typing: { type: 'On', duration: 3000 } })).status).toBe(200)
    expect(await one.next()).toMatchObject({ body: { events: [{ eventType: 'Typing', typing: { duration: 3000 } }] } })
    expect((await call('POST', path, {})).status).toBe(400)
    expect(emulator.conversation(id).messages.length).toBe(1)
  })

  it('is lost to a guest who is not connected, but for the history', async () => {
    const { emulator, client, guest: one, id } = await talking()
    one.drop()
    await one.closed
    const call = await client()
    await call('POST', sendPath(idsOf(emulator, id)), { textBody: 'Thank you' })
    const again = await guest(emulator, one.token)
    await again.configure()
    expect(await again.waiting()).toEqual([])
    expect((await history(emulator.url, await jwtOf(again))).entities?.map(({ text }) => text)).toEqual([
      'Thank you',
      'Hello',
    ])
  })
})

type Listing = Schemas['WebMessagingMessageEntityList']

async function jwtOf(one: Awaited<ReturnType<typeof guest>>): Promise<string> {
  const { body } = await one.ask<Schemas['Guest.JwtResponse']>({ action: 'getJwt' })
  return body.jwt
}

const historyPath = '/api/v2/webmessaging/messages'
const asking = (jwt: string, origin = 'https://www.example.com') => ({
  headers: { authorization: `bearer ${jwt}`, origin },
})
const history = async (url: string, jwt: string) => read<Listing>(fetch(url + historyPath, asking(jwt)))

describe('the history', () => {
  it('has what was said, newest first, in the platform’s shape', async () => {
    const { emulator, platform, guest: one, id } = await talking()
    emulator.customerSends(id, { text: 'Here is my scan', file: pdf() })
    await one.next()
    const answer = await platform(historyPath, asking(await jwtOf(one)))
    const listing = await read<Listing>(answer)
    expect(membersOf(listing)).toEqual(membersOf(sample('webmessaging.messages.response')))
    expect(listing).toMatchObject({
      total: 2,
      pageCount: 1,
      entities: [{ text: 'Here is my scan' }, { text: 'Hello' }],
    })
    const url = listing.entities?.[0]?.content?.[0]?.attachment?.url
    expect((await fetch(String(url))).status).toBe(200)
  })

  it('comes in pages', async () => {
    const { emulator, platform, guest: one, id } = await talking()
    for (const text of ['2', '3']) emulator.customerSends(id, { text })
    await one.waiting()
    const jwt = await jwtOf(one)
    const page = async (query: string) => {
      const listing = await read<Listing>(platform(`${historyPath}?${query}`, asking(jwt)))
      return [listing.pageCount, listing.entities?.map(({ text }) => text)]
    }
    expect(await page('pageSize=2')).toEqual([2, ['3', '2']])
    expect(await page('pageSize=2&pageNumber=2')).toEqual([2, ['Hello']])
    expect(await page('pageSize=2&pageNumber=3')).toEqual([2, []])
  })

  it('is for the holder of the JWT only, as long as it is good, from allowed domains, ten times a minute', async () => {
    const { emulator, platform, guest: one, passSeconds } = await talking()
    const jwt = await jwtOf(one)
    const status = async (init?: RequestInit) => (await platform(historyPath, init)).status
    expect(await status()).toBe(401)
    expect(await status(asking('x.y.z'))).toBe(401)
    expect(await status(asking(`${jwt}x`))).toBe(401)
    emulator.setSwitches({ allowedDomains: ['www.example.com'] })
    expect(await status(asking(jwt, 'https://evil.example'))).toBe(403)
    for (let turn = 0; turn < 10; turn += 1) expect(await status(asking(jwt))).toBe(200)
    expect(await status(asking(jwt))).toBe(429)
    passSeconds(3600)
    expect(await status(asking(jwt))).toBe(401)
  })

  it('may be asked by a page: the browser’s question before it is answered', async () => {
    const { emulator } = await configured()
    const answer = await fetch(emulator.url + historyPath, {
      method: 'OPTIONS',
      headers: { origin: 'https://www.example.com', 'access-control-request-headers': 'authorization' },
    })
    expect(answer.status).toBe(204)
    expect(answer.headers.get('access-control-allow-headers')).toBe('authorization')
  })
})
