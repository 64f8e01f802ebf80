import { writeFile } from 'node:fs/promises'
import { request as ask } from 'node:http'
import { join } from 'node:path'
import sharp from 'sharp'
import { describe, expect, it } from 'vitest'
import type { Viewer } from '../../src/access/viewers.ts'
import { systemClock } from '../../src/clock.ts'
import type { AuditLink } from '../../src/records/questions/audit.ts'
import type { Overrides } from '../../src/service.ts'
import { type jpeg, noise, png, text } from '../fixtures/files.ts'
import { people, seesOnly } from '../fixtures/people.ts'
import { freePort } from '../freePort.ts'
import { keys, startTestService } from '../harness.ts'
import { storedText } from '../sharedPostgres.ts'

interface Made {
  id: string
  url: string
  of: string
  expiresAt: string
  code?: string
}

const byKey = (key: string) => `Bearer ${key}`
const byPerson = (name: string) => `Person ${name}`

async function start(options: { env?: Record<string, string>; overrides?: Overrides } = {}) {
  const service = await startTestService(options)
  const send = async <T>(method: string, path: string, who: string, body?: unknown) => {
    const response = await fetch(service.url + path, {
      method,
      headers: { authorization: who, ...(body !== undefined && { 'content-type': 'application/json' }) },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    const answer = await response.text()
    return { status: response.status, body: (answer === '' ? null : JSON.parse(answer)) as T }
  }
  return {
    ...service,
    send,
    accepted: async (file: Awaited<ReturnType<typeof jpeg>>, conversationId?: string) =>
      (await service.push(file, conversationId === undefined ? {} : { conversationId })).body.attachment.id,
    link: (id: string, body: unknown, who = byKey(keys.read)) =>
      send<Made>('POST', `/v1/attachments/${id}/links`, who, body),
    trail: async (id: string) => (await service.get<{ rows: AuditLink[] }>(`/v1/attachments/${id}/story`)).body.rows,
  }
}

async function fetched(url: string, init: RequestInit = {}) {
  const response = await fetch(url, init)
  const bytes = Buffer.from(await response.arrayBuffer())
  return { status: response.status, headers: response.headers, bytes }
}

const withPeople = (persons: Record<string, Partial<Viewer>>, more: Overrides = {}) => ({
  overrides: { viewers: people(persons), isLive: async () => true, ...more },
})

describe('a link', () => {
  it('to an original gives it without other credentials, whole or a range of it, as a file and nothing else', async () => {
    const service = await start()
    const file = text('Brief ä.txt', 'Dear Sir or Madam')
    const { status, body } = await service.link(await service.accepted(file), { of: 'original' })
    expect([status, body.of]).toEqual([201, 'original'])
    expect(body.url).toMatch(new RegExp(`^${service.url}/files/fil_[A-Za-z0-9_-]{32}$`))
    expect(Date.parse(body.expiresAt) - Date.now()).toBeLessThanOrEqual(300_000)
    const whole = await fetched(body.url)
    expect([whole.status, whole.bytes]).toEqual([200, file.bytes])
    expect(Object.fromEntries(whole.headers)).toMatchObject({
      'content-type': 'text/plain',
      'content-length': '17',
      'accept-ranges': 'bytes',
      'content-security-policy': "sandbox; default-src 'none'",
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
      'x-content-type-options': 'nosniff',
    })
    expect(whole.headers.get('content-disposition')).toBe('attachment; filename="Brief ä.txt"')
    const part = await fetched(body.url, { headers: { range: 'bytes=5-7' } })
    expect([part.status, part.bytes.toString(), part.headers.get('content-range')]).toEqual([
      206,
      'Sir',
      'bytes 5-7/17',
    ])
    expect((await fetched(body.url, { headers: { range: 'bytes=17-' } })).status).toBe(416)
    const head = await fetched(body.url, { method: 'HEAD' })
    expect([head.status, head.headers.get('content-length'), head.bytes.length]).toEqual([200, '17', 0])
    expect((await fetched(body.url, { method: 'POST' })).status).toBe(405)
  })

  it('to a safe copy gives that, and never what is hidden in the original', async () => {
    const service = await start()
    const bytes = await noise(64)
      .withExif({ IFD0: { Make: 'Phone' } })
      .jpeg()
      .toBuffer()
    const id = await service.accepted({ name: 'Foto.jpg', type: 'image/jpeg', bytes })
    const { url } = (await service.link(id, { of: 'safe_copy', expiresInSeconds: 60 })).body
    const copy = await fetched(url)
    expect([copy.status, copy.headers.get('content-type')]).toEqual([200, 'image/jpeg'])
    expect(copy.headers.get('content-disposition')).toContain('attachment; filename="Foto.jpg"')
    expect((await sharp(copy.bytes).metadata()).exif).toBeUndefined()
    const head = await fetched(url, { method: 'HEAD' })
    expect([head.status, Number(head.headers.get('content-length'))]).toEqual([200, copy.bytes.length])
  })

  it('is in the trail when it is made, and each use of it as a read by who made it', async () => {
    const service = await start()
    const id = await service.accepted(text())
    const made = (await service.link(id, { of: 'original' })).body
    await fetched(made.url)
    await fetched(made.url, { headers: { range: 'bytes=0-1' } })
    const rows = (await service.trail(id)).map(({ who, what, outcome }) => [who, what, outcome])
    expect(rows.slice(1)).toEqual([
      ['reader', 'link_make', expect.stringMatching(/^original until 20/)],
      ['reader (link)', 'read', 'whole'],
      ['reader (link)', 'read', 'bytes 0-1'],
    ])
  })

  it('stands nowhere itself: not in the records, the trail or the log', async () => {
    const service = await start()
    const id = await service.accepted(text())
    const made = (await service.link(id, { of: 'original' })).body
    const secret = made.url.split('/').at(-1)!
    await fetched(made.url)
    const listed = await service.send<{ items: Made[] }>('GET', `/v1/attachments/${id}/links`, byKey(keys.all))
    expect(listed.body.items).toEqual([
      { id: made.id, of: 'original', who: 'reader', madeAt: expect.any(String), expiresAt: made.expiresAt },
    ])
    await service.service.stop()
    for (const text of [storedText(service.dataDir), JSON.stringify(service.logged), JSON.stringify(listed)])
      expect(text.includes(secret)).toBe(false)
  })

  it('is over after its time, and is 404 then as one that never was', async () => {
    let ahead = 0
    const clock = { ...systemClock, now: () => new Date(Date.now() + ahead) }
    const service = await start({ overrides: { clock } })
    const { url } = (await service.link(await service.accepted(text()), { of: 'original', expiresInSeconds: 60 })).body
    ahead = 59_000
    expect((await fetched(url)).status).toBe(200)
    ahead = 60_001
    const over = await fetched(url)
    expect([over.status, JSON.parse(over.bytes.toString()).code]).toEqual([404, 'not_found'])
    for (const other of [`fil_${'A'.repeat(32)}`, 'nonsense', '%00'])
      expect((await fetched(`${service.url}/files/${other}`)).status, other).toBe(404)
  })

  it('is revoked by who made it or by an admin, once, and by nobody else', async () => {
    const service = await start({
      env: { API_KEYS: `all:push+read+admin:${keys.all},reader:read:${keys.read},other:read:another-read-key-0123` },
    })
    const id = await service.accepted(text())
    const revoke = async (linkId: string, key: string) =>
      (await service.send('DELETE', `/v1/attachments/${id}/links/${linkId}`, byKey(key))).status
    const [one, two] = [
      (await service.link(id, { of: 'original' })).body,
      (await service.link(id, { of: 'original' })).body,
    ]
    expect(await revoke(one.id, 'another-read-key-0123')).toBe(403)
    expect((await fetched(one.url)).status).toBe(200)
    expect([await revoke(one.id, keys.read), await revoke(one.id, keys.all)]).toEqual([204, 404])
    expect([await revoke(two.id, keys.all), await revoke('lnk_nonsense', keys.all)]).toEqual([204, 404])
    for (const { url } of [one, two]) expect((await fetched(url)).status).toBe(404)
    expect((await service.trail(id)).filter(({ what }) => what === 'link_revoke').map(({ who }) => who)).toEqual([
      'reader',
      'all',
    ])
  })

  it('does not outlive its file', async () => {
    const service = await start()
    const id = await service.accepted(text())
    const { url } = (await service.link(id, { of: 'original' })).body
    await service.send('POST', `/v1/attachments/${id}/hold`, byKey(keys.all), { reason: 'to be looked at' })
    expect((await fetched(url)).status).toBe(409)
    expect((await service.link(id, { of: 'original' })).body.code).toBe('not_accepted')
    await service.send('DELETE', `/v1/attachments/${id}`, byKey(keys.all))
    expect((await fetched(url)).status).toBe(410)
    expect((await service.link(id, { of: 'original' })).status).toBe(410)
  })

  it('says why there is no safe copy', async () => {
    const service = await start({ env: { ALLOWED_TYPES: 'application/zip' } })
    const bytes = Buffer.from(`504b0506${'00'.repeat(18)}`, 'hex')
    const id = await service.accepted({ name: 'files.zip', type: 'application/zip', bytes })
    const { url } = (await service.link(id, { of: 'safe_copy' })).body
    const answer = await fetched(url)
    expect([answer.status, JSON.parse(answer.bytes.toString()).code]).toEqual([409, 'no_copy'])
  })

  it.each<[string, unknown]>([
    ['of nothing', {}],
    ['of something else', { of: 'preview' }],
    ['for less than a minute', { of: 'original', expiresInSeconds: 59 }],
    ['for more than an hour', { of: 'original', expiresInSeconds: 3601 }],
    ['with something that is unknown', { of: 'original', forever: true }],
  ])('%s is refused', async (_, body) => {
    const service = await start()
    const { status, body: answer } = await service.link(await service.accepted(text()), body)
    expect([status, answer.code]).toEqual([400, 'bad_request'])
  })

  it('needs the scope read to be made, and admin to be listed', async () => {
    const service = await start()
    const path = `/v1/attachments/${await service.accepted(text())}/links`
    for (const [method, who, status] of [
      ['POST', byKey(keys.push), 403],
      ['POST', 'Bearer a-wrong-secret-0123456789', 401],
      ['GET', byKey(keys.read), 403],
    ] as const)
      expect((await service.send(method, path, who, method === 'POST' ? { of: 'original' } : undefined)).status).toBe(
        status,
      )
    expect((await service.link('att_nonsense', { of: 'original' })).status).toBe(404)
  })
})

describe('a person with a session', () => {
  it('is given files by links only, and sees pictures of them that we make', async () => {
    const service = await start(withPeople({ anna: { seesAll: true, mayOriginals: true } }))
    const id = await service.accepted(await png())
    for (const part of ['content', 'safe-copy']) {
      const { status, body } = await service.send<{ code: string; detail: string }>(
        'GET',
        `/v1/attachments/${id}/${part}`,
        byPerson('anna'),
      )
      expect([status, body.code, body.detail]).toEqual([403, 'forbidden', expect.stringContaining(`/${id}/links`)])
    }
    const picture = await fetched(`${service.url}/v1/attachments/${id}/preview`, {
      headers: { authorization: byPerson('anna') },
    })
    expect([picture.status, picture.headers.get('content-type')]).toEqual([200, 'image/webp'])
    const { url } = (await service.link(id, { of: 'original' }, byPerson('anna'))).body
    expect((await fetched(url)).status).toBe(200)
    expect((await service.trail(id)).map(({ who, what }) => [who, what])).toEqual(
      expect.arrayContaining([
        ['user:anna', 'request_refuse'],
        ['user:anna (link)', 'read'],
      ]),
    )
  })

  it('has originals only where they may, and links only to what they are shown', async () => {
    const conversationId = 'conversation-of-anna'
    const service = await start(withPeople({ anna: { sees: seesOnly(conversationId) } }))
    const own = await service.accepted(await png(), conversationId)
    const other = await service.accepted(await png(), 'conversation-of-ben')
    expect((await service.link(own, { of: 'original' }, byPerson('anna'))).status).toBe(403)
    expect((await service.link(own, { of: 'safe_copy' }, byPerson('anna'))).status).toBe(201)
    expect((await service.link(other, { of: 'safe_copy' }, byPerson('anna'))).status).toBe(404)
    const list = (query: string) => service.send<{ code: string }>('GET', `/v1/attachments${query}`, byPerson('anna'))
    expect((await list(`?conversationId=${conversationId}`)).status).toBe(200)
    expect((await list('?conversationId=conversation-of-ben')).status).toBe(404)
    expect((await list('')).status).toBe(400)
  })

  it('has no link any more once their session has ended', async () => {
    const live = new Set(['ses_anna', 'ses_ben'])
    const service = await start(
      withPeople(
        { anna: { seesAll: true }, ben: { seesAll: true } },
        {
          isLive: async (id) => live.has(id),
        },
      ),
    )
    const id = await service.accepted(await png())
    const [annas, bens] = await Promise.all(
      ['anna', 'ben'].map(async (name) => (await service.link(id, { of: 'safe_copy' }, byPerson(name))).body),
    )
    live.delete('ses_anna')
    expect([(await fetched(annas!.url)).status, (await fetched(bens!.url)).status]).toEqual([404, 200])
  })
})

describe('a host of their own for files', () => {
  /** What is asked under the name of a host, whatever we are reached by. */
  async function under(host: string, url: string, method = 'GET'): Promise<number> {
    const { hostname, port, pathname } = new URL(url)
    return new Promise((resolve, reject) => {
      const headers = { host, authorization: byKey(keys.all) }
      const asked = ask({ host: hostname, port, path: pathname, method, headers }, (answer) => {
        answer.resume()
        resolve(answer.statusCode!)
      })
      asked.on('error', reject)
      asked.end()
    })
  }

  it.each(['', '/of'])(
    'answers with files there and nowhere else, and with nothing else there (path "%s")',
    async (path) => {
      const port = await freePort()
      const service = await start({
        env: {
          PORT: String(port),
          PUBLIC_URL: 'https://clipgate.example.com',
          FILES_URL: `https://files.example.com${path}`,
        },
      })
      const id = await service.accepted(text())
      const made = (await service.link(id, { of: 'original' })).body
      expect(made.url).toMatch(new RegExp(`^https://files\\.example\\.com${path}/fil_`))
      const file = service.url + new URL(made.url).pathname
      const see = `${service.url}/v1/attachments/${id}`
      expect(await under('files.example.com', file)).toBe(200)
      expect(await under('Files.Example.com:443', file, 'HEAD')).toBe(200)
      expect(await under('files.example.com', file, 'DELETE')).toBe(405)
      for (const host of ['clipgate.example.com', '127.0.0.1']) expect(await under(host, file), host).toBe(404)
      for (const [url, method] of [
        [see, 'GET'],
        [`${service.url}/health/live`, 'GET'],
        [`${service.url}/webhook/file-upload`, 'POST'],
        [`${service.url}/nowhere`, 'GET'],
      ] as const)
        expect(await under('files.example.com', url, method), `${method} ${url}`).toBe(404)
      expect(await under('clipgate.example.com', see)).toBe(200)
      expect(await under('clipgate.example.com', `${service.url}/nowhere`, 'POST')).toBe(404)
    },
  )
})

describe('a file that was changed where it lies', () => {
  it('is no more to be had by a link than otherwise', async () => {
    const service = await start()
    const id = await service.accepted(text())
    const { url } = (await service.link(id, { of: 'original' })).body
    const path = join(service.dataDir, 'objects', id.at(-1)!, id)
    await writeFile(path, Buffer.alloc(100))
    expect((await fetched(url)).status).toBe(500)
  })
})
