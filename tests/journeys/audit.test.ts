import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFile, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import manifest from '../../package.json' with { type: 'json' }
import type { Attachment, Verdict } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { auditKinds } from '../../src/records/questions/audit.ts'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import { migrate } from '../../src/records/sqlite/migrate.ts'
import { createDatabaseFile } from '../../src/records/sqlite/sqlite.ts'
import { migrations } from '../database.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { jpeg, text } from '../fixtures/files.ts'
import { naughtyNames } from '../fixtures/names.ts'
import { epoch } from '../fixtures/settlements.ts'
import { hurriedClock, until } from '../genesys/clock.ts'
import { eventually, keys, startTestService, type TestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { personAt } from '../people.ts'
import { run } from './process.ts'

interface Row {
  node: string
  seq: number
  at: string
  who: string
  what: string
  object: string | null
  outcome: string
  requestId: string | null
  detail: string | null
  previous: string
  digest: string
}

async function clipgate(dataDir: string, args: string[]) {
  const program = run(args, testEnvironment(dataDir, 'http://127.0.0.1:9'))
  const code = await program.ended
  return { code, out: program.stdout(), err: program.stderr() }
}

async function exported(dataDir: string): Promise<Row[]> {
  const { code, out } = await clipgate(dataDir, ['audit', 'export'])
  expect(code).toBe(0)
  return rowsIn(out)
}

function rowsIn(lines: string): Row[] {
  return lines
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Row)
}

function ask({ url }: TestService, method: string, path: string, key: string | null, headers = {}) {
  return fetch(url + path, { method, headers: { ...(key && { authorization: `Bearer ${key}` }), ...headers } })
}

/** What people, and engines that have more to say, decide about files after they were settled. */
async function decidedOn(dataDir: string) {
  const file = join(dataDir, 'policy.json')
  const quarantine = { codes: ['malware'], engineDown: true, secondPerson: true }
  await writeFile(file, JSON.stringify({ quarantine, reuseVerdictHours: 0 }))
  const engine = { verdict: 'clean' as Verdict['verdict'], signatures: 'today' }
  const scanner = fakeEngine({ say: () => ({ verdict: engine.verdict }), signatures: () => engine.signatures })
  let ahead = 0
  const clock: Clock = { ...hurriedClock, now: () => new Date(Date.now() + ahead) }
  const env = { POLICY_FILE: file }
  const service = await startTestService({ dataDir, env, overrides: { scanners: [scanner], clock } })
  const take = async () => (await service.push(text('Geheimnis.txt'))).body.attachment.id
  const state = async (id: string) => (await service.get<Attachment>(`/v1/attachments/${id}`)).body.state
  const recalled = await take()
  engine.verdict = 'infected'
  const held = await take()
  const decide = async (what: string, by: string) => {
    const args = ['quarantine', what, held, '--by', by, '--reason', 'looked at it']
    expect(
      await run(args, { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), CLIPGATE_POLICY_FILE: file }).ended,
    ).toBe(0)
  }
  await decide('release', 'anna')
  await decide('release', 'ben')
  await decide('hold', 'anna')
  await decide('destroy', 'anna')
  engine.verdict = 'failed'
  const late = await take()
  engine.verdict = 'clean'
  ahead = 120_000
  await until(async () => (await state(late)) === 'accepted')
  engine.verdict = 'infected'
  engine.signatures = 'tomorrow'
  await until(async () => (await state(recalled)) === 'recalled')
  await service.service.stop()
  return { recalled, late, held }
}

/** A file whose bytes are lost, and a service that has found that. */
async function foundByScrub(dataDir: string): Promise<string> {
  const { push, service } = await startTestService({ dataDir, env: { SCRUB_DAYS: 'off' } })
  const { id } = (await push(text('Geheimnis.txt'))).body.attachment
  await service.stop()
  await rm(join(dataDir, 'objects', id.slice(-1), id))
  // A month on, so that a walk begins whose first file it is.
  const clock: Clock = { ...hurriedClock, now: () => new Date(Date.now() + 31 * 86_400_000) }
  const again = await startTestService({ dataDir, overrides: { clock } })
  await eventually(
    () => again.logged,
    (lines) => lines.some(({ attachmentId, outcome }) => attachmentId === id && outcome === 'missing'),
  )
  await again.service.stop()
  return id
}

