import { createHmac } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { type Fixture, jpegOfSize, png, text } from '../fixtures/files.ts'
import { type Pushed, startTestService, type TestService } from '../harness.ts'
import { formEnd, formHead } from './raw.ts'

const secret = 'a-signing-secret-of-a-partner'
const older = 'the-secret-before-the-rotation'
const path = '/webhook/file-upload'

interface Signed {
  path?: string
  /** Seconds from now. */
  age?: number
  secret?: string
  /** What is sent in place of what was signed. */
  sent?: { path?: string; body?: Buffer; signature?: string }
  headers?: Record<string, string>
}

function bodyOf(file: Fixture): Buffer {
  return Buffer.concat([Buffer.from(formHead(file.name, file.type)), file.bytes, Buffer.from(formEnd)])
}

function signatureOf(body: Buffer, time: number, path: string, key: string): string {
  const hmac = createHmac('sha256', key).update(`${time}.POST ${path}\n`).update(body)
  return `t=${time},v1=${hmac.digest('hex')}`
}

async function push({ url }: TestService, body: Buffer, options: Signed = {}) {
  const signedPath = options.path ?? path
  const time = Math.floor(Date.now() / 1000) - (options.age ?? 0)
  const signature = options.sent?.signature ?? signatureOf(body, time, signedPath, options.secret ?? secret)
  const answer = await fetch(url + (options.sent?.path ?? signedPath), {
    method: 'POST',
    headers: {
      'content-type': 'multipart/form-data; boundary=b',
      'x-clipgate-signature': signature,
      ...options.headers,
    },
    body: new Uint8Array(options.sent?.body ?? body),
  })
  return { status: answer.status, body: (await answer.json()) as Pushed['body'], signature }
}

const start = (env: Record<string, string> = {}, overrides = {}) =>
  startTestService({ env: { PUSH_SIGNING_SECRETS: `${secret},${older}`, ...env }, overrides })

