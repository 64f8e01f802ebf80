import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import {
  agentCommunicationId,
  customerParticipantId,
  hasEnded,
  newestMessageIds,
} from '../../src/genesys/conversation.ts'
import {
  AnswerLost,
  CredentialsRefused,
  GenesysRefused,
  GenesysUnavailable,
  needsUserContext,
} from '../../src/genesys/errors.ts'
import { clientCredentials } from '../../src/genesys/grants.ts'
import { until } from './clock.ts'
import { start } from './start.ts'

const anyMessage = 'POST /api/v2/conversations/messages/*'
const anyRead = 'GET /api/v2/conversations/*'

describe('a conversation with an agent', () => {
  it('names the communication on which to send, and the customer', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const conversation = await client.getConversation(ids.id)
    expect(agentCommunicationId(conversation)).toBe(ids.agentCommunicationId)
    expect(customerParticipantId(conversation)).toBe(ids.customerParticipantId)
    expect(hasEnded(conversation)).toBe(false)
  })

  it('takes a message, which is then among its newest, with its text', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    emulator.customerSends(ids.id, { text: 'Here is my scan' })
    await client.sendMessage(ids.id, ids.agentCommunicationId!, 'Thank you')
    const newest = newestMessageIds(await client.getConversation(ids.id), 10)
    expect(newest).toHaveLength(2)
    const messages = await client.getMessages(ids.id, newest)
    expect(messages.map(({ direction, normalizedMessage }) => [direction, normalizedMessage?.text])).toEqual([
      ['inbound', 'Here is my scan'],
      ['outbound', 'Thank you'],
    ])
  })

  it('takes attributes of the customer', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    await client.patchParticipantAttributes(ids.id, ids.customerParticipantId, { clipgate_state: 'accepted' })
    expect(emulator.conversation(ids.id).attributes).toEqual({ clipgate_state: 'accepted' })
  })

  it('has no communication to send on once the agent has left, and another one with another agent', async () => {
    const { emulator, client } = await start()
    const { id, agentCommunicationId: first } = emulator.createConversation()
    emulator.disconnectAgent(id)
    expect(agentCommunicationId(await client.getConversation(id))).toBeNull()
    const { agentCommunicationId: second } = emulator.connectAgent(id)
    expect(agentCommunicationId(await client.getConversation(id))).toBe(second)
    expect(second).not.toBe(first)
  })
})

describe('the token', () => {
  it('tells who we are', async () => {
    const { client } = await start()
    expect(await client.checkToken()).toMatchObject({
      organization: { name: 'Example Org' },
      client: { id: 'demo-client' },
    })
  })

  it('is asked for once, however many calls begin at once', async () => {
    const { emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    await Promise.all(Array.from({ length: 50 }, () => client.getConversation(id)))
    expect(asked('POST', '/oauth/token')).toBe(1)
    expect(client.tokensGiven()).toBe(1)
  })

  it('is renewed once when it was revoked under 50 parallel calls, and every call succeeds', async () => {
    const { emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    await client.getConversation(id)
    emulator.revokeTokens()
    await Promise.all(Array.from({ length: 50 }, () => client.getConversation(id)))
    expect(asked('POST', '/oauth/token')).toBe(2)
  })

  it('is renewed when it was revoked before a message, which then arrives once', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    await client.checkToken()
    emulator.revokeTokens()
    await client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')
    expect(emulator.conversation(ids.id).messages).toHaveLength(1)
  })

  it('is not asked for a third time when the platform refuses a new one too', async () => {
    const { emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 401, times: 5 }])
    await expect(client.getConversation(id)).rejects.toThrow(CredentialsRefused)
    expect(asked('POST', '/oauth/token')).toBe(2)
  })

  it('and the secret are in no log line and no error', async () => {
    const { emulator, client, lines } = await start({ grant: clientCredentials('demo-client', 'a-wrong-secret') })
    const { id } = emulator.createConversation()
    const error = await client.getConversation(id).catch((error: unknown) => error)
    expect(error).toBeInstanceOf(CredentialsRefused)
    expect(String((error as Error).stack) + lines.join('')).not.toMatch(/a-wrong-secret|Basic|Bearer/)
  })
})

describe('a refusal', () => {
  it('carries status, code and correlation id', async () => {
    const { client } = await start()
    const error = await client.getConversation('00000000-0000-4000-8000-000000000000').catch((error: unknown) => error)
    expect(error).toBeInstanceOf(GenesysRefused)
    expect(error).toMatchObject({
      status: 404,
      code: 'not.found',
      correlationId: expect.stringMatching(/^[0-9a-f-]{36}$/),
    })
  })

  it('for want of a user context is known as such', async () => {
    const { emulator, client } = await start()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const ids = emulator.createConversation()
    const error = await client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello').catch((error: unknown) => error)
    expect(needsUserContext(error)).toBe(true)
    expect(needsUserContext(new GenesysRefused('GET /', { status: 400, message: 'Something else' }))).toBe(false)
  })

  it.each(['..', '.', 'a/b', '', 'x?y=1', '%2e%2e'])(
    'is given to the id %j without asking the platform',
    async (id) => {
      const { client, asked } = await start()
      await expect(client.getConversation(id)).rejects.toMatchObject({ status: 404 })
      expect(asked('GET')).toBe(0)
    },
  )
})