/** A stopped service that took eight files, and a copy of its folder for each case. */
async function stoppedAfterEight() {
  const service = await startTestService()
  for (let i = 0; i < 8; i++) await service.push(text())
  await service.service.stop()
  const heads = service.logged.filter(({ msg }) => msg === 'audit head').map(({ head }) => String(head))
  return { service, heads, rows: await exported(service.dataDir) }
}

/** The folder of a database in which somebody has changed something by hand. */
async function tampered(dataDir: string, sql: string): Promise<string> {
  const copy = await temporaryFolder()
  const path = join(copy, 'clipgate.db')
  await copyFile(join(dataDir, 'clipgate.db'), path)
  const database = openDatabase(path)
  database.function('sha256', (form: string) => createHash('sha256').update(form).digest('hex'))
  database.exec(`DROP TRIGGER audit_rows_stay; DROP TRIGGER audit_rows_stand; ${sql}`)
  database.close()
  return copy
}

describe('the audit trail', () => {
  it('has a row of every kind, in one whole chain, and none has a name of a file, a search or a secret in it', async () => {
    const dataDir = await temporaryFolder()
    const service = await startTestService({ dataDir })
    const conversationId = service.conversation({ agent: false })
    const accepted = await service.push(await jpeg('Geheimnis.jpg'), { key: keys.push, conversationId })
    const refused = await service.push(text('Geheimnis.txt', '<html>'))
    const id = accepted.body.attachment.id
    const path = `/v1/attachments/${id}`
    await ask(service, 'GET', path, keys.read)
    await ask(service, 'GET', '/v1/attachments?q=geheimnis', keys.read)
    await (await ask(service, 'GET', `${path}/content`, keys.read)).arrayBuffer()
    await ask(service, 'GET', `${path}/preview?page=1`, keys.read)
    await ask(service, 'GET', `${path}/safe-copy`, keys.read)
    const links = `${service.url}${path}/links`
    const asReader = { authorization: `Bearer ${keys.read}`, 'content-type': 'application/json' }
    const made = await fetch(links, { method: 'POST', headers: asReader, body: '{"of":"original"}' })
    const link = (await made.json()) as { id: string; url: string }
    await (await fetch(link.url)).arrayBuffer()
    await ask(service, 'DELETE', `${path}/links/${link.id}`, keys.read)
    // What is refused to somebody known, and to somebody unknown.
    await ask(service, 'DELETE', path, keys.read)
    await ask(service, 'GET', `/v1/attachments/${refused.body.attachmentId}/content`, keys.read)
    await ask(service, 'GET', '/v1/attachments/Geheimnis.jpg', keys.read)
    await service.push(text('Geheimnis.txt'), { idempotencyKey: 'k1' })
    await service.push(text('Geheimnis anders.txt', 'other'), { idempotencyKey: 'k1' })
    await ask(service, 'GET', path, 'a-wrong-secret-0123456789')
    await ask(service, 'DELETE', path, keys.all)
    await ask(service, 'GET', `${path}/content`, keys.read)
    await fetch(`${service.url}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.push}`, 'content-type': 'application/json' },
      body: JSON.stringify({ conversationId, maxFiles: 3 }),
    })
    await clipgate(dataDir, ['outbox', 'retry'])
    await clipgate(dataDir, ['outbox', 'drop', refused.body.attachmentId])
    await clipgate(dataDir, ['pull', 'retry'])
    await writeFile(join(dataDir, 'ids'), '7d5e2b1c-0c3a-4c53-9f8a-2e4d5a6b7c81\n')
    await clipgate(dataDir, ['pull', 'backfill', '--no-wait', '--conversations', join(dataDir, 'ids')])
    await clipgate(dataDir, ['keys', 'export', '--out', join(dataDir, 'copy.key')])
    await clipgate(dataDir, ['keys', 'create', '--out', join(dataDir, 'second.key')])
    const atPlatform = {
      ...testEnvironment(dataDir, service.emulator.url),
      CLIPGATE_GENESYS_USER_CLIENT_ID: 'demo-page',
    }
    await run(['policy', 'push', '--profile', 'webMessagingDefault', '--yes'], atPlatform).ended
    const signIn = run(['genesys', 'sign-in', '--port', '0'], atPlatform)
    const [address] = await signIn.until(/http\S+authorize\S+/)
    await fetch(address)
    await signIn.ended
    await run(['genesys', 'sign-out'], atPlatform).ended
    const add = ['accounts', 'add', 'rita', '--role', 'reader']
    await run(add, testEnvironment(dataDir, 'http://127.0.0.1:9'), [], 'Geheimnis der Dame\n').ended
    const rita = personAt(service)
    const account = { name: 'rita', password: 'Geheimnis der Dame' }
    expect((await rita.ask('POST', '/v1/session', { body: account })).status).toBe(201)
    await rita.ask('GET', path)
    await rita.ask('DELETE', path)
    await rita.ask('DELETE', '/v1/session')
    await service.service.stop()
    // A second key, appended to the key file, is announced, and the current one from the next start on.
    await appendFile(join(dataDir, 'keys', 'master.key'), await readFile(join(dataDir, 'second.key')))
    await clipgate(dataDir, ['keys', 'rotate'])
    const rotated = await startTestService({ dataDir })
    await eventually(
      () => rotated.logged,
      (lines) => lines.some(({ msg }) => msg === 'keys of files are wrapped under the current master key'),
    )
    await rotated.service.stop()
    // A third one is given up before it was ever current.
    const [third] = /mk_\w+/.exec((await clipgate(dataDir, ['keys', 'rotate'])).out) ?? []
    await clipgate(dataDir, ['keys', 'retire', third!])
    await (await startTestService({ dataDir })).service.stop()
    // Where nothing answers, it is written all the same that it was to be done.
    const nowhere = 's3://bucket/clipgate?endpoint=http://127.0.0.1:1&forcePathStyle=true'
    const aws = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'a-wrong-secret' }
    await run(['move', 'storage', '--to', nowhere], { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), ...aws }).ended
    await clipgate(dataDir, ['move', 'database', '--to', 'postgres://u:a-wrong-secret@127.0.0.1:1/x'])
    // The trail goes on in what is restored from a backup.
    const backup = join(await temporaryFolder(), 'backup')
    await clipgate(dataDir, ['backup', '--out', backup])
    for (const name of await readdir(dataDir)) if (name !== 'keys') await rm(join(dataDir, name), { recursive: true })
    await clipgate(dataDir, ['restore', '--from', backup])
    const { recalled, late, held } = await decidedOn(dataDir)
    const lost = await foundByScrub(dataDir)

    const rows = await exported(dataDir)
    const told = rows.map(({ who, what, object, outcome }) => [who, what, object, outcome])
    const [first, second] = rows.filter(({ what }) => what === 'key_make').map(({ object }) => object)
    expect(told).toEqual(
      expect.arrayContaining([
        ['(service)', 'key_make', first, 'current'],
        ['(service)', 'service_start', null, manifest.version],
        ['pusher', 'take', id, 'accepted'],
        ['pusher', 'ticket_issue', null, expect.stringMatching(/^3 files until 20/)],
        ['all', 'take', refused.body.attachmentId, 'type_mismatch'],
        ['reader', 'see', id, 'shown'],
        ['reader', 'list', null, '2 shown'],
        ['reader', 'read', id, 'whole'],
        ['reader', 'read', id, 'preview of page 1'],
        ['reader', 'read', id, 'safe copy'],
        ['reader', 'link_make', id, expect.stringMatching(/^original until 20/)],
        ['reader (link)', 'read', id, 'whole'],
        ['reader', 'link_revoke', id, 'revoked'],
        ['reader', 'request_refuse', id, 'forbidden'],
        ['reader', 'request_refuse', refused.body.attachmentId, 'not_accepted'],
        ['reader', 'request_refuse', null, 'not_found'],
        ['all', 'request_refuse', null, 'conflict'],
        ['(unknown)', 'credential_refuse', null, 'unauthorized'],
        ['all', 'erase', id, 'erased'],
        ['reader', 'request_refuse', id, 'gone'],
        ['cli', 'outbox_retry', null, '0 due again'],
        ['cli', 'outbox_drop', refused.body.attachmentId, '0 dropped'],
        ['cli', 'pull_retry', null, '0 due again'],
        ['cli', 'pull_backfill', null, '1 conversations'],
        ['cli', 'policy_push', 'webMessagingDefault', 'asked'],
        ['cli', 'user_sign_in', expect.any(String), 'keeping'],
        ['cli', 'user_sign_out', expect.any(String), 'forgotten'],
        ['cli', 'account_change', 'rita', 'added as reader'],
        ['account:rita', 'sign_in', expect.stringMatching(/^ses_/), 'reader'],
        ['account:rita', 'see', id, 'shown'],
        ['account:rita', 'request_refuse', id, 'forbidden'],
        ['account:rita', 'sign_out', expect.stringMatching(/^ses_/), 'signed out'],
        ['cli', 'key_export', first, 'copying'],
        ['cli', 'key_make', second, 'made'],
        ['cli', 'key_announce', second, 'waits until every process has it'],
        ['(service)', 'key_rewrap', second, 'whole'],
        ['cli', 'key_make', third, 'made'],
        ['cli', 'key_retire', third, 'retired'],
        ['(service)', 'service_stop', null, manifest.version],
        ['(service)', 'key_use', second, 'current'],
        ['all', 'take', held, 'quarantined'],
        ['cli', 'backup', null, 'copying'],
        ['cli', 'move_storage', null, 'last pass'],
        ['cli', 'move_database', null, 'to PostgreSQL'],
        ['(service)', 'scrub_find', lost, 'missing'],
        ['cli', 'restore', null, expect.stringMatching(/^\d+ files$/)],
        ['cli:anna', 'release_ask', held, 'asked'],
        ['cli:ben', 'release', held, 'accepted'],
        ['cli:anna', 'hold', held, 'quarantined'],
        ['cli:anna', 'destroy', held, 'unscannable'],
        ['(service)', 'judge_late', late, 'accepted'],
        ['(service)', 'recall', recalled, 'malware'],
      ]),
    )
    expect(new Set(rows.map(({ what }) => what))).toEqual(new Set(Object.keys(auditKinds)))
    expect(rows.at(-1)?.what).toBe('service_stop')
    const start = JSON.parse(rows.find(({ what }) => what === 'service_start')?.detail ?? '')
    expect(start).toMatchObject({
      settings: { dataDir, scan: 'off', policy: { maxFileBytes: 10_485_760 }, genesys: { clientId: 'demo-client' } },
      credentials: { apiKeys: expect.arrayContaining([{ name: 'reader', scopes: ['read'] }]) },
      masterKeys: { current: first, all: [first] },
    })
    for (const trace of ['Geheimnis', 'geheimnis', ...Object.values(keys), 'a-wrong-secret', 'demo-secret'])
      expect(JSON.stringify(rows)).not.toContain(trace)
    expect(await clipgate(dataDir, ['audit', 'verify'])).toMatchObject({
      code: 0,
      out: expect.stringContaining(`The trail is whole: ${rows.length} rows.`),
    })
  })

  it('counts refused credentials that repeat within a minute into one row an address', async () => {
    const minutes = new Set<() => void>()
    const endMinute = () => {
      for (const end of minutes) end()
    }
    const clock: Clock = {
      ...systemClock,
      wait: (ms, signal) =>
        ms === 60_000
          ? new Promise((resolve) => {
              minutes.add(resolve)
              signal?.addEventListener('abort', () => resolve())
            })
          : systemClock.wait(ms, signal),
    }
    const service = await startTestService({ overrides: { clock } })
    const wrong = async (times: number) => {
      for (let i = 0; i < times; i++)
        expect((await ask(service, 'GET', '/v1/attachments', `wrong-secret-${i}-0123456789`)).status).toBe(401)
    }
    const refusals = async () => (await exported(service.dataDir)).filter(({ what }) => what === 'credential_refuse')
    await wrong(30)
    await eventually(refusals, (rows) => rows.length === 1)
    endMinute()
    const rows = await eventually(refusals, (found) => found.length === 2)
    expect(rows[0]).toMatchObject({ who: '(unknown)', object: null, outcome: 'unauthorized' })
    expect(rows[0]?.requestId).toMatch(/^req_/)
    expect(JSON.parse(rows[0]?.detail ?? '')).toEqual({ address: '127.0.0.1', route: 'GET /v1/attachments' })
    expect(JSON.parse(rows[1]?.detail ?? '')).toEqual({ address: '127.0.0.1', times: 29, from: expect.any(String) })
    await wrong(1)
    await service.service.stop()
    expect(await refusals()).toHaveLength(3)
  })

  it('has at most twenty addresses a minute by name, and counts the others together', async () => {
    const service = await startTestService({ env: { TRUSTED_PROXIES: '127.0.0.1' } })
    await Promise.all(
      Array.from({ length: 50 }, (_, i) =>
        ask(service, 'POST', '/webhook/file-upload', null, { 'x-forwarded-for': `203.0.113.${i}` }),
      ),
    )
    await service.service.stop()
    const rows = (await exported(service.dataDir)).filter(({ what }) => what === 'credential_refuse')
    expect(rows).toHaveLength(21)
    expect(rows.at(-1)).toMatchObject({ who: '(several)', outcome: 'several' })
    expect(JSON.parse(rows.at(-1)?.detail ?? '')).toMatchObject({ times: 30 })
  })

  it('has the address that a request came from, not one that it makes up', async () => {
    const service = await startTestService()
    await ask(service, 'POST', '/webhook/file-upload', null, { 'x-forwarded-for': '203.0.113.1' })
    await service.service.stop()
    const row = (await exported(service.dataDir)).find(({ what }) => what === 'credential_refuse')
    expect(JSON.parse(row?.detail ?? '')).toMatchObject({ address: '127.0.0.1' })
    expect(JSON.stringify(row)).not.toContain('203.0.113.1')
  })

  it('is searched by object, who, kind and time', async () => {
    const service = await startTestService()
    const { id } = (await service.push(text(), { key: keys.push })).body.attachment
    await service.push(text(), { key: keys.push })
    await service.get(`/v1/attachments/${id}`, keys.read)
    const list = async (...args: string[]) => {
      const { code, out } = await clipgate(service.dataDir, ['audit', 'list', '--json', ...args])
      expect(code).toBe(0)
      return rowsIn(out).map(({ what }) => what)
    }
    expect(await list('--object', id)).toEqual(['see', 'take'])
    expect(await list('--who', 'pusher', '--limit', '1')).toEqual(['take'])
    expect(await list('--who', 'reader')).toEqual(['see'])
    expect(await list('--what', 'take', '--from', '2020-01-01', '--to', '2999-01-01T00:00')).toEqual(['take', 'take'])
    expect(await list('--to', '2020-01-01T00:00:00Z')).toEqual([])
    const { out } = await clipgate(service.dataDir, ['audit', 'list', '--object', id])
    expect(out).toMatch(
      /^\d+ {2}\d{4}-\S+Z {2}reader {2}see {2}att_\S+ {2}shown {2}req_\S+\n\d+ {2}\S+ {2}pusher {2}take/,
    )
    for (const wrong of [
      ['--what', 'nonsense'],
      ['--from', 'yesterday'],
      ['--limit', '0'],
    ])
      expect((await clipgate(service.dataDir, ['audit', 'list', ...wrong])).code).toBe(2)
  })

  it('is exported whole, and the export alone proves itself, as the documentation says', async () => {
    const { service, rows } = await stoppedAfterEight()
    expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => i + 1))
    expect(rows.filter(({ what }) => what === 'take')).toHaveLength(8)
    const file = join(service.dataDir, 'trail.ndjson')
    expect(await clipgate(service.dataDir, ['audit', 'export', '--out', file])).toMatchObject({ code: 0 })
    expect(rowsIn(await readFile(file, 'utf8'))).toEqual(rows)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
    expect((await clipgate(service.dataDir, ['audit', 'export', '--out', file])).code).toBe(2)

    const page = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8')
    const program = /```js\n(\/\/ verify\.mjs\n[\s\S]*?)```/.exec(page)?.[1]
    const script = join(service.dataDir, 'verify.mjs')
    await writeFile(script, program ?? '')
    const verify = (lines: string) => execFileSync('node', [script], { input: lines, encoding: 'utf8', stdio: 'pipe' })
    const lines = rows.map((row) => JSON.stringify(row))
    expect(verify(lines.join('\n'))).toBe(`${rows.at(-1)!.seq}:${rows.at(-1)!.digest}\n`)
    lines[3] = JSON.stringify({ ...rows[3]!, who: 'somebody' })
    expect(() => verify(lines.join('\n'))).toThrow()
  })
})

