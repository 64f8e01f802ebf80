import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { openRecords } from '../../src/installation.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { jpeg, jpegOfSize, png, text } from '../fixtures/files.ts'
import {
  eventually,
  keys,
  type Pushed,
  sha256,
  startTestService,
  type TestService,
  temporaryFolder,
  testEnvironment,
} from '../harness.ts'
import { rawClient } from './raw.ts'

function content({ url }: TestService, id: string, headers: Record<string, string> = {}) {
  return fetch(`${url}/v1/attachments/${id}/content`, { headers: { authorization: `Bearer ${keys.read}`, ...headers } })
}

function erase({ url }: TestService, id: string, key = keys.all) {
  return fetch(`${url}/v1/attachments/${id}`, { method: 'DELETE', headers: { authorization: `Bearer ${key}` } })
}

async function storedFile(dataDir: string, id: string): Promise<string> {
  return join(dataDir, 'objects', id.slice(-1), id)
}

describe('the list', () => {
  it('comes newest first, page by page, without gaps or repeats', async () => {
    const { push, get } = await startTestService()
    const pushed: string[] = []
    for (let i = 0; i < 7; i++) pushed.unshift((await push(text())).body.attachment.id)
    const seen: string[] = []
    let cursor = ''
    do {
      const { body } = await get<{ items: Attachment[]; next: string | null }>(
        `/v1/attachments?limit=3${cursor && `&cursor=${cursor}`}`,
      )
      seen.push(...body.items.map(({ id }) => id))
      cursor = body.next ?? ''
    } while (cursor !== '')
    expect([...seen].sort()).toEqual([...pushed].sort())
    expect(new Set(seen).size).toBe(7)
  })

  it('is kept by no cache, and neither is anything else that is told to somebody who has to say who they are', async () => {
    const { push, get } = await startTestService()
    const { id } = (await push(text(), { conversationId: 'c' })).body.attachment
    const one = `/v1/attachments/${id}`
    const paths = ['/v1/attachments', one, `${one}/story`, `${one}/links`, '/v1/audit', '/v1/quarantine', '/v1/outbox']
    for (const path of [...paths, '/v1/overview', '/v1/keys'])
      expect([path, (await get(path)).headers.get('cache-control')]).toEqual([path, 'no-store'])
  })

  it('is filtered by conversation, state, type, door, time and the beginning of a word in the name', async () => {
    const { push, get } = await startTestService()
    const a = await push(await png('Reisepass Vorderseite.png'), { conversationId: 'c-a' })
    const b = await push(text('brief.txt'), { conversationId: 'c-b' })
    await push(text('boese.txt', '<html>'))
    const ids = async (query: string) =>
      (await get<{ items: Attachment[] }>(`/v1/attachments?${query}`)).body.items.map(({ id }) => id)
    expect(await ids('conversationId=c-a')).toEqual([a.body.attachment.id])
    expect(await ids('type=text/plain')).toEqual([b.body.attachment.id])
    expect(await ids('q=vorder')).toEqual([a.body.attachment.id])
    expect(await ids('q=reise')).toEqual([a.body.attachment.id])
    expect(await ids('q=eise')).toEqual([])
    expect(await ids(`q=${b.body.attachment.sha256}`)).toEqual([b.body.attachment.id])
    expect(await ids(`q=${b.body.attachment.id}`)).toEqual([b.body.attachment.id])
    expect(await ids('state=refused')).toHaveLength(1)
    expect(await ids('door=pull')).toEqual([])
    expect(await ids('from=2999-01-01T00:00:00Z')).toEqual([])
    expect(await ids('to=2999-01-01T00:00:00Z')).toHaveLength(3)
  })

  it('refuses what it cannot read', async () => {
    const { get } = await startTestService()
    for (const query of ['limit=0', 'limit=201', 'cursor=x', 'state=gone', 'from=yesterday', 'limit=1&limit=2'])
      expect((await get<{ code: string }>(`/v1/attachments?${query}`)).body.code, query).toBe('bad_request')
  })
})

