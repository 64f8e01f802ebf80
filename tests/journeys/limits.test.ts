import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { keys, startTestService, type TestService } from '../harness.ts'
import { pushHead, rawClient } from './raw.ts'

const count = async ({ get }: TestService) =>
  (await get<{ items: Attachment[] }>('/v1/attachments?limit=200')).body.items.length

/** A clock that a test moves. */
function movable(from: string) {
  let now = new Date(from)
  return {
    clock: { ...systemClock, now: () => now },
    to(time: string) {
      now = new Date(time)
    },
  }
}

describe('RATE_LIMIT', () => {
  it('lets each credential push so often a minute, each for itself', async () => {
    const { clock, to } = movable('2026-11-01T00:00:00Z')
    const service = await startTestService({ env: { RATE_LIMIT: '3' }, overrides: { clock } })
    const statuses = []
    for (let i = 0; i < 4; i++) statuses.push((await service.push(text())).status)
    expect(statuses).toEqual([200, 200, 200, 429])
    expect((await service.push(text(), { key: keys.push })).status).toBe(200)
    to('2026-11-01T00:00:59Z')
    const { status, body, headers } = await service.push(text())
    expect([status, body.code, headers.get('retry-after')]).toEqual([429, 'rate_limited', '1'])
    to('2026-11-01T00:01:00Z')
    expect((await service.push(text())).status).toBe(200)
    expect(await count(service)).toBe(5)
  })

  it('costs a throttled sender no byte of its body: it is told before it may go on', async () => {
    const { clock } = movable('2026-11-01T00:00:00Z')
    const service = await startTestService({ env: { RATE_LIMIT: '1' }, overrides: { clock } })
    await service.push(text(), { key: keys.push })
    const client = await rawClient(service.url)
    client.socket.write(pushHead(keys.push, { 'Content-Length': '5000000', Expect: '100-continue' }))
    const answer = await client.until(/"requestId":"[^"]+"/)
    expect(answer).toMatch(/^HTTP\/1\.1 429 /)
    expect(answer).not.toContain('100 Continue')
    client.socket.destroy()
  })

  it('is not undone by a clock that is set back', async () => {
    const { clock, to } = movable('2026-11-01T01:00:00Z')
    const service = await startTestService({ env: { RATE_LIMIT: '1' }, overrides: { clock } })
    await service.push(text())
    to('2026-11-01T00:00:00Z')
    expect((await service.push(text())).status).toBe(200)
    expect((await service.push(text())).status).toBe(429)
  })

  it('of signed pushes goes by address, which a sender cannot make up', async () => {
    const secret = 'a-signing-secret-of-a-partner'
    const { clock } = movable('2026-11-01T00:00:00Z')
    const service = await startTestService({
      env: { RATE_LIMIT: '2', PUSH_SIGNING_SECRETS: secret },
      overrides: { clock },
    })
    const push = async (forwardedFor: string) => {
      const time = clock.now().getTime() / 1000
      const v1 = createHmac('sha256', 'not the secret').update(forwardedFor).digest('hex')
      const answer = await fetch(`${service.url}/webhook/file-upload`, {
        method: 'POST',
        headers: {
          'x-clipgate-signature': `t=${time},v1=${v1}`,
          'x-forwarded-for': forwardedFor,
          'content-type': 'multipart/form-data; boundary=b',
        },
        body: '--b--\r\n',
      })
      return answer.status
    }
    expect([await push('10.0.0.1'), await push('10.0.0.2'), await push('10.0.0.3')]).toEqual([401, 401, 429])
  })

  it('believes X-Forwarded-For of a proxy that is configured', async () => {
    const secret = 'a-signing-secret-of-a-partner'
    const service = await startTestService({
      env: { RATE_LIMIT: '1', PUSH_SIGNING_SECRETS: secret, TRUSTED_PROXIES: '127.0.0.1' },
    })
    const push = async (forwardedFor: string, i: number) => {
      const answer = await fetch(`${service.url}/webhook/file-upload`, {
        method: 'POST',
        headers: {
          'x-clipgate-signature': `t=${Math.floor(Date.now() / 1000)},v1=${String(i).repeat(64)}`,
          'x-forwarded-for': forwardedFor,
          'content-type': 'multipart/form-data; boundary=b',
        },
        body: '--b--\r\n',
      })
      return answer.status
    }
    expect([await push('192.0.2.1', 1), await push('192.0.2.2', 2), await push('192.0.2.1', 3)]).toEqual([
      401, 401, 429,
    ])
  })
})

describe('the quota of a conversation and day', () => {
  it('is so many files, and none of another conversation', async () => {
    const { clock, to } = movable('2026-11-01T23:00:00Z')
    const service = await startTestService({ env: { QUOTA_FILES_PER_CONVERSATION_DAY: '2' }, overrides: { clock } })
    const push = async (conversationId: string) => {
      const { status, body, headers } = await service.push(text(), { conversationId })
      return [status, body.code, headers.get('retry-after')]
    }
    expect([await push('c-1'), await push('c-1')].map(([status]) => status)).toEqual([200, 200])
    expect(await push('c-1')).toEqual([429, 'quota_exceeded', '3600'])
    expect((await push('c-2'))[0]).toBe(200)
    to('2026-11-02T00:00:00Z')
    expect((await push('c-1'))[0]).toBe(200)
  })

  it('is so many bytes: a file that does not fit is not taken, a smaller one is', async () => {
    const service = await startTestService({ env: { QUOTA_BYTES_PER_CONVERSATION_DAY: '250000' } })
    const push = async (size: number) => (await service.push(await jpegOfSize(size), { conversationId: 'c-1' })).status
    expect([await push(200_000), await push(60_000), await push(50_000), await push(5_000)]).toEqual([
      200, 429, 200, 429,
    ])
  })

  it('at one less than full lets in exactly one of many at once, whose bytes are all that is kept', async () => {
    const service = await startTestService({ env: { QUOTA_FILES_PER_CONVERSATION_DAY: '5' } })
    const push = () => service.push(text(), { conversationId: 'c-1' })
    for (let i = 0; i < 4; i++) await push()
    const answers = await Promise.all(Array.from({ length: 20 }, push))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(429)])
    expect(await count(service)).toBe(5)
  })

  it('does not change what a delivery was answered, once it is full', async () => {
    const service = await startTestService({ env: { QUOTA_FILES_PER_CONVERSATION_DAY: '1' } })
    const file = text()
    const push = (idempotencyKey: string) => service.push(file, { conversationId: 'c-1', idempotencyKey })
    const [first, second] = [await push('a'), await push('a')]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body).toEqual(first.body)
    expect((await push('b')).status).toBe(429)
  })

  it('is not used by the same delivery again, nor by what ends in a 503', async () => {
    let failing = true
    const scanner = fakeEngine({ say: () => ({ verdict: failing ? 'failed' : 'clean' }) })
    const service = await startTestService({
      env: { QUOTA_FILES_PER_CONVERSATION_DAY: '2' },
      overrides: { scanners: [scanner] },
    })
    const file = text()
    const push = (idempotencyKey: string, what = file) => service.push(what, { conversationId: 'c-1', idempotencyKey })
    expect((await push('a')).status).toBe(503)
    failing = false
    expect([(await push('a')).status, (await push('a')).status]).toEqual([200, 200])
    expect((await push('b', text())).status).toBe(200)
    expect((await push('c', text())).status).toBe(429)
  })
})