describe('somebody who changes the database by hand', () => {
  const form = (seq: number) =>
    `json_array('clipgate audit', 1, node, ${seq}, at, who, what, object, outcome, request_id, detail, previous)`
  const copyOf = (node: string, seq: number | string) =>
    `INSERT INTO audit SELECT ${node}, ${seq}, at, who, what, object, outcome, request_id, detail, previous, digest FROM audit WHERE seq = 4`

  it.each([
    ['edits who it was', "UPDATE audit SET who = 'nobody' WHERE seq = 4", 'Row 4 .*was edited'],
    ['edits when it was', 'UPDATE audit SET at = at + 1 WHERE seq = 4', 'Row 4 .*was edited'],
    ['puts nonsense for the time', 'UPDATE audit SET at = 9000000000000000000 WHERE seq = 4', 'Row 4 .*was edited'],
    ['empties a field', 'UPDATE audit SET request_id = NULL WHERE seq = 4', 'Row 4 .*was edited'],
    [
      'edits a row and makes its digest anew',
      `UPDATE audit SET who = 'nobody' WHERE seq = 4; UPDATE audit SET digest = sha256(${form(4)}) WHERE seq = 4`,
      'Row 5 .*does not follow row 4',
    ],
    ['removes a row', 'DELETE FROM audit WHERE seq = 4', 'Row 4 .*is missing'],
    ['removes the first rows', 'DELETE FROM audit WHERE seq < 4', 'Row 1 .*is missing'],
    [
      'removes a row and closes the gap',
      'DELETE FROM audit WHERE seq = 4; UPDATE audit SET seq = seq - 1 WHERE seq > 4',
      'Row 4 .*is not the one that was there',
    ],
    [
      'changes the order of two rows',
      'UPDATE audit SET seq = -1 WHERE seq = 4; UPDATE audit SET seq = 4 WHERE seq = 5; UPDATE audit SET seq = 5 WHERE seq = -1',
      'Row 4 .*is not the one that was there',
    ],
    [
      'inserts a row in the middle',
      `UPDATE audit SET seq = -seq WHERE seq > 4; UPDATE audit SET seq = 1 - seq WHERE seq < 0; ${copyOf('node', 5)}`,
      'Row 5 .*is not the one that was there',
    ],
    ['inserts a row before the first', copyOf('node', 0), 'Row 0 .*was inserted'],
    ['inserts a row at the end', copyOf('node', '(SELECT max(seq) + 1 FROM audit)'), 'is not the one that was there'],
    ['inserts a chain of another node', copyOf("'ffffffff'", 1), 'Row 1 of node ffffffff was inserted'],
  ])('%s: verify names the first row that is wrong, and exits with 1', async (_, sql, told) => {
    const { service, rows } = await stoppedAfterEight()
    const { code, out } = await clipgate(await tampered(service.dataDir, sql), ['audit', 'verify'])
    expect([code, out]).toEqual([1, expect.stringMatching(new RegExp(told))])
    expect(out.trim().split('\n')).toHaveLength(1)
    if (told.startsWith('Row 4 .*was edited') && !sql.includes('at =')) expect(out).toContain(`${rows[3]!.at}, take`)
  })

  it('removes the newest rows: that alone is whole, and a head that was kept elsewhere proves that it is not all', async () => {
    const { service, heads, rows } = await stoppedAfterEight()
    const { seq, digest, node } = rows.at(-1)!
    expect(heads.at(-1)).toBe(`${seq}:${digest}`)
    const before = await clipgate(service.dataDir, ['audit', 'verify', '--head', heads.at(-1)!])
    expect(before).toMatchObject({ code: 0, out: expect.stringContaining(`Head of node ${node}: ${seq}:${digest}`) })

    const copy = await tampered(service.dataDir, 'DELETE FROM audit WHERE seq > 4')
    expect((await clipgate(copy, ['audit', 'verify'])).code).toBe(0)
    const { code, out } = await clipgate(copy, ['audit', 'verify', '--head', heads.at(-1)!])
    expect([code, out]).toEqual([1, expect.stringContaining(`does not contain ${seq}:${digest}`)])
    expect(out).toContain('rows at its end were removed')
  })

  it('writes the whole trail anew from a row on: only a head that was kept elsewhere proves it', async () => {
    const { service, heads } = await stoppedAfterEight()
    const anew = Array.from(
      { length: 20 },
      (_, i) =>
        `UPDATE audit SET previous = (SELECT digest FROM audit WHERE seq = ${i + 3}) WHERE seq = ${i + 4};
         UPDATE audit SET digest = sha256(${form(i + 4)}) WHERE seq = ${i + 4};`,
    )
    const sql = `UPDATE audit SET who = 'nobody' WHERE seq = 4; ${anew.join('')}`
    const copy = await tampered(service.dataDir, sql)
    expect((await clipgate(copy, ['audit', 'verify'])).code).toBe(0)
    const { code, out } = await clipgate(copy, ['audit', 'verify', '--head', heads.at(-1)!])
    expect([code, out]).toEqual([1, expect.stringContaining('it was written anew')])
  })

  it('is found out by a log that was kept: each head in it must be in the trail', async () => {
    const { service } = await stoppedAfterEight()
    const log = join(await temporaryFolder(), 'clipgate.log')
    await writeFile(log, service.logged.map((line) => `${JSON.stringify(line)}\n`).join(''))
    expect(await clipgate(service.dataDir, ['audit', 'verify', '--since', log])).toMatchObject({ code: 0 })
    const copy = await tampered(service.dataDir, 'DELETE FROM audit WHERE seq > 4')
    expect((await clipgate(copy, ['audit', 'verify', '--since', log])).code).toBe(1)
    const empty = join(await temporaryFolder(), 'empty')
    await writeFile(empty, 'no head')
    for (const wrong of [
      ['--since', empty],
      ['--since', '/no/such/file'],
      ['--head', 'x'],
    ])
      expect((await clipgate(copy, ['audit', 'verify', ...wrong])).code).toBe(2)
  })
})