describe('a platform that is busy', () => {
  it('gets a read again after as long as it asked for', async () => {
    const { clock, emulator, client } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 429, retryAfter: 7 }])
    const answer = client.getConversation(id)
    await until(() => clock.waits().includes(7000))
    await clock.pass(7000)
    expect((await answer).id).toBe(id)
  })

  it('gets a message again, too, since it did not take it', async () => {
    const { clock, emulator, client } = await start()
    const ids = emulator.createConversation()
    emulator.setFaults([{ route: anyMessage, status: 429, retryAfter: 3 }])
    const sent = client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')
    await until(() => clock.waits().includes(3000))
    await clock.pass(3000)
    await sent
    expect(emulator.conversation(ids.id).messages).toHaveLength(1)
  })

  it('and says "in 0 seconds" is not asked again at once', async () => {
    const { clock, emulator, client } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 429, retryAfter: 0, times: 2 }])
    const answer = client.getConversation(id)
    for (const wait of [500, 1000]) {
      await until(() => clock.waits().includes(wait))
      await clock.pass(wait)
    }
    expect((await answer).id).toBe(id)
  })

  it('is not waited for when it asks for longer than the call may take, and how long it asks for is told', async () => {
    const { emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 429, retryAfter: 3600 }])
    await expect(client.getConversation(id)).rejects.toMatchObject({
      constructor: GenesysUnavailable,
      retryAfterSeconds: 3600,
    })
    expect(asked('GET')).toBe(1)
  })

  it.each([502, 503, 504])('and answers %d gets a read again, after longer and longer waits', async (status) => {
    const { clock, emulator, client } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status, times: 2 }])
    const answer = client.getConversation(id)
    for (const wait of [500, 1000]) {
      await until(() => clock.waits().includes(wait))
      await clock.pass(wait)
    }
    expect((await answer).id).toBe(id)
  })

  it('is given up when the time of the call is over', async () => {
    const { clock, emulator, client } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 503, times: 100 }])
    const answer = client.getConversation(id)
    const refused = expect(answer).rejects.toThrow(GenesysUnavailable)
    for (const wait of [500, 1000, 2000, 4000, 8000]) {
      await until(() => clock.waits().includes(wait))
      await clock.pass(wait)
    }
    await refused
  })

  it('and breaks with a 500 is not asked again in the same call', async () => {
    const { emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, status: 500 }])
    await expect(client.getConversation(id)).rejects.toThrow(GenesysUnavailable)
    expect(asked('GET')).toBe(1)
  })

  it('gives no token now, and is asked for one again within the call', async () => {
    const { clock, emulator, client } = await start()
    const ids = emulator.createConversation()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 429, retryAfter: 2 }])
    const sent = client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')
    await until(() => clock.waits().includes(2000))
    await clock.pass(2000)
    await sent
    expect(emulator.conversation(ids.id).messages).toHaveLength(1)
  })
})

