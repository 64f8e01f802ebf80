import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { configured, deploymentId, guest, guestSample, guestUrl } from './guest.ts'
import { openSocket } from './sockets.ts'
import { membersOf, read, type Schemas, sampleNamed, start } from './start.ts'

const day = 24 * 3600
const refusal = (code: number) => ({ type: 'response', class: 'string', code, body: expect.any(String) })

describe('the guest socket', () => {
  it('is refused with 403 for another deployment', async () => {
    const { emulator } = await start()
    await expect(openSocket(guestUrl(emulator, randomUUID()), () => undefined)).rejects.toThrow('403')
  })

  it.each([
    ['https://www.example.com', true],
    ['https://www.example.com:8443', true],
    ['shop.www.example.com', true],
    ['https://example.com', false],
    ['https://badwww.example.com', false],
    ['', false],
  ])('is opened from the allowed domains only: %s %s', async (origin, opens) => {
    const { emulator } = await start()
    emulator.setSwitches({ allowedDomains: ['www.example.com'] })
    const opening = guest(emulator, undefined, origin).then(
      () => true,
      (error: Error) => error.message.includes('101'),
    )
    expect(await opening).toBe(opens)
  })

  it('is cut by its kind, as if the network were gone', async () => {
    const { own, guest } = await configured()
    expect(await read(own('POST', '/sockets/cut', { kind: 'notifications' }))).toEqual({ cut: 0 })
    expect(await read(own('POST', '/sockets/cut', { kind: 'guest' }))).toEqual({ cut: 1 })
    expect(await guest.closed).toBe(1006)
    expect((await own('POST', '/sockets/cut', { kind: 'other' })).status).toBe(400)
  })
})

