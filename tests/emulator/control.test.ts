import { describe, expect, it } from 'vitest'
import { type ConversationIds, type LoggedRequest, Malformed, startEmulator } from '../../emulator/index.ts'
import { createRequestLog } from '../../emulator/requestLog.ts'
import { membersOf, read, sampleNamed, start, withToken } from './start.ts'

const me = '/api/v2/tokens/me'

describe('conversations of a script', () => {
  it('have a connected agent, unless it says otherwise', async () => {
    const { own } = await start()
    const id = expect.stringMatching(/^[0-9a-f-]{36}$/)
    const customer = { id, customerParticipantId: id, customerCommunicationId: id }
    const withAgent = { ...customer, agentParticipantId: id, agentCommunicationId: id }
    expect(await read(own('POST', '/conversations'))).toEqual(withAgent)
    expect(await read(own('POST', '/conversations', {}))).toEqual(withAgent)
    expect(await read(own('POST', '/conversations', { agent: true }))).toEqual(withAgent)
    expect(await read(own('POST', '/conversations', { agent: false }))).toEqual({
      ...customer,
      agentParticipantId: null,
      agentCommunicationId: null,
    })
  })

  it.each([{ agent: 'yes' }, { agents: true }, { queueId: 1 }, []])('cannot begin with %j', async (body) => {
    const { own } = await start()
    expect((await own('POST', '/conversations', body)).status).toBe(400)
  })

  it('begin empty', async () => {
    const { own } = await start()
    const { id } = await read<ConversationIds>(own('POST', '/conversations'))
    expect(await read(own('GET', `/conversations/${id}`))).toEqual({ id, attributes: {}, messages: [] })
  })

  it('get and lose their agent later; asking twice changes nothing', async () => {
    const { own } = await start()
    const { id } = await read<ConversationIds>(own('POST', '/conversations', { agent: false }))
    const connected = await read<ConversationIds>(own('POST', `/conversations/${id}/agent`))
    expect(connected.agentCommunicationId).not.toBeNull()
    expect(await read(own('POST', `/conversations/${id}/agent`))).toEqual(connected)
    const left = { ...connected, agentParticipantId: null, agentCommunicationId: null }
    expect(await read(own('DELETE', `/conversations/${id}/agent`))).toEqual(left)
    expect(await read(own('DELETE', `/conversations/${id}/agent`))).toEqual(left)
  })

  it.each([
    ['GET', '/conversations/unknown'],
    ['POST', '/conversations/unknown/agent'],
    ['DELETE', '/conversations/unknown/agent'],
    ['GET', '/nothing'],
  ])('are not found at %s %s', async (method, path) => {
    const { own } = await start()
    const answer = await own(method, path)
    expect(answer.status).toBe(404)
    expect(await read(answer)).toEqual({ message: expect.any(String) })
  })
})

describe('the event of EventBridge', () => {
  it('says that the customer joined, in the platform’s shape', async () => {
    const { own, emulator } = await start()
    const { id } = emulator.createConversation()
    const event = await read(own('GET', `/conversations/${id}/eventbridge`))
    expect(membersOf(event)).toEqual(membersOf(sampleNamed('eventbridge.customer.start')))
    expect(event).toMatchObject({
      'detail-type': 'v2.detail.events.conversation.{id}.customer.start',
      detail: { eventBody: { conversationId: id, mediaType: 'MESSAGE', messageType: 'WEBMESSAGING' } },
    })
    expect((await own('GET', '/conversations/unknown/eventbridge')).status).toBe(404)
  })
})

describe('sockets', () => {
  it.each([{ code: 999 }, { code: 5000 }, { code: 'x' }, { why: 1 }])('cannot be cut with %j', async (body) => {
    const { own } = await start()
    expect((await own('POST', '/sockets/cut', body)).status).toBe(400)
  })
})