describe('a trail from before the chain', () => {
  it('keeps its rows as they were, whatever they hold, and they are the beginning of the chain', async () => {
    const dataDir = await temporaryFolder()
    const path = join(dataDir, 'clipgate.db')
    const steps = join(dataDir, 'steps')
    await mkdir(steps)
    await copyFile(join(migrations, '0001_attachments.sql'), join(steps, '0001_attachments.sql'))
    await createDatabaseFile(path)
    migrate(path, steps, epoch, true)
    const database = openDatabase(path)
    const insert = database.prepare(
      'INSERT INTO audit (at, who, what, object, outcome, request_id, detail) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    const old = [...naughtyNames, '\u0001\u0008\u000b\u001f\u007f\u2028\ud83d\ude00"\\/'].map((text, i) => {
      const kept = text.replaceAll('\0', '\ufffd').toWellFormed()
      insert.run(epoch.getTime() + i, kept, 'take', i % 2 ? kept : null, kept, i % 3 ? kept : null, kept)
      return { who: kept, what: 'take', object: i % 2 ? kept : null, requestId: i % 3 ? kept : null, detail: kept }
    })
    // A gap in the old numbers, as a deleted row would leave.
    database.exec('DELETE FROM audit WHERE seq = 2')
    old.splice(1, 1)
    database.close()

    const verified = await clipgate(dataDir, ['audit', 'verify'])
    expect(verified).toMatchObject({ code: 0, out: expect.stringContaining(`whole: ${old.length} rows`) })
    const rows = await exported(dataDir)
    expect(rows).toMatchObject(old)
    expect(rows.map(({ seq }) => seq)).toEqual(old.map((_, i) => i + 1))

    await (await startTestService({ dataDir })).service.stop()
    expect(await clipgate(dataDir, ['audit', 'verify'])).toMatchObject({ code: 0 })
    expect((await exported(dataDir)).slice(0, old.length)).toEqual(rows)
    const copy = await tampered(dataDir, "UPDATE audit SET outcome = 'other' WHERE seq = 3")
    expect((await clipgate(copy, ['audit', 'verify'])).out).toMatch(/^Row 3 .*was edited/)
  })

  it('that is empty is the beginning of an empty chain', async () => {
    const service = await startTestService()
    await service.service.stop()
    const rows = await exported(service.dataDir)
    expect(rows[0]).toMatchObject({ seq: 1, previous: '0'.repeat(64), what: 'key_make' })
    const copy = await tampered(service.dataDir, 'DELETE FROM audit')
    expect(await clipgate(copy, ['audit', 'verify'])).toMatchObject({ code: 0, out: 'The trail is whole: 0 rows.\n' })
  })
})