describe('a session', () => {
  it('is new for a new token, with its limits', async () => {
    const { emulator } = await start()
    const answer = await (await guest(emulator)).configure()
    expect(membersOf(answer)).toEqual(membersOf(guestSample('SessionResponse')))
    expect(answer.body).toMatchObject({
      connected: true,
      newSession: true,
      readOnly: false,
      allowedMedia: { inbound: { fileTypes: [{ type: '*/*' }], maxFileSizeKB: 10_240 } },
      durationSeconds: 3 * day,
      expirationDate: Date.parse('2026-10-05T09:10:00Z') / 1000,
    })
  })

  it('is found again by its token after the connection was lost', async () => {
    const { emulator, guest: first } = await configured()
    first.message({ type: 'Text', text: 'Hello' })
    await first.next()
    first.drop()
    const again = await guest(emulator, first.token)
    expect((await again.configure()).body).toMatchObject({ newSession: false, clearedExistingSession: false })
    again.message({ type: 'Text', text: 'Still here' })
    await again.next()
    const [conversation, ...others] = emulator.conversations()
    expect(others).toEqual([])
    expect(emulator.conversation(String(conversation?.id)).messages.map(({ text }) => text)).toEqual([
      'Hello',
      'Still here',
    ])
  })

  it('begins anew if asked to', async () => {
    const { emulator, guest: one } = await configured()
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    expect((await one.configure({ startNew: true })).body).toMatchObject({
      newSession: true,
      clearedExistingSession: true,
    })
    one.message({ type: 'Text', text: 'Hello again' })
    await one.next()
    expect(emulator.conversations().length).toBe(2)
  })

  it('tells its limits without being begun', async () => {
    const { emulator } = await start()
    const one = await guest(emulator)
    const answer = await one.ask({ action: 'getConfiguration', deploymentId })
    expect(membersOf(answer)).toEqual(membersOf(guestSample('GetConfigurationResponse')))
    one.message({ type: 'Text', text: 'Hello' })
    expect(await one.next()).toMatchObject(refusal(4007))
  })

  it('tells the types of the deployment’s profile, and none where files are disabled', async () => {
    const { emulator, client } = await start()
    const call = await client()
    const { id } = await read<Schemas['SupportedContent']>(
      call('POST', '/api/v2/conversations/messaging/supportedcontent', {
        name: 'PDF',
        mediaTypes: { allow: { inbound: [{ type: 'application/pdf' }] } },
      }),
    )
    emulator.useProfile(id)
    const one = await guest(emulator)
    const types = async () => (await one.configure()).body.allowedMedia?.inbound.fileTypes
    expect(await types()).toEqual([{ type: 'application/pdf' }])
    emulator.setSwitches({ attachments: 'disabled' })
    expect(await types()).toEqual([])
  })

  it('has three connections; a fourth closes the oldest', async () => {
    const { emulator, guest: first } = await configured()
    for (let turn = 0; turn < 3; turn += 1) await (await guest(emulator, first.token)).configure()
    expect(await first.next()).toEqual(guestSample('ConnectionClosedEvent'))
    expect(await first.closed).toBe(1000)
  })

  it('closes its other connections when it is closed', async () => {
    const { emulator, guest: first } = await configured()
    const second = await guest(emulator, first.token)
    await second.configure()
    const answer = await second.ask({ action: 'closeSession', closeAllConnections: true })
    expect(answer).toMatchObject({ class: 'SessionResponse', body: { connected: false } })
    expect(await first.next()).toMatchObject({ class: 'ConnectionClosedEvent' })
    await first.closed
    second.message({ type: 'Text', text: 'Hello' })
    expect(await second.next()).toMatchObject(refusal(4007))
  })

  it('expires 72 hours after its last message', async () => {
    const { guest: one, passSeconds } = await configured()
    passSeconds(3 * day - 1)
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    passSeconds(3 * day - 1)
    expect(await one.waiting()).toEqual([])
    passSeconds(1)
    expect(await one.next()).toEqual(guestSample('SessionExpiredEvent'))
    one.message({ type: 'Text', text: 'Too late' })
    expect(await one.next()).toMatchObject(refusal(4006))
    one.send({ action: 'configureSession', deploymentId })
    expect(await one.next()).toMatchObject(refusal(4006))
    expect((await one.configure({ startNew: true })).body).toMatchObject({ newSession: true })
  })

  it('is over for good once the guest clears it', async () => {
    const { emulator, guest: one } = await configured()
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    one.send({ ...guestSample('onMessage.clear.request'), action: 'onMessage', token: one.token })
    expect(await one.next()).toEqual(guestSample('SessionClearedEvent'))
    one.message({ type: 'Text', text: 'Hello?' })
    expect(await one.next()).toMatchObject(refusal(4007))
    expect((await one.configure()).body).toMatchObject({ newSession: true })
    const [{ id }] = emulator.conversations() as [{ id: string }]
    expect(() => emulator.customerSends(id, { text: 'Hello' })).toThrow('read-only')
  })

  it('cannot be cleared where the deployment does not allow it', async () => {
    const { emulator, guest: one } = await configured()
    emulator.setSwitches({ conversationClear: 'disabled' })
    one.send({ ...guestSample('onMessage.clear.request'), action: 'onMessage', token: one.token })
    expect(await one.next()).toMatchObject({
      ...refusal(403),
      body: 'Presence events Conversation Clear are not supported',
    })
  })

  it('answers an echo, twice a minute', async () => {
    const { guest: one, passSeconds } = await configured()
    const { action: _, token: __, ...echo } = guestSample('echo.request') as unknown as Record<string, unknown>
    const ping = () => one.ask({ ...echo, action: 'echo' })
    const answer = await ping()
    expect(membersOf(answer)).toEqual(membersOf(guestSample('echo.response')))
    expect(answer).toMatchObject({ tracingId: echo.tracingId, body: { text: 'ping' } })
    await ping()
    expect(await ping()).toMatchObject({ class: 'TooManyRequestsErrorMessage', body: { retryAfter: 60 } })
    passSeconds(60)
    expect(await ping()).toMatchObject({ class: 'StructuredMessage' })
  })
})

