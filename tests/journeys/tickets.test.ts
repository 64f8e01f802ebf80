import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { jpegOfSize, png, text } from '../fixtures/files.ts'
import { eventually, keys, type Pushed, startTestService, type TestService } from '../harness.ts'
import { storedText } from '../sharedPostgres.ts'
import { formHead, pushHead, rawClient } from './raw.ts'

async function issue({ url }: TestService, terms: object | string, key = keys.push) {
  const answer = await fetch(`${url}/v1/tickets`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: typeof terms === 'string' ? terms : JSON.stringify(terms),
  })
  return { status: answer.status, body: (await answer.json()) as { ticket: string; expiresAt: string; code: string } }
}

async function pushWith(
  { url }: TestService,
  ticket: string,
  file = text(),
  query = '',
  headers: Record<string, string> = {},
) {
  const form = new FormData()
  form.append('file', new Blob([new Uint8Array(file.bytes)], { type: file.type }), file.name)
  const answer = await fetch(`${url}/webhook/file-upload${query}`, {
    method: 'POST',
    headers: { authorization: `Ticket ${ticket}`, ...headers },
    body: form,
  })
  return { status: answer.status, headers: answer.headers, body: (await answer.json()) as Pushed['body'] }
}

describe('a ticket', () => {
  it('lets one file into its conversation without a secret, in its language, and then it is spent', async () => {
    const service = await startTestService()
    const conversationId = service.conversation()
    const { status, body } = await issue(service, { conversationId, messageId: 'm-1', language: 'de' })
    expect([status, body]).toEqual([
      201,
      { ticket: expect.stringMatching(/^tkt_.{32}$/), expiresAt: expect.any(String) },
    ])
    const first = await pushWith(service, body.ticket, await png())
    expect([first.status, first.body.attachment]).toEqual([
      200,
      expect.objectContaining({ conversationId, messageId: 'm-1' }),
    ])
    expect((await service.confirmations(conversationId))[0]).toContain('erhalten')
    const second = await pushWith(service, body.ticket)
    expect([second.status, second.body.code]).toEqual([401, 'unauthorized'])
  })

  it('is good for as many files as it says, refused ones too', async () => {
    const service = await startTestService()
    const { body } = await issue(service, { conversationId: 'c-1', maxFiles: 3 })
    const answers = [
      await pushWith(service, body.ticket),
      await pushWith(service, body.ticket, text('a.txt', '<html>')),
      await pushWith(service, body.ticket),
      await pushWith(service, body.ticket),
    ]
    expect(answers.map(({ status }) => status)).toEqual([200, 415, 200, 401])
  })

  it('used by twenty at once lets in exactly as many as it says', async () => {
    const service = await startTestService()
    const { body } = await issue(service, { conversationId: 'c-1', maxFiles: 2 })
    const answers = await Promise.all(Array.from({ length: 20 }, () => pushWith(service, body.ticket)))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, ...Array(18).fill(401)])
    expect((await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items).toHaveLength(2)
  })

  it('is not for another conversation or message: 403', async () => {
    const service = await startTestService()
    const { body } = await issue(service, { conversationId: 'c-1', messageId: 'm-1' })
    for (const query of ['?conversation_id=c-2', '?message_id=m-2'])
      expect((await pushWith(service, body.ticket, text(), query)).body.code, query).toBe('forbidden')
    expect((await pushWith(service, body.ticket, text(), '?conversation_id=c-1&message_id=m-1')).status).toBe(200)
  })

  it('is not spent by a conflict, and another ticket of the conversation finds the delivery of the first', async () => {
    const service = await startTestService()
    const file = text()
    const key = { 'idempotency-key': 'photo-1' }
    const [a, b] = [await issue(service, { conversationId: 'c-1' }), await issue(service, { conversationId: 'c-1' })]
    const first = await pushWith(service, a.body.ticket, file, '', key)
    expect((await pushWith(service, b.body.ticket, text(), '', key)).status).toBe(409)
    const again = await pushWith(service, b.body.ticket, file, '', key)
    expect([again.status, again.body]).toEqual([200, first.body])
  })

  it('is not spent by a 503, a bad form or a cut connection', async () => {
    let verdict: 'failed' | 'clean' = 'failed'
    const scanner = fakeEngine({ say: () => ({ verdict }) })
    const service = await startTestService({ overrides: { scanners: [scanner] } })
    const { body } = await issue(service, { conversationId: 'c-1' })
    expect((await pushWith(service, body.ticket)).status).toBe(503)
    verdict = 'clean'
    const client = await rawClient(service.url)
    client.socket.write(
      `${pushHead(null, { Authorization: `Ticket ${body.ticket}`, 'Content-Length': '9999' })}${formHead()}abc`,
    )
    client.socket.destroy()
    const bad = await fetch(`${service.url}/webhook/file-upload`, {
      method: 'POST',
      headers: { authorization: `Ticket ${body.ticket}`, 'content-type': 'multipart/form-data; boundary=b' },
      body: 'nonsense',
    })
    expect(bad.status).toBe(400)
    expect((await pushWith(service, body.ticket)).status).toBe(200)
  })

  it('ends with its time', async () => {
    let now = new Date('2026-11-01T00:00:00Z')
    const service = await startTestService({ overrides: { clock: { ...systemClock, now: () => now } } })
    const { body } = await issue(service, { conversationId: 'c-1', expiresInSeconds: 60 })
    expect(body.expiresAt).toBe('2026-11-01T00:01:00.000Z')
    now = new Date('2026-11-01T00:01:00Z')
    expect((await pushWith(service, body.ticket)).status).toBe(401)
    await service.service.sweep()
    now = new Date('2026-11-01T00:00:30Z')
    expect((await pushWith(service, body.ticket)).status).toBe(401)
  })

  it('outlives a restart, and is kept by a keyed digest only', async () => {
    const service = await startTestService()
    const { body } = await issue(service, { conversationId: 'c-1' })
    await service.service.stop()
    expect(storedText(service.dataDir)).not.toContain(body.ticket)
    const again = await startTestService({ dataDir: service.dataDir })
    expect((await pushWith(again, body.ticket)).status).toBe(200)
  })

  it('that is unknown or malformed is 401, and nothing is left', async () => {
    const service = await startTestService()
    for (const ticket of ['tkt_x', `tkt_${'A'.repeat(32)}`, 'x'.repeat(5000)])
      expect((await pushWith(service, ticket)).status).toBe(401)
    expect((await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items).toEqual([])
    expect(JSON.stringify(service.logged)).not.toContain('tkt_')
  })
})

