import { describe, expect, it } from 'vitest'
import { basic, type ErrorBody, read, sample, sendPath, start, tokenRequest } from './start.ts'

const everyCall = 'GET /api/v2/*'
const me = '/api/v2/tokens/me'

describe('a fault with a status', () => {
  it.each([400, 401, 403, 404, 415, 500, 502, 503, 504])('%i is answered in the platform’s form', async (status) => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([{ route: everyCall, status }])
    const answer = await call('GET', me)
    expect(answer.status).toBe(status)
    expect(await read(answer)).toMatchObject({ status })
  })

  it('429 says when to come back, in the header and in the text', async () => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([{ route: everyCall, status: 429, retryAfter: 42 }])
    const answer = await call('GET', me)
    expect(answer.headers.get('retry-after')).toBe('42')
    const { contextId: _, ...expected } = sample<ErrorBody>('error.429.tooManyRequests')
    expect(await read(answer)).toMatchObject(expected)
  })

  it('503 may say when to come back', async () => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([{ route: everyCall, status: 503, retryAfter: 0 }])
    expect((await call('GET', me)).headers.get('retry-after')).toBe('0')
  })

  it('has the login’s own form at the login', async () => {
    const { emulator, platform } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 429, retryAfter: 2 }])
    const answer = await platform('/oauth/token', tokenRequest())
    expect(answer.status).toBe(429)
    expect(answer.headers.get('retry-after')).toBe('2')
    expect(await read(answer)).toMatchObject({ error: 'temporarily_unavailable' })
    expect((await platform('/oauth/token', tokenRequest())).status).toBe(200)
  })

  it('leaves the work undone', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    emulator.setFaults([{ route: 'POST /api/v2/conversations/messages/*', status: 500 }])
    await call('POST', sendPath(ids), { textBody: 'Hello' })
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('comes before the token is looked at', async () => {
    const { emulator, platform } = await start()
    emulator.setFaults([{ route: everyCall, status: 503 }])
    expect((await platform(me)).status).toBe(503)
  })
})

describe('a fault that cuts', () => {
  it('loses the answer, but the work was done', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    emulator.setFaults([{ route: 'POST /api/v2/conversations/messages/*', cut: true }])
    await expect(call('POST', sendPath(ids), { textBody: 'Hello' })).rejects.toThrow('fetch failed')
    expect(emulator.conversation(ids.id).messages).toMatchObject([{ text: 'Hello' }])
    expect(emulator.requests().at(-1)?.status).toBe(0)
  })

  it('with a status leaves the work undone too', async () => {
    const { emulator, client } = await start()
    const ids = emulator.createConversation()
    const call = await client()
    emulator.setFaults([{ route: 'POST /api/v2/*', cut: true, status: 503 }])
    await expect(call('POST', sendPath(ids), { textBody: 'Hello' })).rejects.toThrow('fetch failed')
    expect(emulator.conversation(ids.id).messages).toEqual([])
  })

  it('at the login loses the token', async () => {
    const { emulator, platform } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', cut: true }])
    await expect(platform('/oauth/token', tokenRequest())).rejects.toThrow('fetch failed')
    expect(emulator.revokeTokens()).toEqual({ revoked: 1 })
  })
})

describe('a fault that delays', () => {
  it('answers as always, later', async () => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([{ route: everyCall, delayMs: 30 }])
    const before = performance.now()
    expect((await call('GET', me)).status).toBe(200)
    expect(performance.now() - before).toBeGreaterThanOrEqual(29)
  })

  it('does not hold up the end of the emulator', async () => {
    const { emulator, platform, own } = await start()
    emulator.setFaults([{ route: everyCall, delayMs: 3_600_000 }])
    const waiting = platform(me).catch((error: Error) => error.message)
    await own('GET', '/requests')
    await emulator.close()
    expect(await waiting).toBe('fetch failed')
  })
})

describe('faults', () => {
  it('apply as often as they say, the first that matches first', async () => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([
      { route: 'GET /api/v2/conversations/*', status: 500 },
      { route: everyCall, status: 503, times: 2 },
      { route: everyCall, status: 504 },
    ])
    const statuses: number[] = []
    for (let turn = 0; turn < 4; turn += 1) statuses.push((await call('GET', me)).status)
    expect(statuses).toEqual([503, 503, 504, 200])
  })

  it.each([
    ['the whole path', 'GET /api/v2/tokens/me', true],
    ['a star in the middle', 'GET /api/*/me', true],
    ['another method', 'POST /api/v2/tokens/me', false],
    ['a part of the path without star', 'GET /api/v2/tokens', false],
    ['a dot that is only a dot', 'GET /api/v2/tokens.me', false],
  ])('match %s: %s', async (_, route, matches) => {
    const { emulator, client } = await start()
    const call = await client()
    emulator.setFaults([{ route, status: 503 }])
    expect((await call('GET', `${me}?preserveIdleTTL=true`)).status).toBe(matches ? 503 : 200)
  })

  it('are gone when another list takes their place', async () => {
    const { client, own } = await start()
    const call = await client()
    expect((await own('PUT', '/faults', [{ route: everyCall, status: 503 }])).status).toBe(200)
    expect((await own('PUT', '/faults', [])).status).toBe(200)
    expect((await call('GET', me)).status).toBe(200)
  })

  it.each([
    [{}, 'list'],
    [[1], 'fault 0'],
    [[{ status: 500 }], 'route'],
    [[{ route: 'GET api', status: 500 }], 'route'],
    [[{ route: 'GOT /api', status: 500 }], 'route'],
    [[{ route: 'GET /_emulator/requests', status: 500 }], 'route'],
    [[{ route: everyCall }], 'one of'],
    [[{ route: everyCall, status: 200 }], 'status'],
    [[{ route: everyCall, status: '500' }], 'status'],
    [[{ route: everyCall, retryAfter: 1, cut: true }], 'retryAfter'],
    [[{ route: everyCall, status: 500, times: 0 }], 'times'],
    [[{ route: everyCall, delayMs: -1 }], 'delayMs'],
    [[{ route: everyCall, cut: 'yes' }], 'cut'],
    [[{ route: everyCall, cutAfterBytes: -1 }], 'cutAfterBytes'],
    [[{ route: everyCall, endless: 1 }], 'endless'],
    [[{ route: everyCall, garbled: false }], 'one of'],
    [
      [
        { route: everyCall, status: 500 },
        { route: everyCall, state: 500 },
      ],
      'fault 1: unknown member state',
    ],
  ])('are refused as %j', async (list, named) => {
    const { own } = await start()
    const answer = await own('PUT', '/faults', list)
    expect(answer.status).toBe(400)
    expect((await read<{ message: string }>(answer)).message).toContain(named)
  })

  it('do not touch a wrong secret once they are used up', async () => {
    const { emulator, platform } = await start()
    emulator.setFaults([{ route: 'POST /oauth/*', status: 500 }])
    const wrong = tokenRequest(basic('demo-client', 'wrong'))
    expect((await platform('/oauth/token', wrong)).status).toBe(500)
    expect((await platform('/oauth/token', wrong)).status).toBe(401)
  })
})