describe('the end of a conversation', () => {
  async function ended(conversationDisconnect: 'ReadOnly' | 'Send') {
    const started = await configured()
    started.emulator.setSwitches({ conversationDisconnect })
    started.guest.message({ type: 'Text', text: 'Hello' })
    await started.guest.next()
    const [{ id }] = started.emulator.conversations() as [{ id: string }]
    const call = await started.client()
    const path = `/api/v2/conversations/messages/${id}`
    expect((await call('PATCH', path, { state: 'connected' })).status).toBe(400)
    expect((await call('PATCH', path, { state: 'disconnected' })).status).toBe(200)
    return { ...started, event: await started.guest.next() }
  }

  it('is told, and nothing may be sent any more', async () => {
    const { guest: one, event } = await ended('ReadOnly')
    expect(membersOf(event)).toEqual(membersOf(guestSample('StructuredMessage.disconnect')))
    expect(event.body.metadata).toEqual({ readOnly: 'true' })
    one.message({ type: 'Text', text: 'But' })
    expect(await one.next()).toMatchObject(refusal(409))
    one.send({ action: 'onAttachment', fileName: 'a.pdf', fileType: 'application/pdf', fileSize: 1 })
    expect(await one.next()).toMatchObject(refusal(409))
    expect((await one.configure()).body).toMatchObject({ newSession: false, readOnly: true })
    expect((await one.configure({ startNew: true })).body).toMatchObject({ newSession: true, readOnly: false })
  })

  it('lets the guest begin another one where the deployment says so', async () => {
    const { emulator, guest: one, event } = await ended('Send')
    expect(event.body.metadata).toEqual({ readOnly: 'false' })
    one.message({ type: 'Text', text: 'And' })
    expect(await one.next()).toMatchObject({ class: 'StructuredMessage', body: { text: 'And' } })
    expect(emulator.conversations().length).toBe(2)
  })

  it('can be brought about by a script, as can the session’s', async () => {
    const { emulator, own, guest: one } = await configured()
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    const [{ id }] = await read<[{ id: string }]>(own('GET', '/conversations'))
    const post = async (path: string, body?: unknown) => (await own('POST', `/conversations/${path}`, body)).status
    expect(await post(`${id}/guest`, { event: 'logout' })).toBe(204)
    expect(await one.next()).toEqual(guestSample('LogoutEvent'))
    expect(await post(`${id}/end`)).toBe(204)
    expect(await one.next()).toMatchObject({ body: { events: [{ presence: { type: 'Disconnect' } }] } })
    expect(await post(`${id}/guest`, { event: 'expire' })).toBe(204)
    expect(await one.next()).toMatchObject({ class: 'SessionExpiredEvent' })
    expect(await post(`${id}/guest`, { event: 'other' })).toBe(400)
    expect(await post(`${emulator.createConversation().id}/guest`, { event: 'expire' })).toBe(400)
    expect(await post('unknown/end')).toBe(404)
  })
})

describe('a request', () => {
  it.each([
    ['of no JSON', '{', 400],
    ['of a list', [], 400],
    ['of an unknown action', { action: 'fly' }, 400],
    ['of an inherited action', { action: 'constructor' }, 400],
    ['without a token', { action: 'configureSession', token: undefined, deploymentId }, 4020],
    ['without a deployment', { action: 'configureSession' }, 4020],
    ['for another deployment', { action: 'configureSession', deploymentId: randomUUID() }, 404],
    ['with too long a token', { action: 'configureSession', deploymentId, token: 'x'.repeat(2049) }, 400],
    ['before a session', { action: 'onMessage', message: { type: 'Text', text: 'Hello' } }, 4007],
    ['of another session', { action: 'getJwt', token: 'other' }, 4007],
    ['that proves nothing', { action: 'configureAuthenticatedSession', deploymentId, data: { code: 'x.y.z' } }, 403],
  ])('%s is refused', async (_, frame, code) => {
    const { emulator } = await start()
    const one = await guest(emulator)
    if (typeof frame === 'string' || Array.isArray(frame)) one.sendRaw(frame)
    else one.say(frame)
    expect(await one.next()).toMatchObject(refusal(code))
  })

  it('is one of 60 a minute on a connection', async () => {
    const { guest: one, passSeconds } = await configured()
    for (let turn = 0; turn < 59; turn += 1) one.say({ action: 'getJwt' })
    expect((await one.waiting()).every((frame) => frame.class === 'JwtResponse')).toBe(true)
    one.say({ action: 'getJwt' })
    const answer = await one.next()
    expect(membersOf(answer)).toEqual(membersOf(guestSample('TooManyRequestsErrorMessage')))
    expect(answer).toMatchObject({ code: 429, body: { errorCode: 4029 } })
    passSeconds(60)
    expect(await one.ask({ action: 'getJwt' })).toMatchObject({ class: 'JwtResponse' })
  })
})