describe('issuing a ticket', () => {
  it('needs the scope push', async () => {
    const service = await startTestService()
    expect((await issue(service, { conversationId: 'c-1' }, keys.read)).status).toBe(403)
    expect((await issue(service, { conversationId: 'c-1' }, 'no-such-key-0123456789012')).status).toBe(401)
  })

  it.each([
    ['no conversation', '{}'],
    ['an unknown key', '{"conversationId":"c","extra":1}'],
    ['a key twice', '{"conversationId":"c","conversationId":"d"}'],
    ['a key twice, spelled with an escape', '{"conversationId":"c","conversation\\u0049d":"d"}'],
    ['__proto__', '{"conversationId":"c","__proto__":{"maxFiles":100}}'],
    ['more files than may be', '{"conversationId":"c","maxFiles":101}'],
    ['no time', '{"conversationId":"c","expiresInSeconds":0}'],
    ['an id that could not stand in a path', '{"conversationId":"../x"}'],
    ['no JSON', 'conversationId=c'],
    ['a list', '[]'],
    ['too much', `{"conversationId":"${'c'.repeat(20_000)}"}`],
  ])('refuses %s', async (_, body) => {
    const service = await startTestService()
    const answer = await issue(service, body)
    expect([answer.status, answer.body.code]).toEqual([400, 'bad_request'])
  })
})

describe('a page on another origin', () => {
  const origin = 'https://chat.example.com'
  const preflight = ({ url }: TestService, from: string) =>
    fetch(`${url}/webhook/file-upload`, {
      method: 'OPTIONS',
      headers: {
        origin: from,
        'access-control-request-method': 'POST',
        'access-control-request-headers': 'authorization',
      },
    })

  it('that is configured may send with a ticket and read every answer', async () => {
    const service = await startTestService({
      env: { CORS_ORIGINS: `https://other.example.com,${origin}`, MAX_FILE_BYTES: '100000' },
    })
    const asked = await preflight(service, origin)
    expect([asked.status, asked.headers.get('access-control-allow-origin')]).toEqual([204, origin])
    expect(asked.headers.get('access-control-allow-headers')).toMatch(/Authorization/)
    const { body } = await issue(service, { conversationId: 'c-1', maxFiles: 2 })
    for (const file of [text(), await jpegOfSize(200_000)]) {
      const { headers } = await pushWith(service, body.ticket, file, '', { origin })
      expect(headers.get('access-control-allow-origin')).toBe(origin)
      expect(headers.get('vary')).toContain('Origin')
    }
    const { status, headers } = await pushWith(service, body.ticket, text(), '', { origin })
    expect([status, headers.get('access-control-allow-origin')]).toEqual([401, origin])
    const policy = await fetch(`${service.url}/v1/policy`, { headers: { origin } })
    expect(policy.headers.get('access-control-allow-origin')).toBe(origin)
  })

  it('that is not configured is told nothing', async () => {
    const service = await startTestService({ env: { CORS_ORIGINS: origin } })
    for (const from of ['https://evil.example.com', 'null', `${origin}.evil.com`])
      expect((await preflight(service, from)).headers.get('access-control-allow-origin')).toBeNull()
    const policy = await fetch(`${service.url}/v1/policy`, { headers: { origin: 'https://evil.example.com' } })
    expect(policy.headers.get('access-control-allow-origin')).toBeNull()
    const plain = await startTestService()
    expect((await preflight(plain, origin)).status).toBe(405)
  })
})

describe('places', () => {
  it('of senders that have proved nothing yet are few and their own, so that they keep nobody else out', async () => {
    const secret = 'a-signing-secret-of-a-partner'
    const service = await startTestService({ env: { PUSH_SIGNING_SECRETS: secret, MAX_UPLOADS: '2' } })
    const time = Math.floor(Date.now() / 1000)
    const holding = await Promise.all(
      Array.from({ length: 3 }, async (_, i) => {
        const client = await rawClient(service.url)
        const signature = `t=${time},v1=${String(i).repeat(64)}`
        client.socket.write(
          `${pushHead(null, { 'X-Clipgate-Signature': signature, 'Content-Length': '1000' })}${formHead()}abc`,
        )
        return client
      }),
    )
    await eventually(
      () => service.logged.filter(({ msg, status }) => msg === 'request served' && status === 503).length,
      (count) => count === 1,
    )
    expect((await service.push(text())).status).toBe(200)
    for (const { socket } of holding) socket.destroy()
  })
})