describe('switches', () => {
  it('change by name; the others stay', async () => {
    const { own } = await start()
    const defaults = {
      sendWithClientCredentials: 'works',
      rateLimitPerMinute: null,
      downloads: 'signed',
      signedUrlLifetimeSeconds: 600,
      redirectDownloadsTo: 'self',
      attachmentSizeAndHash: 'given',
      mediaInNotifications: 'absent',
      notificationTopics: 'permitted',
      signIn: 'agent',
      userState: 'active',
      clonedUser: false,
      otherClient: false,
      allowedDomains: null,
      attachments: 'enabled',
      agentTakesGuests: true,
      conversationDisconnect: 'ReadOnly',
      conversationClear: 'enabled',
      sessionDurationSeconds: 259_200,
      uploadRefusals: 'response400',
      uploadUrlLifetimeSeconds: 3600,
      uploadSignsContentType: false,
      uploadSizeChecked: false,
      uploadContentChecked: false,
      uploadEventDelaySeconds: 0,
      tokenLifetimeSeconds: 86399,
    }
    expect(await read(own('PUT', '/switches', {}))).toEqual(defaults)
    expect(await read(own('PUT', '/switches', { downloads: 'bearer' }))).toEqual({ ...defaults, downloads: 'bearer' })
    expect(await read(own('PUT', '/switches', { rateLimitPerMinute: 7 }))).toEqual({
      ...defaults,
      downloads: 'bearer',
      rateLimitPerMinute: 7,
    })
  })

  it.each([
    [{ rateLimit: 1 }, 'rateLimit'],
    [{ constructor: 1 }, 'constructor'],
    [{ downloads: 'open' }, 'open'],
    [{ redirectDownloadsTo: 'nowhere' }, 'nowhere'],
    [{ allowedDomains: [1] }, 'allowedDomains'],
    [{ clonedUser: 'yes' }, 'clonedUser'],
    [{ sendWithClientCredentials: true }, 'sendWithClientCredentials'],
    [{ rateLimitPerMinute: 0 }, 'rateLimitPerMinute'],
    [{ tokenLifetimeSeconds: null }, 'tokenLifetimeSeconds'],
    [[], 'object'],
  ])('refuse %j and name what they do not know', async (body, named) => {
    const { own } = await start()
    const answer = await own('PUT', '/switches', body)
    expect(answer.status).toBe(400)
    expect((await read<{ message: string }>(answer)).message).toContain(named)
  })

  it('change together or not at all', async () => {
    const { emulator } = await start()
    expect(() => emulator.setSwitches({ downloads: 'bearer', tokenLifetimeSeconds: 0 })).toThrow(Malformed)
    expect(emulator.setSwitches({}).downloads).toBe('signed')
  })
})

describe('the log of requests', () => {
  it('has what came to the platform’s surface, newest last, without queries', async () => {
    const { own, login, platform, passSeconds } = await start()
    const token = await login()
    passSeconds(1)
    await platform(`${me}?preserveIdleTTL=true`, withToken(token))
    await platform(me)
    await own('GET', '/nothing')
    expect(await read<LoggedRequest[]>(own('GET', '/requests'))).toEqual([
      { method: 'POST', path: '/oauth/token', status: 200, at: '2026-10-02T09:10:00.000Z' },
      { method: 'GET', path: me, status: 200, at: '2026-10-02T09:10:01.000Z' },
      { method: 'GET', path: me, status: 401, at: '2026-10-02T09:10:01.000Z' },
    ])
  })

  it('has at most the last 10,000, and none that is not answered yet', () => {
    const log = createRequestLog(() => new Date(0))
    for (let turn = 0; turn < 10_001; turn += 1) log.arrived('GET', `/${turn}`)(200)
    log.arrived('GET', '/waiting')
    const listed = log.list()
    expect(listed.length).toBe(9_999)
    expect([listed.at(0)?.path, listed.at(-1)?.path]).toEqual(['/2', '/10000'])
  })

  it('has calls that the emulator does not know', async () => {
    const { emulator } = await start()
    const answer = await fetch(`${emulator.url}/api/v2/analytics`)
    expect(await read(answer)).toMatchObject({ code: 'not.found', status: 404 })
    expect(emulator.requests()).toMatchObject([{ path: '/api/v2/analytics', status: 404 }])
  })
})

describe('tokens', () => {
  it('can all be revoked', async () => {
    const { own, client } = await start()
    const call = await client()
    expect(await read(own('DELETE', '/tokens'))).toEqual({ revoked: 1 })
    expect((await call('GET', me)).status).toBe(401)
  })
})

describe('an emulator', () => {
  it('listens on loopback only, at the port asked for', async () => {
    const { emulator } = await start()
    expect(emulator.url).toBe(`http://127.0.0.1:${emulator.port}`)
    await expect(startEmulator({ port: emulator.port })).rejects.toThrow('EADDRINUSE')
  })
})