describe('a guest who proves who they are', () => {
  const exchange = '/api/v2/webdeployments/token/oauthcodegrantjwtexchange'
  const json = (body: unknown) => ({
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  })

  async function authenticated() {
    const started = await start()
    const tokens = await read<Required<Schemas['WebDeploymentsAuthorizationResponse']>>(
      started.platform(exchange, json({ deploymentId, oauth: { code: 'c', redirectUri: 'https://www.example.com' } })),
    )
    const one = await guest(started.emulator)
    const open = (code: string) => one.ask({ action: 'configureAuthenticatedSession', deploymentId, data: { code } })
    return { ...started, ...tokens, guest: one, open }
  }

  it('has an authenticated conversation', async () => {
    const { emulator, client, guest: one, open, jwt } = await authenticated()
    expect(await open(jwt)).toMatchObject({ class: 'SessionResponse', body: { connected: true } })
    one.message({ type: 'Text', text: 'Hello' })
    await one.next()
    const call = await client()
    const [{ id }] = emulator.conversations() as [{ id: string }]
    const view = await read<Schemas['MessageConversation']>(call('GET', `/api/v2/conversations/messages/${id}`))
    expect(view.participants?.[0]?.authenticated).toBe(true)
  })

  it('cannot go back to being unknown', async () => {
    const { guest: one, open, jwt } = await authenticated()
    await open(jwt)
    one.send({ action: 'configureSession', deploymentId })
    expect(await one.next()).toMatchObject(refusal(4017))
  })

  it('gets another proof for the refresh token, until logged out', async () => {
    const { platform, guest: one, open, jwt, refreshToken } = await authenticated()
    const refresh = () => platform('/api/v2/webdeployments/token/refresh', json({ refreshToken, deploymentId }))
    const { jwt: second = '' } = await read<Schemas['SignedData']>(refresh())
    expect(await open(second)).toMatchObject({ class: 'SessionResponse' })
    const revoke = { method: 'DELETE', headers: { authorization: `bearer ${jwt}` } }
    expect((await platform('/api/v2/webdeployments/token/revoke', revoke)).status).toBe(200)
    expect(await one.next()).toEqual(guestSample('LogoutEvent'))
    expect((await refresh()).status).toBe(401)
    expect((await platform('/api/v2/webdeployments/token/revoke', { method: 'DELETE' })).status).toBe(401)
  })

  it('proves it for an hour', async () => {
    const { open, jwt, passSeconds } = await authenticated()
    passSeconds(3600)
    expect(await open(jwt)).toMatchObject(refusal(403))
  })

  it.each([[{}], [{ deploymentId: 'other', oauth: { code: 'c' } }], [{ deploymentId, oauth: {} }]])(
    'must say with what: %j',
    async (body) => {
      const { platform } = await start()
      expect((await platform(exchange, json(body))).status).toBe(400)
    },
  )
})

describe('the deployment’s public files', () => {
  const file = (name: string, id = deploymentId) => `/webdeployments/v1/deployments/${id}/${name}.json`

  it('are those of the platform, for any origin', async () => {
    const { emulator, platform } = await start()
    const answer = await platform(file('config'), { headers: { origin: 'https://www.example.com' } })
    expect(answer.headers.get('access-control-allow-origin')).toBe('*')
    const config = await read<Record<string, unknown>>(answer)
    expect(membersOf(config)).toEqual(membersOf(sampleNamed('cdn.deployment.config')))
    expect(config).toMatchObject({
      apiEndpoint: emulator.url,
      messenger: { apps: { conversations: { messagingEndpoint: emulator.url.replace('http', 'ws') } } },
    })
  })

  it('name the allowed domains', async () => {
    const { emulator, platform } = await start()
    expect(await read(platform(file('domains')))).toEqual({ allowAllDomains: true, allowedDomains: [] })
    emulator.setSwitches({ allowedDomains: ['www.example.com', 'localhost'] })
    expect(await read(platform(file('domains')))).toEqual(sampleNamed('cdn.deployment.domains'))
  })

  it.each(['config', 'domains'])('of an unknown deployment are forbidden: %s', async (name) => {
    const { platform } = await start()
    expect((await platform(file(name, randomUUID()))).status).toBe(403)
  })
})