describe('an answer that does not come', () => {
  it.each([
    ['cut', { cut: true }, 1],
    ['cut before the work', { cut: true, status: 503 }, 0],
    ['a 503', { status: 503 }, 0],
    ['a 500', { status: 500 }, 0],
  ])('to a message (%s) is lost, and the message is not sent again', async (_how, fault, arrived) => {
    const { emulator, client, asked } = await start()
    const ids = emulator.createConversation()
    emulator.setFaults([{ route: anyMessage, ...fault }])
    await expect(client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')).rejects.toThrow(AnswerLost)
    expect(asked('POST', '/communications/')).toBe(1)
    expect(emulator.conversation(ids.id).messages).toHaveLength(arrived)
  })

  it('to a message within the time of a try is lost', async () => {
    const { clock, client, emulator } = await start()
    const ids = emulator.createConversation()
    emulator.setFaults([{ route: anyMessage, delayMs: 3_600_000 }])
    const sent = expect(client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')).rejects.toThrow(AnswerLost)
    await until(() => client.tokensGiven() === 1 && clock.waits().includes(10_000))
    await clock.pass(10_000)
    await sent
  })

  it('to a read is asked for again', async () => {
    const { clock, emulator, client } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: anyRead, cut: true }])
    const answer = client.getConversation(id)
    await until(() => clock.waits().includes(500))
    await clock.pass(500)
    expect((await answer).id).toBe(id)
  })

  it('to attributes is asked for again: writing them twice is writing them once', async () => {
    const { clock, emulator, client, asked } = await start()
    const ids = emulator.createConversation()
    emulator.setFaults([{ route: 'PATCH /api/v2/conversations/*', cut: true }])
    const written = client.patchParticipantAttributes(ids.id, ids.customerParticipantId, { clipgate_state: 'refused' })
    await until(() => clock.waits().includes(500))
    await clock.pass(500)
    await written
    expect(asked('PATCH')).toBe(2)
  })

  it('because nobody listens is not lost: a message is sent again within the call, then unavailable', async () => {
    const { clock, emulator, client } = await start({ apiUrl: `http://127.0.0.1:${await closedPort()}` })
    const ids = emulator.createConversation()
    const sent = expect(client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')).rejects.toThrow(
      GenesysUnavailable,
    )
    for (const wait of [500, 1000, 2000, 4000, 8000]) {
      await until(() => clock.waits().includes(wait))
      await clock.pass(wait)
    }
    await sent
  })

  it('but a page of something in between, with status 200, is lost too', async () => {
    const { client } = await start({ apiUrl: await answering(200, '<html>Please log in to this network</html>') })
    await expect(client.sendMessage('a', 'b', 'Hello')).rejects.toThrow(AnswerLost)
  })

  it('whole because it is longer than anything that we read is not kept in memory', async () => {
    const { client } = await start({ apiUrl: await answering(200, 'x'.repeat(9 * 1024 * 1024)) })
    await expect(client.sendMessage('a', 'b', 'Hello')).rejects.toThrow(AnswerLost)
  })

  it('but a redirect, which is not followed, is a refusal', async () => {
    const elsewhere = await answering(200, '{}')
    const { client } = await start({ apiUrl: await answering(302, '', { location: `${elsewhere}/` }) })
    await expect(client.getConversation('a')).rejects.toMatchObject({ constructor: GenesysRefused, status: 302 })
  })
})

describe('what is counted', () => {
  it('is each answer, by a route without ids, and where the platform says that its limit stands', async () => {
    const { emulator, client, metrics, lines } = await start()
    emulator.setSwitches({ rateLimitPerMinute: 180 })
    const ids = emulator.createConversation()
    await client.getConversation(ids.id)
    await client.sendMessage(ids.id, ids.agentCommunicationId!, 'Hello')
    expect((await metrics.genesysRateCount.get()).values[0]?.value).toBe(2)
    expect((await metrics.genesysRateAllowed.get()).values[0]?.value).toBe(180)
    expect((await metrics.genesysRequests.get()).values.map(({ labels }) => labels)).toEqual([
      { route: 'POST /oauth/token', status: '200' },
      { route: 'GET /api/v2/conversations/{id}', status: '200' },
      { route: 'POST /api/v2/conversations/messages/{id}/communications/{communicationId}/messages', status: '200' },
    ])
    expect(lines.join('')).not.toContain(ids.id)
  })
})

describe('our own limit of requests a minute', () => {
  it('lets calls wait for their turn, which takes nothing of their time', async () => {
    const { clock, emulator, client, asked } = await start({ requestsPerMinute: 2 })
    const { id } = emulator.createConversation()
    await Promise.all([client.getConversation(id), client.getConversation(id)])
    const held = client.getConversation(id)
    emulator.setFaults([{ route: anyRead, status: 503 }])
    await until(() => clock.waits().includes(60_000))
    await clock.pass(60_000)
    await until(() => clock.waits().includes(500))
    await clock.pass(500)
    expect((await held).id).toBe(id)
    expect(asked('GET')).toBe(4)
  })

  it('refuses those whose turn does not come in time, with when to come again', async () => {
    const { clock, emulator, client } = await start({ requestsPerMinute: 1 })
    const { id } = emulator.createConversation()
    await client.getConversation(id)
    const second = client.getConversation(id)
    const third = expect(client.getConversation(id)).rejects.toMatchObject({
      constructor: GenesysUnavailable,
      retryAfterSeconds: 60,
    })
    await until(() => clock.waits().filter((wait) => wait === 60_000).length === 2)
    await clock.pass(60_000)
    await Promise.all([second, third])
  })

  it('holds all calls back while the platform wants none', async () => {
    const { clock, emulator, client, asked } = await start()
    const { id } = emulator.createConversation()
    await client.checkToken()
    emulator.setFaults([{ route: anyRead, status: 429, retryAfter: 42 }])
    await expect(client.getConversation(id)).rejects.toMatchObject({ retryAfterSeconds: 42 })
    const held = client.getConversation(id)
    await until(() => clock.waits().includes(42_000))
    expect(asked('GET', '/conversations/')).toBe(1)
    await clock.pass(42_000)
    expect((await held).id).toBe(id)
  })
})

async function closedPort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

async function answering(status: number, body: string, headers: Record<string, string> = {}): Promise<string> {
  const server = createServer((request, response) => {
    request.resume()
    response.writeHead(status, headers).end(body)
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}
