import { existsSync } from 'node:fs'
import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { postgresRecords } from '../../src/records/postgres/postgres.ts'
import { masterKeyId } from '../../src/seal/keys.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { hurriedClock, until } from '../genesys/clock.ts'
import { eventually, keys, sha256, startTestService, type TestService, temporaryFolder } from '../harness.ts'
import { hasPostgres, postgresForThisFile, statement } from '../postgres.ts'
import { run, servingAt } from './process.ts'
import { watch } from './watching.ts'

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const postgres = postgresForThisFile()

  async function sealedFile() {
    const path = join(await temporaryFolder(), 'sealed')
    await writeFile(path, 'x'.repeat(100))
    return { path, sealedSize: 100 }
  }
  async function keyFile(): Promise<string> {
    const path = join(await temporaryFolder(), 'master.key')
    await newKeyFile(path, null).create()
    return path
  }

  describe('several processes over one database', () => {
    /** Services with folders of their own, one database, one key file, one storage and one Genesys Cloud. */
    async function several(count: number, env: Record<string, string> = {}) {
      const shared = { DATABASE_URL: await postgres.database(), MASTER_KEY_FILE: await keyFile() }
      const emulator = await startEmulator({ port: 0 })
      const storage = memoryStorage(() => new Date())
      const services: TestService[] = []
      for (let i = 0; i < count; i++)
        services.push(await startTestService({ env: { ...shared, ...env }, overrides: { storage }, emulator }))
      return { services, emulator, url: shared.DATABASE_URL }
    }

    it('take, read and erase as one', async () => {
      const { services } = await several(3)
      const [one, two, three] = services as [TestService, TestService, TestService]
      const conversationId = one.conversation()
      const file = await jpegOfSize(300_000)
      const { id } = (await one.push(file, { conversationId })).body.attachment
      expect(await two.confirmations(conversationId)).toHaveLength(1)
      const authorization = `Bearer ${keys.all}`
      const content = await fetch(`${three.url}/v1/attachments/${id}/content`, { headers: { authorization } })
      expect([content.status, sha256(Buffer.from(await content.arrayBuffer()))]).toEqual([200, sha256(file.bytes)])
      await fetch(`${two.url}/v1/attachments/${id}`, { method: 'DELETE', headers: { authorization } })
      expect((await one.get(`/v1/attachments/${id}/content`)).status).toBe(410)
    })

    it('tell who watches at one of them what another has done', async () => {
      const { services } = await several(2)
      const [one, two] = services as [TestService, TestService]
      const { ready, until: told, states } = await watch(one)
      await ready()
      const { id } = (await two.push(text())).body.attachment
      await told(() => states(id).at(-1) === 'accepted')
      const authorization = `Bearer ${keys.all}`
      await fetch(`${two.url}/v1/attachments/${id}`, { method: 'DELETE', headers: { authorization } })
      await told(() => states(id).at(-1) === 'erased')
    })

    it('make one attachment, one answer and one confirmation of a delivery that reaches several at once', async () => {
      const { services, emulator } = await several(3)
      for (let round = 0; round < 8; round++) {
        const conversationId = services[0]!.conversation()
        const file = text(`round ${round}.txt`)
        const answers = await Promise.all(
          services.map((service) => service.push(file, { conversationId, idempotencyKey: `delivery-${round}` })),
        )
        expect(answers.map(({ status }) => status)).toEqual([200, 200, 200])
        expect(new Set(answers.map(({ body }) => body.attachment.id)).size).toBe(1)
        await services[0]!.confirmations(conversationId)
      }
      const said = services[0]!
      for (const { conversationId } of (await said.get<{ items: { conversationId: string }[] }>('/v1/attachments')).body
        .items)
        expect(emulator.conversation(conversationId).messages).toHaveLength(1)
      expect((await said.get<{ items: unknown[] }>('/v1/attachments?limit=200')).body.items).toHaveLength(8)
    })

    it('keep together to a quota that files at all of them use up', async () => {
      const { services } = await several(3, { QUOTA_FILES_PER_CONVERSATION_DAY: '10' })
      const conversationId = services[0]!.conversation()
      const answers = await Promise.all(
        Array.from({ length: 30 }, (_, i) => services[i % 3]!.push(text(`${i}.txt`), { conversationId })),
      )
      expect(answers.filter(({ status }) => status === 200)).toHaveLength(10)
      expect(answers.filter(({ status }) => status === 429)).toHaveLength(20)
    })

    it('deliver what many files owe, once each, whoever took them', async () => {
      const { services, emulator } = await several(3)
      const conversations = Array.from({ length: 12 }, () => services[0]!.conversation())
      await Promise.all(
        Array.from({ length: 60 }, (_, i) =>
          services[i % 3]!.push(text(`${i}.txt`), { conversationId: conversations[i % 12]! }),
        ),
      )
      for (const id of conversations) expect(await services[0]!.confirmations(id, 5)).toHaveLength(5)
      for (const { service } of services) await service.stop()
      for (const id of conversations) expect(emulator.conversation(id).messages).toHaveLength(5)
    })

    it('take up a new master key only when all of them have it, read all that any of them takes, and wrap all anew', async () => {
      const database = await postgres.database()
      const emulator = await startEmulator({ port: 0 })
      const storage = memoryStorage(() => new Date())
      const shared = await keyFile()
      const own = join(await temporaryFolder(), 'own.key')
      await copyFile(shared, own)
      const start = (path: string) =>
        startTestService({
          env: { DATABASE_URL: database, MASTER_KEY_FILE: path },
          overrides: { storage, clock: hurriedClock },
          emulator,
        })
      const services = [await start(shared), await start(shared), await start(own)]
      const files: { id: string; sha256: string }[] = []
      const pushAtAll = async () => {
        for (const service of services) {
          const file = text(`${files.length}.txt`)
          files.push({ id: (await service.push(file)).body.attachment.id, sha256: sha256(file.bytes) })
        }
      }
      const readAtAll = async () => {
        for (const { id, sha256: digest } of files)
          for (const { url } of services) {
            const headers = { authorization: `Bearer ${keys.read}` }
            const answer = await fetch(`${url}/v1/attachments/${id}/content`, { headers })
            expect([answer.status, sha256(Buffer.from(await answer.arrayBuffer()))]).toEqual([200, digest])
          }
      }
      await pushAtAll()
      const records = postgresRecords(database)
      onTestFinished(() => records.close())
      const states = async () => (await records.masterKeys()).map(({ state }) => state)
      const holders = async () => (await records.keyHolders({ at: new Date() })).map(({ ids }) => ids.length)
      const made = await newKeyFile(shared, null).add()
      await records.announceMasterKey({ id: masterKeyId(made), by: { at: new Date(), who: 'tests', requestId: null } })
      await until(async () => (await holders()).filter((count) => count === 2).length === 2)
      await pushAtAll()
      expect(await states()).toEqual(['current', 'waiting'])
      await readAtAll()
      // The third is given its copy.
      await writeFile(own, await readFile(shared))
      await until(async () => (await states())[1] === 'current')
      await pushAtAll()
      await readAtAll()
      await until(async () =>
        (await records.keyHolders({ at: new Date() })).every(({ wrapsWith }) => wrapsWith === masterKeyId(made)),
      )
      await until(async () => (await records.filesByMasterKey()).length === 1)
      expect(await records.filesByMasterKey()).toEqual([{ id: masterKeyId(made), files: 9 }])
      await readAtAll()
      const [first] = await records.masterKeys()
      const retired = await records.retireMasterKey({
        id: first!.id,
        by: { at: new Date(), who: 'tests', requestId: null },
      })
      expect(retired).toEqual({ kind: 'retired' })
      await readAtAll()
      for (const { service } of services) await service.stop()
      expect(await records.keyHolders({ at: new Date() })).toEqual([])
    })

    it('are unready while the database is away, keep nothing then, and go on', async () => {
      const { services } = await several(1)
      const [one] = services as [TestService]
      await one.push(text('before.txt'))
      await postgres.server().stop()
      const ready = await fetch(`${one.url}/health/ready`)
      expect([
        ready.status,
        ((await ready.json()) as { checks: { records: { ok: boolean } } }).checks.records.ok,
      ]).toEqual([503, false])
      const pushed = one.push(text('during.txt'))
      await postgres.server().startAgain()
      // Either it was told in time, or it waited for the database.
      const { status } = await pushed
      expect([200, 503]).toContain(status)
      expect((await one.push(text('after.txt'))).status).toBe(200)
      const { body } = await one.get<{ items: { filename: string }[] }>('/v1/attachments')
      expect(body.items.map(({ filename }) => filename).sort()).toEqual(
        ['after.txt', 'before.txt', ...(status === 200 ? ['during.txt'] : [])].sort(),
      )
    })
  })

  describe('processes with roles of their own', () => {
    it('take in, tell, look after and copy for each other', async () => {
      const shared = { DATABASE_URL: await postgres.database(), MASTER_KEY_FILE: await keyFile() }
      const emulator = await startEmulator({ port: 0 })
      const storage = memoryStorage(() => new Date())
      const start = (ROLES: string) =>
        startTestService({ env: { ...shared, ROLES, RETENTION_DAYS: '1' }, overrides: { storage }, emulator })
      const door = await start('door')
      const conversationId = door.conversation()
      const pushed = await door.push(await jpegOfSize(20_000), { conversationId })
      const { id } = pushed.body.attachment
      expect(pushed.status).toBe(200)
      const said = () => emulator.conversation(conversationId).messages
      // Word of it reaches the courier, which has begun later.
      expect(said()).toEqual([])
      const courier = await start('courier')
      expect(await door.confirmations(conversationId)).toHaveLength(1)
      expect((await courier.push(text('x.txt'))).status).toBe(404)
      expect((await courier.get('/v1/attachments')).status).toBe(404)
      expect((await fetch(`${courier.url}/health/live`)).status).toBe(200)

      const preview = await start('preview')
      const authorization = `Bearer ${keys.all}`
      const copyAt = (url: string) => fetch(`${url}/v1/attachments/${id}/safe-copy`, { headers: { authorization } })
      expect((await copyAt(door.url)).status).toBe(404)
      expect((await copyAt(preview.url)).status).toBe(200)

      const orphan = 'att_zzzzzzzzzzzzzzzzzzzzzzzzz0'
      await storage.adopt(orphan, await sealedFile())
      storage.age(orphan, new Date(Date.now() - 2 * 24 * 3_600_000))
      const sweeper = await start('sweeper')
      await eventually(
        () => storage.keys(),
        (found) => !found.includes(orphan),
      )
      expect(storage.keys()).toContain(id)
      // The confirmation of a file that comes later is told by NOTIFY, or found within two seconds.
      await door.push(text('later.txt'), { conversationId })
      expect(await door.confirmations(conversationId, 2)).toHaveLength(2)
      for (const { service } of [sweeper, preview, courier, door]) await service.stop()
    })
  })

  describe('the program over PostgreSQL', () => {
    async function environment() {
      await statement(postgres.server().url(), 'DROP DATABASE IF EXISTS fresh')
      await statement(postgres.server().url(), 'CREATE DATABASE fresh')
      return {
        CLIPGATE_DATA_DIR: join(await temporaryFolder(), 'data'),
        CLIPGATE_DATABASE_URL: postgres.server().url('fresh'),
        CLIPGATE_PORT: '0',
        CLIPGATE_SCAN: 'off',
        CLIPGATE_API_KEYS: `all:push+read+admin:${keys.all}`,
      }
    }

    it('does not begin with a key of its own: other processes need the same', async () => {
      const env = await environment()
      const program = run(['serve'], env)
      expect(await program.ended).toBe(2)
      expect(program.stderr()).toContain('clipgate keys create --out FILE')
      expect(existsSync(join(env.CLIPGATE_DATA_DIR, 'keys'))).toBe(false)
    })

    it('makes the schema, serves, and is looked at and worked on beside', async () => {
      const env = { ...(await environment()), CLIPGATE_MASTER_KEY_FILE: await keyFile() }
      const off = run(['serve'], { ...env, CLIPGATE_MIGRATE: 'off' })
      expect([await off.ended, off.stderr()]).toEqual([2, expect.stringContaining('Run: clipgate migrate')])
      const migrate = run(['migrate'], env)
      expect([await migrate.ended, migrate.stdout()]).toEqual([0, expect.stringContaining('made 0001_records')])
      const serve = run(['serve'], { ...env, CLIPGATE_MIGRATE: 'off' })
      await serve.until(servingAt)
      const doctor = run(['doctor'], env)
      await doctor.ended
      expect(doctor.stdout()).toMatch(/^ok +database: PostgreSQL \d+.* answers, without TLS$/m)
      expect(doctor.stdout()).toMatch(/^warning +database: the server runs with fsync or full_page_writes off/m)
      expect(doctor.stdout()).toMatch(/^ok +records: the schema is up to date$/m)
      const audit = run(['audit', 'verify'], env)
      expect(await audit.ended).toBe(0)
      serve.child.kill('SIGTERM')
      expect(await serve.ended).toBe(0)
    })

    it('says that there is no database where none answers, and tells nothing of the address', async () => {
      const env = { ...(await environment()), CLIPGATE_DATABASE_URL: 'postgres://u:hidden-word@127.0.0.1:1/none' }
      for (const command of [['serve'], ['outbox', 'list']]) {
        const program = run(command, env)
        expect(await program.ended).toBe(1)
        expect(program.stderr()).toContain('ECONNREFUSED')
        expect(program.stderr() + program.stdout()).not.toContain('hidden-word')
      }
    })

    it('does not start with a key file that lacks a key of the records', async () => {
      const env = { ...(await environment()), CLIPGATE_MASTER_KEY_FILE: await keyFile() }
      const first = run(['serve'], env)
      await first.until(servingAt)
      first.child.kill('SIGTERM')
      await first.ended
      const other = join(await temporaryFolder(), 'keys')
      await mkdir(other, { mode: 0o700 })
      await copyFile(await keyFile(), join(other, 'master.key'))
      const second = run(['serve'], { ...env, CLIPGATE_MASTER_KEY_FILE: join(other, 'master.key') })
      expect(await second.ended).toBe(2)
      expect(second.stderr()).toContain('that the records name')
    })
  })
})
