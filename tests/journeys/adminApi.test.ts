import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { png, text } from '../fixtures/files.ts'
import { eventually, keys, startTestService, type TestService } from '../harness.ts'

interface Row {
  at: string
  who: string
  what: string
  object: string | null
  outcome: string
  detail: string | null
}

interface Page<T> {
  items: T[]
  next: string | null
}

interface Overview {
  from: string
  to: string
  byDay: { day: string; door: string; state: string; files: number; bytes: number }[]
  totals: Record<string, number>
  engines: Record<string, unknown>[]
  seconds: { intake: { p50: number; p99: number } | null; preview: { p50: number; p99: number } | null }
  storage: { files: number; bytes: number }
}

async function post({ url }: TestService, path: string, body?: unknown, key = keys.all) {
  const response = await fetch(url + path, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })
  return { status: response.status, body: (await response.json()) as Attachment & { code: string } }
}

async function pages<T>({ get }: TestService, path: string): Promise<T[]> {
  const all: T[] = []
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page: { body: Page<T> } = await get(`${path}${cursor && `&cursor=${cursor}`}`)
    all.push(...page.body.items)
    cursor = page.body.next
  }
  return all
}

describe('what is for admins', () => {
  const reading = ['overview', 'audit', 'outbox', 'policy/differences', 'keys']

  it('is for the scope admin alone', async () => {
    const service = await startTestService()
    const { id } = (await service.push(text())).body.attachment
    for (const path of [...reading, `attachments/${id}/story`]) {
      expect((await service.get(`/v1/${path}`, keys.read)).status, path).toBe(403)
      expect((await service.get(`/v1/${path}`, 'a-wrong-secret-0123456789')).status, path).toBe(401)
    }
    for (const what of ['retry', 'drop'])
      expect((await post(service, `/v1/outbox/${id}/${what}`, undefined, keys.read)).status).toBe(403)
  })

  it.each([
    'overview?days=0',
    'overview?days=366',
    'overview?days=x',
    'audit?what=nonsense',
    'audit?from=yesterday',
    'audit?limit=201',
    'audit?cursor=nonsense',
    'outbox?state=off',
    'outbox?cursor=nonsense',
  ])('says what is wrong with %s', async (path) => {
    const { get } = await startTestService()
    const { status, body } = await get<{ code: string }>(`/v1/${path}`)
    expect([status, body.code]).toEqual([400, 'bad_request'])
  })
})

describe('the overview', () => {
  it('counts what came in, what waits and what is stored, and tells how long it took', async () => {
    const service = await startTestService({ env: { CONFIRM: 'off' } })
    const picture = await png()
    const { id } = (await service.push(picture)).body.attachment
    await service.push(text('a.txt', 'hello'))
    await service.push(text('b.txt', '<html>'))
    await post(service, `/v1/attachments/${id}/hold`, { reason: 'looked at' })
    const { status, body } = await service.get<Overview>('/v1/overview?days=7')
    const today = new Date().toISOString().slice(0, 10)
    expect(status).toBe(200)
    expect([body.to, Date.parse(body.to) - Date.parse(body.from)]).toEqual([today, 6 * 86_400_000])
    const size = picture.bytes.length
    expect(body.byDay).toEqual([
      { day: today, door: 'push', state: 'accepted', files: 1, bytes: 5 },
      { day: today, door: 'push', state: 'quarantined', files: 1, bytes: size },
      { day: today, door: 'push', state: 'refused', files: 1, bytes: 6 },
    ])
    expect(body.totals).toEqual({ files: 3, bytes: size + 11, held: 1, owed: 0, parked: 0 })
    expect(body.storage).toEqual({ files: 2, bytes: size + 5 })
    expect([body.engines, body.seconds.preview]).toEqual([[], null])
    expect(body.seconds.intake!.p50).toBeGreaterThan(0)
    expect(body.seconds.intake!.p99).toBeGreaterThanOrEqual(body.seconds.intake!.p50)
  })

  it('names each engine, by which signatures it judges, and what is wrong with it', async () => {
    const madeAt = new Date('2026-11-01T00:00:00Z')
    const well = fakeEngine({ name: 'one', say: () => ({ verdict: 'clean' }) })
    const away = fakeEngine({
      name: 'two',
      say: () => ({ verdict: 'failed' }),
      check: async () => {
        throw new Error('connection refused')
      },
    })
    const { get } = await startTestService({
      overrides: { scanners: [{ ...well, check: async () => ({ version: '27400', madeAt }) }, away] },
    })
    expect((await get<Overview>('/v1/overview')).body.engines).toEqual([
      { engine: 'one', signatures: '27400', signaturesAt: madeAt.toISOString(), ok: true },
      { engine: 'two', signatures: null, signaturesAt: null, ok: false, cause: 'connection refused' },
    ])
  })

  it('counts at most twice a minute, however often it is asked', async () => {
    const service = await startTestService()
    const before = (await service.get<Overview>('/v1/overview')).body
    await service.push(text())
    expect((await service.get<Overview>('/v1/overview?days=365')).body.totals).toEqual(before.totals)
  })
})

describe('the story of an attachment', () => {
  it('is the attachment, and all that was done with it, the oldest first', async () => {
    const service = await startTestService()
    const { id } = (await service.push(text())).body.attachment
    await service.push(text('other.txt'))
    await service.get(`/v1/attachments/${id}`, keys.read)
    await post(service, `/v1/attachments/${id}/hold`, { reason: 'looked at' })
    const story = () => service.get<{ attachment: Attachment; rows: Row[] }>(`/v1/attachments/${id}/story`)
    const { body } = await story()
    expect(body.attachment).toMatchObject({ id, state: 'quarantined' })
    const told = [
      ['all', 'take', 'accepted'],
      ['reader', 'see', 'shown'],
      ['all', 'hold', 'quarantined'],
    ]
    expect(body.rows.map(({ who, what, outcome }) => [who, what, outcome])).toEqual(told)
    expect((await story()).body.rows.at(-1)).toMatchObject({ who: 'all', what: 'see', outcome: 'story shown' })
    expect((await service.get('/v1/attachments/att_nonsense/story')).status).toBe(404)
  })
})