describe('the content', () => {
  it('is served so that no browser renders, guesses, embeds or keeps it', async () => {
    const service = await startTestService()
    const { body } = await service.push(await jpeg('パスポ.jpg'))
    const { headers, status } = await content(service, body.attachment.id)
    expect(status).toBe(200)
    expect(Object.fromEntries(headers)).toMatchObject({
      'content-type': 'image/jpeg',
      'content-disposition': 'attachment; filename="???.jpg"; filename*=UTF-8\'\'%E3%83%91%E3%82%B9%E3%83%9D.jpg',
      'x-content-type-options': 'nosniff',
      'content-security-policy': "sandbox; default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    })
  })

  it('of any range is that part of the file', async () => {
    const service = await startTestService()
    const file = await jpegOfSize(300_000)
    const { body } = await service.push(file)
    await fc.assert(
      fc.asyncProperty(fc.nat(299_999), fc.nat(299_999), async (a, b) => {
        const [start, end] = [Math.min(a, b), Math.max(a, b)]
        const answer = await content(service, body.attachment.id, { range: `bytes=${start}-${end}` })
        expect([answer.status, answer.headers.get('content-range')]).toEqual([206, `bytes ${start}-${end}/300000`])
        expect(sha256(Buffer.from(await answer.arrayBuffer()))).toBe(sha256(file.bytes.subarray(start, end + 1)))
      }),
      {
        numRuns: 30,
        examples: [
          [0, 0],
          [65_535, 65_536],
          [299_999, 299_999],
          [0, 299_999],
        ],
      },
    )
    expect((await content(service, body.attachment.id, { range: 'bytes=-10' })).headers.get('content-length')).toBe(
      '10',
    )
    const beyond = await content(service, body.attachment.id, { range: 'bytes=300000-' })
    expect([beyond.status, beyond.headers.get('content-range')]).toEqual([416, 'bytes */300000'])
  })

  it('of names that would break a header is served with a harmless one', async () => {
    const service = await startTestService()
    for (const name of ['a\r\nSet-Cookie x.txt', '\u202egnp.txt', '../../etc/passwd.txt', '😀.txt', 'CON.txt']) {
      const form = new FormData()
      form.append('file', new Blob(['hello'], { type: 'text/plain' }), name)
      const pushed = await fetch(`${service.url}/webhook/file-upload`, {
        method: 'POST',
        headers: { authorization: `Bearer ${keys.push}` },
        body: form,
      })
      const { attachment } = (await pushed.json()) as Pushed['body']
      const { headers, status } = await content(service, attachment.id)
      expect(status, name).toBe(200)
      expect(headers.get('set-cookie')).toBeNull()
      expect(headers.get('content-disposition')).toMatch(/^attachment; filename/)
      expect(headers.get('content-disposition')).not.toMatch(/[\u202e/\\]/)
    }
  })

  it('of a refused file is 409, of an erased one 410', async () => {
    const service = await startTestService()
    const refused = await service.push(text('a.txt', '<html>'))
    expect((await content(service, refused.body.attachmentId)).status).toBe(409)
    const accepted = await service.push(text())
    await erase(service, accepted.body.attachment.id)
    const gone = await content(service, accepted.body.attachment.id)
    expect([gone.status, ((await gone.json()) as { code: string }).code]).toEqual([410, 'gone'])
  })

  it.each([
    ['nothing', () => {}],
    ['a little now and then', (socket: Socket) => void socket.read(1)],
  ])('is cut off for a reader that takes %s, so that it holds no file open', async (_, take) => {
    const service = await startTestService({
      env: { MAX_FILE_BYTES: '40000000' },
      overrides: { times: { readers: { windowMs: 50, leastBytesPerSecond: 1e9 } } },
    })
    const { body } = await service.push(await jpegOfSize(40_000_000))
    const { hostname, port } = new URL(service.url)
    const socket = connect(Number(port), hostname).on('error', () => {})
    socket.write(
      `GET /v1/attachments/${body.attachment.id}/content HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`,
    )
    await eventually(
      () => {
        take(socket)
        return service.logged.some(({ msg }) => msg === 'a reader takes too little and is cut off')
      },
      (cutOff) => cutOff,
    )
    let received = 0
    socket.on('data', (chunk) => {
      received += chunk.length
    })
    await once(socket, 'close')
    expect(received).toBeLessThan(40_000_000)
  })

  it('is not held open for a reader that has gone, though it asked for several on one connection', async () => {
    const storage = memoryStorage(() => new Date())
    let held = 0
    async function* counted(bytes: AsyncIterable<Uint8Array>) {
      held++
      try {
        yield* bytes
      } finally {
        held--
      }
    }
    const open: Storage['open'] = async (key, range) => counted(await storage.open(key, range))
    const service = await startTestService({
      env: { MAX_FILE_BYTES: '40000000' },
      overrides: { storage: { ...storage, open } },
    })
    const { id } = (await service.push(await jpegOfSize(40_000_000))).body.attachment
    const { socket, until } = await rawClient(service.url)
    const asked = `GET /v1/attachments/${id}/content HTTP/1.1\r\nHost: test\r\nAuthorization: Bearer ${keys.read}\r\n\r\n`
    socket.write(asked + asked)
    await until(/^HTTP\/1\.1 200/)
    socket.pause()
    const isHeld = (times: number) =>
      eventually(
        () => held,
        (now) => now === times,
      )
    await isHeld(2)
    socket.destroy()
    await isHeld(0)
  })

  it('needs the scope read', async () => {
    const service = await startTestService()
    const { body } = await service.push(text())
    const answer = await content(service, body.attachment.id, { authorization: `Bearer ${keys.push}` })
    expect(answer.status).toBe(403)
  })
})

describe('stored bytes that were changed', () => {
  it('at the start are an error, and no byte of them leaves', async () => {
    const service = await startTestService()
    const { body } = await service.push(await jpegOfSize(200_000))
    const path = await storedFile(service.dataDir, body.attachment.id)
    const bytes = await readFile(path)
    bytes[1000]! ^= 1
    await writeFile(path, bytes)
    const answer = await content(service, body.attachment.id)
    expect([answer.status, ((await answer.json()) as { code: string }).code]).toEqual([500, 'internal'])
    expect(service.logged.some(({ msg }) => msg === 'stored file is damaged')).toBe(true)
  })

  it('further on cut the connection before a byte of the changed part leaves', async () => {
    const service = await startTestService()
    const file = await jpegOfSize(300_000)
    const { body } = await service.push(file)
    const path = await storedFile(service.dataDir, body.attachment.id)
    const bytes = await readFile(path)
    bytes[200_000]! ^= 1
    await writeFile(path, bytes)
    const answer = await content(service, body.attachment.id)
    const got: Buffer[] = []
    await expect(
      (async () => {
        for await (const chunk of answer.body!) got.push(Buffer.from(chunk))
      })(),
    ).rejects.toThrow()
    const received = Buffer.concat(got)
    expect(received.length).toBeLessThan(200_000)
    expect(received.equals(file.bytes.subarray(0, received.length))).toBe(true)
  })

  it('or swapped between two files are refused', async () => {
    const service = await startTestService()
    const [a, b] = [await service.push(await jpegOfSize(100_000)), await service.push(await jpegOfSize(100_000))]
    const paths = await Promise.all([a, b].map(({ body }) => storedFile(service.dataDir, body.attachment.id)))
    const other = await readFile(paths[1]!)
    await writeFile(paths[0]!, other)
    expect((await content(service, a.body.attachment.id)).status).toBe(500)
    expect((await content(service, b.body.attachment.id)).status).toBe(200)
  })
})

describe('erasing', () => {
  it('destroys key, bytes, name and digest, and gives a receipt that stays the same', async () => {
    const service = await startTestService()
    const { body } = await service.push(text('Geheimnis Akte.txt'), { conversationId: service.conversation() })
    const { id, sha256: digest } = body.attachment
    const first = await erase(service, id)
    const receipt = await first.json()
    expect([first.status, receipt]).toEqual([
      200,
      {
        attachmentId: id,
        erasedAt: expect.any(String),
        key: 'destroyed',
        bytes: 'removed',
        digestOfRecord: expect.stringMatching(/^[0-9a-f]{64}$/),
      },
    ])
    expect(await (await erase(service, id)).json()).toEqual(receipt)
    const { body: record } = await service.get<Attachment>(`/v1/attachments/${id}`)
    expect(record).toMatchObject({ state: 'erased', filename: null, sha256: null })
    expect((await service.get<{ items: [] }>('/v1/attachments?q=geheimnis')).body.items).toEqual([])
    await service.service.stop()
    for (const name of await readdir(service.dataDir, { recursive: true })) {
      const bytes = await readFile(join(service.dataDir, name)).catch(() => Buffer.alloc(0))
      for (const trace of ['Geheimnis', 'geheimnis', digest!])
        expect(bytes.includes(trace), `${trace} in ${name}`).toBe(false)
    }
  })

  it('needs the scope admin, and an attachment', async () => {
    const service = await startTestService()
    const { body } = await service.push(text())
    expect((await erase(service, body.attachment.id, keys.read)).status).toBe(403)
    expect((await erase(service, `att_${'0'.repeat(26)}`)).status).toBe(404)
  })
})

describe('retention', () => {
  it('erases files when their days are over, and not before', async () => {
    let now = new Date('2026-11-01T00:00:00Z')
    const clock = { ...systemClock, now: () => now }
    const service = await startTestService({ env: { RETENTION_DAYS: '30' }, overrides: { clock } })
    const { body } = await service.push(text())
    const state = async () => (await service.get<Attachment>(`/v1/attachments/${body.attachment.id}`)).body.state
    now = new Date('2026-11-30T00:00:00Z')
    await service.service.sweep()
    expect(await state()).toBe('accepted')
    now = new Date('2026-12-02T00:00:00Z')
    expect(await service.service.sweep()).toMatchObject({ expired: 1 })
    expect(await state()).toBe('erased')
  })
})

describe('the audit trail', () => {
  it('has every file taken, seen, listed, read and erased, with who and under which request', async () => {
    const dataDir = await temporaryFolder()
    const service = await startTestService({ dataDir })
    const { body } = await service.push(text(), { key: keys.push })
    const { id } = body.attachment
    await service.get(`/v1/attachments/${id}`, keys.read)
    await service.get('/v1/attachments', keys.read)
    await (await content(service, id, { range: 'bytes=0-3' })).arrayBuffer()
    await (await erase(service, id)).json()
    await service.service.stop()
    const records = await openRecords(readConfig(testEnvironment(dataDir, 'http://127.0.0.1:1')), systemClock)
    const trail = (await records.listAudit({ limit: 100 })).filter(({ who }) => who !== '(service)')
    await records.close()
    expect(trail.map(({ who, what, object, outcome }) => [who, what, object, outcome])).toEqual([
      ['pusher', 'take', id, 'accepted'],
      ['reader', 'see', id, 'shown'],
      ['reader', 'list', null, '1 shown'],
      ['reader', 'read', id, 'bytes 0-3'],
      ['all', 'erase', id, 'erased'],
    ])
    for (const { requestId } of trail) expect(requestId).toMatch(/^req_[0-9a-f]{20}$/)
  })
})