/** No record, nothing said, nothing on the disk: only an event. */
async function expectNoTrace(service: TestService) {
  expect((await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items).toEqual([])
  expect(service.emulator.requests().filter(({ path }) => path.startsWith('/api/'))).toEqual([])
  expect(service.logged.some(({ msg }) => msg === 'credential refused')).toBe(true)
}

describe('a signed push', () => {
  it('goes in like any other, with either secret while they rotate', async () => {
    const service = await start()
    const conversationId = service.conversation()
    const path = `/webhook/file-upload?conversation_id=${conversationId}&language=de`
    const file = await png('unterschrieben.png')
    const { status, body } = await push(service, bodyOf(file), { path })
    expect([status, body.attachment.conversationId]).toEqual([200, conversationId])
    expect((await service.confirmations(conversationId))[0]).toContain('unterschrieben.png')
    expect((await push(service, bodyOf(await png()), { secret: older })).status).toBe(200)
  })

  it('of a refused file is recorded and confirmed, once its signature held', async () => {
    const service = await start({ MAX_FILE_BYTES: '100000' })
    const conversationId = service.conversation()
    const path = `/webhook/file-upload?conversation_id=${conversationId}`
    const refused = await push(service, bodyOf(text('a.txt', '<html>')), { path })
    expect([refused.status, refused.body.code]).toEqual([415, 'type_mismatch'])
    const large = await push(service, bodyOf(await jpegOfSize(500_000)), { path })
    expect([large.status, large.body.code, large.body.attachmentId]).toEqual([
      413,
      'too_large',
      expect.stringMatching(/^att_/),
    ])
    expect(await service.confirmations(conversationId, 2)).toHaveLength(2)
  })

  it('needs no API key to be configured', async () => {
    const service = await start({ API_KEYS: '' })
    expect((await push(service, bodyOf(await png()))).status).toBe(200)
  })
})

describe('a signature that does not hold', () => {
  const swapped = '/webhook/file-upload?conversation_id=00000000-0000-4000-8000-000000000001'
  const changed = (body: Buffer) => {
    const copy = Buffer.from(body)
    copy[copy.length - 30]! ^= 1
    return copy
  }

  it.each<[string, (body: Buffer) => Signed]>([
    ['for another conversation', () => ({ sent: { path: swapped } })],
    ['for other bytes: one of the file is changed', (body) => ({ sent: { body: changed(body) } })],
    [
      'for other bytes: some are added after the form',
      (body) => ({ sent: { body: Buffer.concat([body, Buffer.from('x')]) } }),
    ],
    ['over five minutes old', () => ({ age: 301 })],
    ['over five minutes ahead', () => ({ age: -302 })],
    ['by a secret that is not ours', () => ({ secret: 'a-secret-of-somebody-else' })],
    ['of no form that we know', () => ({ sent: { signature: 'v1=00' } })],
    ['empty', () => ({ sent: { signature: '' } })],
  ])('%s: 401, and no trace but an event', async (_, change) => {
    const service = await start()
    const body = bodyOf(await png())
    const answer = await push(service, body, change(body))
    expect([answer.status, answer.body.code]).toEqual([401, 'unauthorized'])
    await expectNoTrace(service)
  })

  it('leaves no trace of a file that would have been refused, or was cut at the limit, either', async () => {
    const service = await start({ MAX_FILE_BYTES: '100000' })
    for (const file of [
      text('a.txt', '<html>'),
      await jpegOfSize(300_000),
      { ...(await png()), bytes: Buffer.alloc(0) },
    ]) {
      const answer = await push(service, bodyOf(file), { secret: 'a-secret-of-somebody-else' })
      expect([answer.status, answer.body.attachmentId]).toEqual([401, undefined])
    }
    await expectNoTrace(service)
  })

  it('is not asked about by any engine', async () => {
    let asked = 0
    const scanner = fakeEngine({
      say: () => {
        asked++
        return { verdict: 'clean' }
      },
    })
    const service = await start({}, { scanners: [scanner] })
    await push(service, bodyOf(await png()), { secret: 'a-secret-of-somebody-else' })
    expect(asked).toBe(0)
    expect((await push(service, bodyOf(await png()))).status).toBe(200)
    expect(asked).toBe(1)
  })

  it('is no way in where no secret is configured', async () => {
    const service = await startTestService()
    expect((await push(service, bodyOf(await png()))).status).toBe(401)
  })
})

describe('each signature holds once', () => {
  it('repeated as it was: 401, and the first record stays the only one', async () => {
    const service = await start()
    const body = bodyOf(await png())
    const first = await push(service, body)
    const again = await push(service, body, { sent: { signature: first.signature } })
    expect([first.status, again.status]).toEqual([200, 401])
    expect((await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items).toHaveLength(1)
  })

  it('twenty at once: exactly one is taken', async () => {
    const service = await start()
    const body = bodyOf(await png())
    const signature = signatureOf(body, Math.floor(Date.now() / 1000), path, secret)
    const answers = await Promise.all(Array.from({ length: 20 }, () => push(service, body, { sent: { signature } })))
    expect(answers.map(({ status }) => status).sort()).toEqual([200, ...Array(19).fill(401)])
    expect((await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items).toHaveLength(1)
  })

  it('but a 503 does not use it up', async () => {
    let verdict: 'failed' | 'clean' = 'failed'
    const scanner = fakeEngine({ say: () => ({ verdict }) })
    const service = await start({}, { scanners: [scanner] })
    const body = bodyOf(await png())
    const first = await push(service, body)
    verdict = 'clean'
    const again = await push(service, body, { sent: { signature: first.signature } })
    expect([first.status, again.status]).toEqual([503, 200])
  })

  it('and is known for as long as its time could be near ours, also when the clock is set back', async () => {
    let now = new Date()
    const service = await start({}, { clock: { ...systemClock, now: () => now } })
    const body = bodyOf(await png())
    const { signature } = await push(service, body)
    now = new Date(now.getTime() + 299_000)
    await service.service.sweep()
    expect((await push(service, body, { sent: { signature } })).status).toBe(401)
    now = new Date(now.getTime() - 598_000)
    expect((await push(service, body, { sent: { signature } })).status).toBe(401)
  })

  it('a delivery that is sent again, signed anew, gets its first answer', async () => {
    const service = await start()
    const body = bodyOf(await png())
    const headers = { 'idempotency-key': 'k-1' }
    const [first, second] = [await push(service, body, { headers, age: 1 }), await push(service, body, { headers })]
    expect([first.status, second.status]).toEqual([200, 200])
    expect(second.body).toEqual(first.body)
    expect((await push(service, body, { headers, sent: { signature: second.signature } })).status).toBe(401)
  })
})