describe('the audit trail by HTTP', () => {
  it('is searched and paged, newest first, and has who looked at it', async () => {
    const service = await startTestService()
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await service.push(text(`${i}.txt`))).body.attachment.id)
    const takes = await pages<Row>(service, '/v1/audit?what=take&limit=2')
    expect(takes.map(({ object }) => object)).toEqual(ids.toReversed())
    const of = async (query: string) =>
      (await service.get<Page<Row>>(`/v1/audit?${query}`)).body.items.map(({ what }) => what)
    expect(await of(`object=${ids[0]}`)).toEqual(['take'])
    expect(await of('who=nobody')).toEqual([])
    expect(await of(`who=all&what=take&to=${takes[2]!.at}`)).toHaveLength(
      takes.filter(({ at }) => at < takes[2]!.at).length,
    )
    const [row] = (await service.get<Page<Row>>('/v1/audit?what=list&limit=1')).body.items
    expect(row).toMatchObject({ who: 'all', outcome: expect.stringMatching(/shown$/) })
    expect(JSON.parse(row!.detail!)).toMatchObject({ audit: true, who: 'all', what: 'take' })
  })
})

describe('the outbox by HTTP', () => {
  interface Entry {
    attachmentId: string
    state: string
    reason: string | null
  }

  it('is listed, the oldest first, page by page; what is parked is made due again, and goes out', async () => {
    const service = await startTestService({ env: { CONFIRM: 'message' } })
    // No conversation has these ids, so nothing can be said there.
    const ids: string[] = []
    for (let i = 0; i < 3; i++)
      ids.push((await service.push(text(`${i}.txt`), { conversationId: `nowhere-${i}` })).body.attachment.id)
    const listed = () => pages<Entry>(service, '/v1/outbox?state=parked&limit=2')
    const parked = await eventually(listed, (entries) => entries.length === 3)
    expect(parked.map(({ attachmentId }) => attachmentId)).toEqual(ids)
    expect(parked[0]!.reason).toBeTruthy()
    const { status, body } = await post(service, `/v1/outbox/${ids[0]}/retry`)
    expect([status, body.id, body.confirmation?.state]).toEqual([200, ids[0], 'pending'])
    await eventually(listed, (entries) => entries.length === 3)
    const rows = (await service.get<Page<Row>>('/v1/audit?what=outbox_retry')).body.items
    expect(rows).toMatchObject([{ who: 'all', object: ids[0], outcome: '1 due again' }])
    expect((await service.get<Page<Entry>>('/v1/outbox')).body.items).toHaveLength(3)
  })

  it('gives up what is owed, with the reason in the trail, once', async () => {
    const service = await startTestService()
    const { id } = (await service.push(text(), { conversationId: 'nowhere' })).body.attachment
    expect((await post(service, `/v1/outbox/${id}/drop`, {})).status).toBe(400)
    const { status, body } = await post(service, `/v1/outbox/${id}/drop`, { reason: 'told by telephone' })
    expect([status, body.confirmation?.state]).toEqual([200, 'dropped'])
    const [row] = (await service.get<Page<Row>>('/v1/audit?what=outbox_drop')).body.items
    expect(row).toMatchObject({ who: 'all', object: id, outcome: '1 dropped', detail: 'told by telephone' })
    expect((await post(service, `/v1/outbox/${id}/drop`, { reason: 'again' })).status).toBe(404)
    expect((await post(service, `/v1/outbox/${id}/retry`)).status).toBe(404)
    expect((await post(service, '/v1/outbox/att_nonsense/retry')).status).toBe(404)
  })
})

describe('what Genesys Cloud lets in', () => {
  it('is compared with the policy as the command does, and the platform is not asked again at once', async () => {
    const { get, emulator } = await startTestService()
    const { status, body } = await get<{ differences: unknown[] }>('/v1/policy/differences')
    expect(status).toBe(200)
    expect(body.differences).toEqual([
      {
        kind: 'only_there',
        where: 'profile "Default" (webMessagingDefault)',
        says: 'Genesys Cloud lets in every type, of which we take only what we name',
      },
    ])
    const calls = () => emulator.requests().filter(({ path }) => path.startsWith('/api/')).length
    const before = calls()
    await get('/v1/policy/differences')
    expect(calls()).toBe(before)
  })

  it('is not known without credentials, or while the platform is away', async () => {
    const without = await startTestService({ env: { GENESYS_CLIENT_ID: '', GENESYS_CLIENT_SECRET: '' } })
    expect((await without.get('/v1/policy/differences')).status).toBe(409)
    const { get, emulator } = await startTestService()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 401, times: 100 }])
    expect((await get('/v1/policy/differences')).status).toBe(503)
    emulator.setFaults([])
    await eventually(
      async () => (await get('/v1/policy/differences')).status,
      (status) => status === 200,
    )
  })
})

describe('the master keys by HTTP', () => {
  it('are told with how many files need each, and nothing of the keys themselves', async () => {
    const service = await startTestService()
    await service.push(text())
    const { body } = await service.get<{ keys: Record<string, unknown>[] }>('/v1/keys')
    expect(body.keys).toEqual([
      {
        id: expect.stringMatching(/^mk_[0-9a-f]{16}$/),
        current: true,
        state: 'current',
        files: 1,
        since: expect.any(String),
        retiredAt: null,
      },
    ])
  })
})
