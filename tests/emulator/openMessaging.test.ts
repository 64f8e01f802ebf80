import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { signatureOf } from '../../emulator/open/webhooks.ts'
import { membersOf, pdf, read, type Schemas, sample, sampleNamed, sendPath, start } from './start.ts'
import { validate } from './validated.ts'

type Integration = Schemas['OpenIntegration']
type Inbound = Schemas['OpenMessageNormalizedMessage']

const base = '/api/v2/conversations/messaging/integrations/open'
const request = sample<Record<string, unknown>>('open.integration.create.request')
const inbound = () => structuredClone(sample<Record<string, unknown>>('open.inbound.message.request'))

/** A server of the test's own. */
async function serve(answer: (request: IncomingMessage, response: ServerResponse) => void): Promise<string> {
  const server = createServer(answer)
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

/** What comes to a webhook that answers in this way. */
async function webhook(statuses: number[] = []) {
  const posts: { headers: IncomingMessage['headers']; body: string }[] = []
  const url = await serve(async (incoming, response) => {
    let body = ''
    for await (const chunk of incoming) body += String(chunk)
    const status = statuses[posts.push({ headers: incoming.headers, body }) - 1] ?? 200
    if (status === 0) incoming.socket.destroy()
    else response.writeHead(status).end()
  })
  return { url, posts }
}

async function integrated(statuses?: number[]) {
  const started = await start()
  const call = await started.client()
  const { url, posts } = await webhook(statuses)
  const integration = await read<Integration>(call('POST', base, { ...request, outboundNotificationWebhookUrl: url }))
  const path = (kind: string) => `/api/v2/conversations/messages/${integration.id}/inbound/open/${kind}`
  const send = (body: unknown) => call('POST', `${path('message')}?prefetchConversationId=true`, body)
  /** A customer's text, and the conversation that it began. */
  const begun = async () => {
    const { content: _, ...textOnly } = inbound()
    const { conversationId = '' } = await read<Inbound>(send(textOnly))
    return conversationId
  }
  return { ...started, call, posts, integration, path, send, begun }
}

describe('an Open Messaging integration', () => {
  it('can be made, read, changed and removed', async () => {
    const { client } = await start()
    const call = await client()
    const made = await read<Integration>(call('POST', base, request))
    expect(made).toMatchObject({ ...request, supportedContent: { id: 'webMessagingDefault' } })
    const path = `${base}/${made.id}`
    expect(await read(call('PATCH', path, { name: 'Another' }))).toMatchObject({ ...request, name: 'Another' })
    expect((await read<Schemas['OpenIntegrationEntityListing']>(call('GET', base))).total).toBe(1)
    expect((await call('DELETE', path)).status).toBe(200)
    expect((await call('GET', path)).status).toBe(404)
  })

  it.each([
    [{ name: undefined }, 400],
    [{ outboundNotificationWebhookUrl: 'here' }, 400],
    [{ outboundNotificationWebhookSignatureSecretToken: 'x'.repeat(15) }, 400],
    [{ supportedContent: { id: 'unknown' } }, 404],
  ])('cannot be made with %j', async (changes, status) => {
    const { client } = await start()
    const call = await client()
    expect((await call('POST', base, { ...request, ...changes })).status).toBe(status)
  })
})

describe('a message that comes in over Open Messaging', () => {
  it('begins a conversation; the platform fetches its file', async () => {
    const { emulator, send } = await integrated()
    const files = await serve((_, response) => response.end(pdf().bytes))
    const body = inbound()
    const attachment = { mediaType: 'File', url: `${files}/a.pdf`, mime: 'application/pdf', filename: 'a.pdf' }
    const answer = await read<Inbound>(send({ ...body, content: [{ contentType: 'Attachment', attachment }] }))
    expect(membersOf(answer)).toEqual(membersOf(sample('open.inbound.message.response')))
    expect(emulator.conversation(String(answer.conversationId)).messages).toMatchObject([
      { id: answer.id, text: 'Here is my scan', attachments: [{ filename: 'a.pdf', contentSizeBytes: 15 }] },
    ])
  })

  it('is shown as of this channel', async () => {
    const { call, integration, begun } = await integrated()
    const id = await begun()
    const view = await read<Schemas['MessageConversation']>(call('GET', `/api/v2/conversations/messages/${id}`))
    expect(view.participants?.map(({ type }) => type)).toEqual(['open', 'open', 'open'])
    const messageId = view.participants?.[0]?.messages?.[0]?.messageId
    const data = await read<Schemas['MessageData']>(call('GET', `/api/v2/conversations/messages/${messageId}/details`))
    expect(data).toMatchObject({
      messengerType: 'open',
      fromAddress: 'customer-7781',
      toAddress: integration.id,
      normalizedMessage: { channel: { platform: 'Open', messageId: 'ext-000812', from: { id: 'customer-7781' } } },
    })
  })

  it('joins the sender’s open conversation, or begins another one after its end', async () => {
    const { emulator, send, begun } = await integrated()
    const id = await begun()
    const { content: _, ...body } = inbound()
    const at = (time: string) => ({ ...body, channel: { ...(body.channel as object), time } })
    expect((await read<Inbound>(send(at('2026-10-02T10:00:00.000Z')))).conversationId).toBe(id)
    emulator.endConversation(id)
    expect((await read<Inbound>(send(at('2026-10-02T11:00:00.000Z')))).conversationId).not.toBe(id)
  })

  it('loses what the profile does not allow, and what cannot be fetched', async () => {
    const { emulator, call, integration, send } = await integrated()
    const gone = await serve((_, response) => response.writeHead(404).end())
    const body = inbound()
    const attachment = { mediaType: 'File', url: gone, mime: 'application/pdf' }
    const first = await read<Inbound>(send({ ...body, content: [{ attachment }] }))
    const id = String(first.conversationId)
    const profile = '/api/v2/conversations/messaging/supportedcontent/webMessagingDefault'
    await call('PATCH', profile, { mediaTypes: { allow: { inbound: [{ type: 'image/*' }] } } })
    expect(integration.supportedContent?.id).toBe('webMessagingDefault')
    const files = await serve((_, response) => response.end(pdf().bytes))
    const later = { ...(body.channel as object), time: '2026-10-02T10:00:00.000Z' }
    await send({ channel: later, content: [{ attachment: { ...attachment, url: files } }] })
    expect(emulator.conversation(id).messages.map(({ attachments }) => attachments)).toEqual([[], []])
  })

  it.each([
    ['a sender', { channel: { time: '2026-10-02T09:14:05.123Z' } }],
    ['a time', { channel: { from: { id: 'a', idType: 'Opaque' } } }],
    ['anything to say', { text: undefined, content: undefined }],
    ['where its file lies', { content: [{ attachment: { mediaType: 'File', mime: 'application/pdf' } }] }],
    ['attributes in their place', { metadata: { customAttributes: { a: 'b' } } }],
  ])('is refused without %s', async (_, changes) => {
    const { send } = await integrated()
    expect((await send({ ...inbound(), ...changes })).status).toBe(400)
  })

  it('is taken once, and by a known integration only', async () => {
    const { call, send, begun, path, integration } = await integrated()
    await begun()
    const { content: _, ...body } = inbound()
    expect((await send(body)).status).toBe(400)
    const unknown = path('message').replace(integration.id, 'unknown')
    expect((await call('POST', unknown, body)).status).toBe(404)
  })

  it('may be typing', async () => {
    const { call, path } = await integrated()
    const { from, time } = inbound().channel as Record<string, unknown>
    const body = { channel: { from, time }, events: [{ eventType: 'Typing' }] }
    expect((await call('POST', path('event'), body)).status).toBe(200)
  })
})

describe('a message that goes out over Open Messaging', () => {
  it('is posted to the webhook, signed, in the platform’s shape', async () => {
    const { emulator, posts, begun, integration } = await integrated()
    const id = await begun()
    const { messageId } = emulator.agentSends(id, 'Thank you, we have your file.')
    await vi.waitFor(() => expect(emulator.webhookDeliveries()).toMatchObject([{ state: 'delivered' }]))
    const [post] = posts as [(typeof posts)[number]]
    expect(post.headers['x-intake-tenant']).toBe('t1')
    const secret = integration.outboundNotificationWebhookSignatureSecretToken
    expect(post.headers['x-hub-signature-256']).toBe(signatureOf(post.body, secret))
    const body: unknown = JSON.parse(post.body)
    validate('OpenWebhookMessage', body)
    expect(membersOf(body)).toEqual(membersOf(sampleNamed('webhook.open.outbound.text')))
    expect(body).toMatchObject({ id: messageId, conversationId: id, channel: { to: { id: 'customer-7781' } } })
  })

  it('has the signature of the computed example', () => {
    const { rawBody, secret, headerValue } = sampleNamed<Record<string, string>>('webhook.open.outbound.text.signed')
    expect(signatureOf(String(rawBody), String(secret))).toBe(headerValue)
  })

  it('is tried again five times, five seconds apart', async () => {
    const statuses = [500, 429, 0, 503, 504, 500]
    const { emulator, posts, begun, passSeconds } = await integrated(statuses)
    emulator.agentSends(await begun(), 'Hello')
    for (let turn = 1; turn <= 6; turn += 1) {
      await vi.waitFor(() => expect(emulator.webhookDeliveries()[0]?.attempts.length).toBe(turn))
      passSeconds(4)
      expect(posts.length).toBe(turn)
      passSeconds(1)
    }
    expect(emulator.webhookDeliveries()).toMatchObject([{ attempts: statuses, state: 'failed' }])
    expect(new Set(posts.map(({ body }) => body)).size).toBe(1)
  })

  it.each([
    [[400], 'failed'],
    [[302], 'failed'],
    [[503, 200], 'delivered'],
  ])('answered %j is %s', async (statuses, state) => {
    const { emulator, own, begun, passSeconds } = await integrated(statuses)
    emulator.agentSends(await begun(), 'Hello')
    for (let turn = 1; turn <= statuses.length; turn += 1) {
      await vi.waitFor(() => expect(emulator.webhookDeliveries()[0]?.attempts.length).toBe(turn))
      passSeconds(5)
    }
    expect(await read(own('GET', '/webhooks'))).toMatchObject([{ attempts: statuses, state }])
  })

  it('shows what a receipt said of it', async () => {
    const { emulator, call, path, begun } = await integrated()
    const id = await begun()
    const { messageId } = emulator.agentSends(id, 'Hello')
    const receipt = { ...sample<Record<string, unknown>>('open.inbound.receipt.request'), id: messageId }
    const status = async () => {
      const message = call('GET', `/api/v2/conversations/messages/${id}/messages/${messageId}`)
      return (await read<Schemas['MessageData']>(message)).status
    }
    expect(await status()).toBe('queued')
    expect((await call('POST', path('receipt'), receipt)).status).toBe(200)
    expect(await status()).toBe('delivery-failed')
    await call('POST', path('receipt'), { ...receipt, status: 'Delivered' })
    expect(await status()).toBe('delivery-success')
    expect((await call('POST', path('receipt'), { ...receipt, status: 'Read' })).status).toBe(400)
    expect((await call('POST', path('receipt'), { ...receipt, id: 'unknown' })).status).toBe(404)
  })

  it('can be an agent’s over the Platform API', async () => {
    const { emulator, call, begun, posts } = await integrated()
    const id = await begun()
    expect((await call('POST', sendPath(emulator.ids(id)), { textBody: 'Hello' })).status).toBe(200)
    await vi.waitFor(() => expect(posts.length).toBe(1))
  })

  it('does not concern conversations of Web Messaging', async () => {
    const { emulator } = await integrated()
    emulator.startConversation().agent.sends('Hello')
    expect(emulator.webhookDeliveries()).toEqual([])
  })
})

describe('an agentless message', () => {
  const path = '/api/v2/conversations/messages/agentless'

  it('goes to the customer’s open conversation, with client credentials', async () => {
    const { emulator, call, integration, begun, posts } = await integrated()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const id = await begun()
    const body = { ...sample<object>('agentless.open.request'), fromAddress: integration.id }
    const answer = await read<Schemas['SendAgentlessOutboundMessageResponse']>(call('POST', path, body))
    expect(answer.conversationId).toBe(id)
    const expected = membersOf(sample('agentless.open.response'))
    expect(membersOf(answer)).toEqual(expect.arrayContaining(expected))
    expect(emulator.conversation(id).messages.at(-1)?.text).toBe('We have received your file.')
    await vi.waitFor(() => expect(posts.length).toBe(1))
  })

  it('begins a conversation if it is not to use one, or there is none', async () => {
    const { call, integration } = await integrated()
    const body = { ...sample<object>('agentless.open.request'), fromAddress: integration.id }
    const idOf = async (changes = {}) => {
      const answer = call('POST', path, { ...body, ...changes })
      return (await read<Schemas['SendAgentlessOutboundMessageResponse']>(answer)).conversationId
    }
    const first = await idOf()
    expect(await idOf()).toBe(first)
    expect(await idOf({ useExistingActiveConversation: false })).not.toBe(first)
  })

  it.each([
    [{ toAddressMessengerType: 'webmessaging' }, 400],
    [{ textBody: '' }, 400],
    [{ toAddress: undefined }, 400],
    [{ fromAddress: 'unknown' }, 404],
  ])('is refused with %j', async (changes, status) => {
    const { call, integration } = await integrated()
    const body = { ...sample<object>('agentless.open.request'), fromAddress: integration.id, ...changes }
    expect((await call('POST', path, body)).status).toBe(status)
  })
})
