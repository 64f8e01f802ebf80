import { existsSync } from 'node:fs'
import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { type Attachment, reference, type Verdict } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { AuditLink } from '../../src/records/questions/audit.ts'
import type { Overrides } from '../../src/service.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { jpeg, png, text } from '../fixtures/files.ts'
import { hurriedClock, until } from '../genesys/clock.ts'
import { keys, startTestService, type TestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { run } from './process.ts'

const second = 'second-admin-key-0123456789'
const marker = 'something harmful'

interface Held {
  attachment: Attachment
  waitsFor: string
  since: string
  until: string
  asked: { by: string; at: string } | null
}

/** Finds what is marked; everything else is clean. */
const engine = fakeEngine({
  say: (bytes) => (bytes.includes(marker) ? { verdict: 'infected', detail: 'Eicar-Test' } : { verdict: 'clean' }),
})

async function start(
  quarantine: Record<string, unknown>,
  { overrides = {}, dataDir }: { overrides?: Overrides; dataDir?: string } = {},
) {
  const file = join(await temporaryFolder(), 'policy.json')
  await writeFile(file, JSON.stringify({ quarantine }))
  const service = await startTestService({
    env: {
      POLICY_FILE: file,
      API_KEYS: `all:push+read+admin:${keys.all},second:admin+read:${second},reader:read:${keys.read}`,
    },
    overrides: { scanners: [engine], ...overrides },
    ...(dataDir && { dataDir }),
  })
  return {
    ...service,
    policyFile: file,
    held: async (query = '') => (await service.get<{ items: Held[] }>(`/v1/quarantine${query}`)).body.items,
    record: async (id: string) => (await service.get<Attachment>(`/v1/attachments/${id}`)).body,
    async decide(what: string, id: string, { key = keys.all, reason = 'looked at it' as string | null } = {}) {
      const response = await fetch(`${service.url}/v1/attachments/${id}/${what}`, {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify(reason === null ? {} : { reason }),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
  }
}

const harmful = () => text('letter.txt', `Dear Sir, ${marker} is in here`)

async function contentOf({ url }: TestService, id: string, part = 'content', key: string = keys.read) {
  const response = await fetch(`${url}/v1/attachments/${id}/${part}`, {
    headers: { authorization: `Bearer ${key}` },
  })
  return { status: response.status, bytes: Buffer.from(await response.arrayBuffer()) }
}

/** Files that lie in the storage. */
async function stored({ dataDir }: TestService): Promise<string[]> {
  const all = await readdir(join(dataDir, 'objects'), { recursive: true, withFileTypes: true })
  return all.filter((one) => one.isFile()).map(({ name }) => name)
}

describe('a refused file that the policy keeps', () => {
  it('is held: sealed, listed, served to nobody, and its sender is told that it waits, not why', async () => {
    const service = await start({ codes: ['malware'] })
    const conversationId = service.conversation()
    const { status, body } = await service.push(harmful(), { conversationId })
    expect([status, body.status]).toEqual([202, 'quarantined'])
    const { id } = body.attachment
    expect(body.attachment).toMatchObject({ state: 'quarantined', code: null, detail: null, verdicts: [] })
    expect(JSON.stringify(body)).not.toContain('Eicar')
    expect(await service.record(id)).toMatchObject({
      state: 'quarantined',
      code: 'malware',
      detail: 'test-engine: Eicar-Test',
      verdicts: [{ engine: 'test-engine', verdict: 'infected', detail: 'Eicar-Test' }],
    })
    expect(await stored(service)).toHaveLength(1)
    for (const part of ['content', 'preview', 'safe-copy'])
      expect((await contentOf(service, id, part)).status).toBe(409)
    const [held, ...more] = await service.held()
    expect(more).toEqual([])
    expect(held).toMatchObject({ attachment: { id }, waitsFor: 'person', asked: null })
    expect(Date.parse(held!.until) - Date.parse(held!.since)).toBe(30 * 86_400_000)
    expect(await service.held('?waitsFor=engine')).toEqual([])
    const [told] = await service.confirmations(conversationId)
    expect(told).toContain('still has to be examined')
    expect((await service.get('/v1/quarantine', keys.read)).status).toBe(403)
  })

  it('is drawn for who decides about it, and on record, unless an engine found something in it', async () => {
    const service = await start({ codes: ['malware', 'type_mismatch'] })
    const { body } = await service.push({ ...(await jpeg('photo.jpg', 300)), name: 'photo.png' })
    const { id } = body.attachment
    const drawn = await fetch(`${service.url}/v1/attachments/${id}/preview?pixels=64`, {
      headers: { authorization: `Bearer ${keys.all}` },
    })
    expect([drawn.status, drawn.headers.get('content-type')]).toEqual([200, 'image/webp'])
    const story = await service.get<{ rows: AuditLink[] }>(`/v1/attachments/${id}/story`)
    expect(story.body.rows.map(({ what, outcome }) => [what, outcome])).toContainEqual([
      'read',
      'preview of page 1, held',
    ])
    for (const [part, key] of [
      ['preview', keys.read],
      ['content', keys.all],
      ['safe-copy', keys.all],
    ] as const)
      expect([part, (await contentOf(service, id, part, key)).status]).toEqual([part, 409])
    const found = (await service.push(harmful())).body.attachment.id
    const { status, bytes } = await contentOf(service, found, 'preview', keys.all)
    expect([status, JSON.parse(String(bytes)).code]).toEqual([409, 'no_copy'])
  })

  it('is only what its code is named for; the rest is thrown away as ever', async () => {
    const service = await start({ codes: ['malware'] })
    const { status, body } = await service.push({ ...(await jpeg()), name: 'photo.png' })
    expect([status, body.code]).toEqual([415, 'type_mismatch'])
    expect([await service.held(), await stored(service)]).toEqual([[], []])
  })

  it('sent again is answered as the first time, also once it is decided on', async () => {
    const service = await start({ codes: ['malware'] })
    const file = harmful()
    const first = await service.push(file, { idempotencyKey: 'k1' })
    const again = await service.push(file, { idempotencyKey: 'k1' })
    await service.decide('release', first.body.attachment.id)
    const later = await service.push(file, { idempotencyKey: 'k1' })
    expect([again.status, again.body, later.status, later.body]).toEqual([202, first.body, 202, first.body])
    expect(await stored(service)).toHaveLength(1)
  })

  it('can be erased as any other', async () => {
    const service = await start({ codes: ['malware'] })
    const { body } = await service.push(harmful())
    const response = await fetch(`${service.url}/v1/attachments/${body.attachment.id}`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${keys.all}` },
    })
    expect(response.status).toBe(200)
    expect([await service.held(), await stored(service)]).toEqual([[], []])
    expect((await service.decide('release', body.attachment.id)).status).toBe(409)
  })

  it('comes page by page, the longest held first', async () => {
    const service = await start({ codes: ['malware'] })
    const ids: string[] = []
    for (let i = 0; i < 5; i++) ids.push((await service.push(harmful())).body.attachment.id)
    const seen: string[] = []
    for (let cursor: string | null = ''; cursor !== null; ) {
      const page: { body: { items: Held[]; next: string | null } } = await service.get(
        `/v1/quarantine?limit=2${cursor && `&cursor=${cursor}`}`,
      )
      seen.push(...page.body.items.map(({ attachment }) => attachment.id))
      cursor = page.body.next
    }
    expect(seen).toEqual(ids)
    expect((await service.get('/v1/quarantine?cursor=nonsense')).status).toBe(400)
  })
})

describe('a held file', () => {
  it('is released by an admin with a reason: then it is an accepted one, and the conversation hears of it', async () => {
    const service = await start({ codes: ['malware'] })
    const conversationId = service.conversation()
    const file = harmful()
    const { id } = (await service.push(file, { conversationId })).body.attachment
    await service.confirmations(conversationId)
    await until(async () => (await service.record(id)).confirmation?.state === 'delivered')
    expect((await service.decide('release', id, { key: keys.read })).status).toBe(403)
    expect((await service.decide('release', id, { reason: null })).status).toBe(400)
    expect((await service.decide('release', id, { reason: ' ' })).status).toBe(400)
    const { status, body } = await service.decide('release', id)
    expect([status, body.status]).toEqual([200, 'released'])
    expect(await service.record(id)).toMatchObject({
      state: 'accepted',
      code: null,
      detail: 'released by all; was malware: test-engine: Eicar-Test',
    })
    expect(await contentOf(service, id)).toEqual({ status: 200, bytes: file.bytes })
    const texts = await service.confirmations(conversationId, 2)
    expect(texts[1]).toContain('We have received your file')
    expect(texts[1]).toContain(`${reference(id)}-2`)
    expect(await service.held()).toEqual([])
    for (const what of ['release', 'destroy']) expect((await service.decide(what, id)).status).toBe(409)
  })

  it('is released by two persons where the policy asks for it, and never by one twice', async () => {
    const service = await start({ codes: ['malware'], secondPerson: true })
    const { id } = (await service.push(harmful())).body.attachment
    for (let i = 0; i < 2; i++) {
      const { status, body } = await service.decide('release', id)
      expect([status, body.status]).toEqual([202, 'asked'])
    }
    expect((await service.held())[0]).toMatchObject({ asked: { by: 'all' } })
    expect((await contentOf(service, id)).status).toBe(409)
    expect((await service.decide('release', id, { key: second })).status).toBe(200)
    expect((await contentOf(service, id)).status).toBe(200)
  })

  it('is decided on once, whatever comes at the same time', async () => {
    const service = await start({ codes: ['malware'] })
    for (let i = 0; i < 5; i++) {
      const { id } = (await service.push(harmful())).body.attachment
      const answers = await Promise.all(
        ['release', 'destroy', 'release', 'destroy'].map((what) => service.decide(what, id)),
      )
      expect(answers.map(({ status }) => status).sort()).toEqual([200, 409, 409, 409])
      const { state } = await service.record(id)
      expect((await contentOf(service, id)).status).toBe(state === 'accepted' ? 200 : 409)
    }
  })

  it('is destroyed: its key and its bytes are gone, and the conversation hears that it was refused', async () => {
    const service = await start({ codes: ['malware'] })
    const conversationId = service.conversation()
    const { id } = (await service.push(harmful(), { conversationId })).body.attachment
    await until(async () => (await service.record(id)).confirmation?.state === 'delivered')
    expect((await service.decide('destroy', id)).body).toMatchObject({ state: 'refused', code: 'malware' })
    expect([await stored(service), await service.held()]).toEqual([[], []])
    expect((await contentOf(service, id)).status).toBe(409)
    expect((await service.confirmations(conversationId, 2))[1]).toContain('something harmful was found in it')
  })

  it('is destroyed when nobody has decided in its days', async () => {
    let now = new Date()
    const clock: Clock = { ...systemClock, now: () => now }
    const service = await start({ codes: ['malware'], days: 3 }, { overrides: { clock } })
    const { id } = (await service.push(harmful())).body.attachment
    now = new Date(now.getTime() + 3 * 86_400_000 - 1)
    await service.service.sweep()
    expect((await service.record(id)).state).toBe('quarantined')
    now = new Date(now.getTime() + 1)
    await service.service.sweep()
    expect(await service.record(id)).toMatchObject({ state: 'refused', code: 'malware' })
    expect(await stored(service)).toEqual([])
  })

  it('is one that was accepted, when an admin takes it back', async () => {
    const service = await start({})
    const conversationId = service.conversation()
    const file = await png()
    const { id } = (await service.push(file, { conversationId })).body.attachment
    await until(async () => (await service.record(id)).confirmation?.state === 'delivered')
    expect((await service.decide('hold', id)).body).toMatchObject({
      state: 'quarantined',
      code: null,
      detail: 'held by all',
    })
    expect((await contentOf(service, id)).status).toBe(409)
    expect((await service.confirmations(conversationId, 2))[1]).toContain('still has to be examined')
    expect((await service.decide('hold', id)).status).toBe(409)
    expect((await service.decide('release', id)).status).toBe(200)
    expect(await contentOf(service, id)).toEqual({ status: 200, bytes: file.bytes })
    expect((await service.confirmations(conversationId, 3))[2]).toContain(`${reference(id)}-3`)
  })

  it('is decided on by commands too, beside the running service, each in the name of a person', async () => {
    const service = await start({ codes: ['malware'], secondPerson: true })
    const env = { ...testEnvironment(service.dataDir, service.emulator.url), CLIPGATE_POLICY_FILE: service.policyFile }
    const clipgate = async (...args: string[]) => {
      const program = run(['quarantine', ...args], env)
      return { code: await program.ended, out: program.stdout() + program.stderr() }
    }
    const [a, b] = [harmful(), harmful()]
    const one = (await service.push(a)).body.attachment.id
    const two = (await service.push(b)).body.attachment.id
    expect((await clipgate('list')).out).toContain(`${one}  quarantined  waits for a person`)
    expect((await clipgate('list', '--json', '--waits-for', 'engine')).out).toBe('')
    const release = (by: string) => clipgate('release', one, '--by', by, '--reason', 'looked at it')
    expect((await release('anna')).out).toBe('Asked for. Another person must agree.\n')
    expect((await release('anna')).out).toBe('Asked for. Another person must agree.\n')
    expect(await release('ben')).toEqual({ code: 0, out: 'Released.\n' })
    expect(await contentOf(service, one)).toEqual({ status: 200, bytes: a.bytes })
    expect((await release('ben')).code).toBe(1)
    expect((await clipgate('destroy', two, '--by', 'anna', '--reason', 'bad')).out).toBe('Destroyed.\n')
    expect(await stored(service)).toHaveLength(1)
    expect((await clipgate('hold', one, '--by', 'anna', '--reason', 'second thoughts')).code).toBe(0)
    expect((await service.record(one)).state).toBe('quarantined')
    expect((await clipgate('release', one)).code).toBe(2)
    expect((await clipgate('release', one, '--by', 'a b', '--reason', 'x')).code).toBe(2)
  })

  it('whose bytes cannot be removed now is unreadable at once, and the next sweep removes them', async () => {
    const service = await start({ codes: ['malware'] })
    const { id } = (await service.push(harmful())).body.attachment
    const [name] = await stored(service)
    const all = await readdir(join(service.dataDir, 'objects'), { recursive: true })
    const path = join(service.dataDir, 'objects', all.find((one) => one.endsWith(name!))!)
    const program = run(
      ['quarantine', 'destroy', id, '--by', 'anna', '--reason', 'bad'],
      {
        ...testEnvironment(service.dataDir, service.emulator.url),
      },
      ['sh', '-c', `ulimit -c 0; exec strace -f -qq -o /dev/null -e trace=unlink -e inject=unlink:error=EIO "$0" "$@"`],
    )
    expect(await program.ended).toBe(1)
    expect(existsSync(path)).toBe(true)
    expect((await service.record(id)).state).toBe('refused')
    expect((await contentOf(service, id)).status).toBe(409)
    await service.service.sweep()
    expect(existsSync(path)).toBe(false)
  })
})

describe('a file that no engine could judge', () => {
  /** An engine that does what the test says by then, and a service that asks again all the time. */
  async function waiting(policy: Record<string, unknown> = {}) {
    const engine: { says: Verdict['verdict'] } = { says: 'failed' }
    const recovering = fakeEngine({ say: () => ({ verdict: engine.says, detail: `it says ${engine.says}` }) })
    let ahead = 0
    // Time runs, so that what rests a minute is due.
    const now = () => {
      ahead += 5000
      return new Date(Date.now() + ahead)
    }
    const clock: Clock = { ...hurriedClock, now }
    const service = await start({ engineDown: true, ...policy }, { overrides: { scanners: [recovering], clock } })
    return { engine, service }
  }

  it('waits for it, is accepted once it says clean, and the conversation hears of both', async () => {
    const { engine, service } = await waiting()
    const conversationId = service.conversation()
    const file = await png()
    const { status, body } = await service.push(file, { conversationId })
    expect([status, body.status, body.attachment.state]).toEqual([202, 'quarantined', 'quarantined'])
    const { id } = body.attachment
    expect(await service.record(id)).toMatchObject({
      code: null,
      detail: 'the engine test-engine has no verdict: it says failed',
    })
    expect((await contentOf(service, id)).status).toBe(409)
    expect((await service.held('?waitsFor=engine')).map(({ attachment }) => attachment.id)).toEqual([id])
    const { body: problem, status: refused } = await service.decide('release', id)
    expect([refused, problem.detail]).toEqual([409, 'The file waits for an engine, which nobody can stand in for.'])
    await service.confirmations(conversationId)
    engine.says = 'clean'
    await until(async () => (await service.record(id)).state === 'accepted')
    expect(await service.record(id)).toMatchObject({ code: null, detail: null, verdicts: [{ verdict: 'clean' }] })
    expect(await contentOf(service, id)).toEqual({ status: 200, bytes: file.bytes })
    expect((await service.confirmations(conversationId, 2))[1]).toContain('We have received your file')
  })

  it('is refused and destroyed once it says infected', async () => {
    const { engine, service } = await waiting()
    const { id } = (await service.push(await png())).body.attachment
    engine.says = 'infected'
    await until(async () => (await service.record(id)).state === 'refused')
    expect(await service.record(id)).toMatchObject({ code: 'malware', detail: 'test-engine: it says infected' })
    await until(async () => (await stored(service)).length === 0)
  })

  it('waits for a person then, where the policy keeps such files', async () => {
    const { engine, service } = await waiting({ codes: ['unscannable'] })
    const { id } = (await service.push(await png())).body.attachment
    engine.says = 'unscannable'
    await until(async () => (await service.held('?waitsFor=person')).length === 1)
    expect((await service.decide('release', id)).status).toBe(200)
  })

  it('is a 503 where the policy does not say so', async () => {
    const { service } = await waiting({ engineDown: false })
    const { status } = await service.push(await png())
    expect([status, await service.held(), await stored(service)]).toEqual([503, [], []])
  })
})

it('what a policy says of it is checked, and told to everybody', async () => {
  const service = await start({ codes: ['malware', 'encrypted'], days: 7, engineDown: true, secondPerson: true })
  expect((await service.get<{ quarantine: unknown }>('/v1/policy')).body.quarantine).toEqual({
    codes: ['malware', 'encrypted'],
    engineDown: true,
    days: 7,
    secondPerson: true,
  })
  await expect(start({ codes: ['too_large'] })).rejects.toThrow('quarantine.codes.0')
  await expect(start({ code: ['malware'] })).rejects.toThrow('Did you mean codes')
})
