import { createHash, randomBytes } from 'node:crypto'
import { rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import { jpegOfSize } from '../fixtures/files.ts'
import { eventually, temporaryFolder, testEnvironment } from '../harness.ts'
import { hasPostgres, postgresForThisFile, statement } from '../postgres.ts'
import { bucketIn } from '../storage/bucket.ts'
import { hasCeph, needsCeph, startCeph } from '../storage/ceph.ts'
import { startFakeS3 } from '../storage/fakeS3.ts'
import { addressOf } from '../storage/opened.ts'
import { credentials, isPut } from '../storage/started.ts'
import { clipgate, expectAll, pushed, serving } from './operating.ts'
import { run } from './process.ts'

/** An installation on disk and SQLite, and a store to move to. */
async function installed() {
  const store = await startFakeS3()
  const dataDir = join(await temporaryFolder(), 'data')
  const env: Record<string, string> = {
    ...testEnvironment(dataDir, 'http://127.0.0.1:9'),
    AWS_ACCESS_KEY_ID: credentials.accessKeyId,
    AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
  }
  const sealed = () => [...store.objects.keys()].filter((key) => key.endsWith('.sealed')).sort()
  return { store, dataDir, env, address: addressOf(store.endpoint, 'bucket'), sealed }
}

const named = (id: string) => `clipgate/${id}.sealed`

describe('move storage', () => {
  it('copies beside the service, then what is left without it, and back again', async () => {
    const { env, address, sealed, dataDir } = await installed()
    const service = await serving(env)
    const files = await pushed(service, 4)
    files.push(await service.push(await jpegOfSize(300_000)))
    const beside = await clipgate(env, 'move', 'storage', '--to', address)
    expect(beside).toMatchObject({ code: 0, out: expect.stringMatching(/^5 files copied and compared[\s\S]*--final/) })
    expect(await clipgate(env, 'move', 'storage', '--to', address, '--final')).toMatchObject({ code: 2 })
    const erased = files.shift()!
    await service.erase(erased.id)
    files.push(...(await pushed(service, 2)))
    await service.stop()
    const last = await clipgate(env, 'move', 'storage', '--to', address)
    expect([last.code, last.out]).toEqual([0, expect.stringMatching(/^2 files copied[\s\S]*All 6 files are there/)])
    expect(last.out).toContain(`CLIPGATE_STORAGE_URL='${address}'`)
    // What was erased after it was copied is not there any more.
    expect(sealed()).toEqual(files.map(({ id }) => named(id)).sort())

    const moved = { ...env, CLIPGATE_STORAGE_URL: address }
    await rename(join(dataDir, 'objects'), join(dataDir, 'objects.old'))
    const there = await serving(moved)
    await expectAll(there, files)
    files.push(await there.push())
    await there.stop()
    expect(await clipgate(moved, 'move', 'storage', '--to', 'fs')).toMatchObject({
      code: 0,
      out: expect.stringMatching(/All 7 files are there.*remove CLIPGATE_STORAGE_URL/),
    })
    const back = await serving(env)
    await expectAll(back, files)
    await back.stop()
  })

  it('killed at any time goes on, and what it left half or changed is copied anew', async () => {
    const { env, address, sealed, store } = await installed()
    const service = await serving(env)
    const files = await pushed(service, 30)
    await service.stop()
    for (const enough of [3, 10]) {
      const program = run(['move', 'storage', '--to', address], env)
      await eventually(sealed, (found) => found.length >= enough)
      program.child.kill('SIGKILL')
      await program.ended
    }
    // As a copy that was not compared before the process died, and is not what was sent.
    const last = files.at(-1)!
    const known = sealed().find((key) => key !== named(last.id))!
    const object = store.objects.get(known)!
    store.objects.set(named(last.id), { ...object, bytes: Buffer.from('other') })
    await rm(join(env.CLIPGATE_DATA_DIR!, 'moving'), { recursive: true })
    expect(await clipgate(env, 'move', 'storage', '--to', address)).toMatchObject({ code: 0 })
    const there = await serving({ ...env, CLIPGATE_STORAGE_URL: address })
    await expectAll(there, files)
    await there.stop()
  })

  it('tells of what was lost before, and of a store that fails or is not ours', async () => {
    const { env, address, store, dataDir } = await installed()
    const service = await serving(env)
    const [lost] = await pushed(service, 2)
    await service.stop()
    for (const wrong of ['fs', 's3://x', 'file:///tmp'])
      expect((await clipgate(env, 'move', 'storage', '--to', wrong)).code).toBe(2)
    await rm(join(dataDir, 'objects', lost!.id.slice(-1), lost!.id))
    const { code, err, out } = await clipgate(env, 'move', 'storage', '--to', address)
    expect([code, err]).toEqual([1, expect.stringContaining(`${lost!.id} has no bytes`)])
    expect(out).toContain('All 1 files are there')
    store.fail(isPut, { status: 403, code: 'AccessDenied' }, 1000)
    await pushed(await serving(env), 1)
    expect(await clipgate(env, 'move', 'storage', '--to', address)).toMatchObject({ code: 1 })
    store.mend()
    store.objects.set('clipgate/.owner', { bytes: Buffer.from('mk_another'), upload: '', at: new Date() })
    expect(await clipgate(env, 'move', 'storage', '--to', address)).toMatchObject({
      code: 2,
      err: expect.stringContaining('belongs to another installation'),
    })
  })
})

describe.skipIf(!hasCeph)(`move storage to a real store (${needsCeph})`, () => {
  it('copies what is there, compares it by digest, and the service goes on from it', { timeout: 120_000 }, async () => {
    const ceph = await startCeph()
    onTestFinished(() => ceph.close())
    const { bucket, client } = await bucketIn(ceph)
    client.destroy()
    const { env: installation, dataDir } = await installed()
    const env = {
      ...installation,
      AWS_ACCESS_KEY_ID: ceph.accessKeyId,
      AWS_SECRET_ACCESS_KEY: ceph.secretAccessKey,
    }
    const address = addressOf(ceph.endpoint, bucket)
    const service = await serving(env)
    // One goes up at once, one in parts.
    const files = [...(await pushed(service, 3)), await service.push(await jpegOfSize(9_000_000))]
    await service.stop()
    expect(await clipgate(env, 'move', 'storage', '--to', address)).toMatchObject({
      code: 0,
      out: expect.stringContaining('All 4 files are there'),
    })
    await rename(join(dataDir, 'objects'), join(dataDir, 'objects.old'))
    const there = await serving({ ...env, CLIPGATE_STORAGE_URL: address })
    await expectAll(there, files)
    files.push(await there.push())
    await there.erase(files.shift()!.id)
    await expectAll(there, files)
    await there.stop()
  })
})

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const postgres = postgresForThisFile()
  let count = 0
  async function emptyDatabase() {
    const name = `empty${++count}`
    await statement(postgres.server().url(), `CREATE DATABASE ${name}`)
    return postgres.server().url(name)
  }

  /** Rows that nobody misses, so that a move takes its time. */
  function fill(dataDir: string, rows: number): void {
    const database = openDatabase(join(dataDir, 'clipgate.db'))
    const insert = database.prepare('INSERT INTO used_signatures VALUES (?, ?)')
    database.exec('BEGIN')
    for (let i = 0; i < rows; i++) insert.run(createHash('sha256').update(randomBytes(8)).digest('hex'), 4e12)
    database.exec('COMMIT')
    database.close()
  }

  describe('move database', () => {
    it('takes an installation to PostgreSQL, and then to S3, where it serves all it had, takes, erases and sweeps', async () => {
      const { env, address, dataDir, sealed, store } = await installed()
      const service = await serving(env)
      const files = await pushed(service, 6)
      const erased = files.shift()!
      await service.erase(erased.id)
      const url = await emptyDatabase()
      expect(await clipgate(env, 'move', 'database', '--to', url)).toMatchObject({ code: 2 })
      await service.stop()
      const before = await clipgate(env, 'audit', 'verify')
      const [, node, seq] = /Head of node (\w+): (\d+):/.exec(before.out)!
      const file = join(dataDir, 'address')
      await writeFile(file, `${url}\n`, { mode: 0o600 })
      const moved = await clipgate(env, 'move', 'database', '--to-file', file)
      expect([moved.code, moved.out]).toEqual([0, expect.stringMatching(/^\d+ rows are there, and are the same/)])
      expect(await clipgate(env, 'move', 'database', '--to', url)).toMatchObject({
        code: 2,
        err: expect.stringContaining('has records already'),
      })

      await rename(join(dataDir, 'clipgate.db'), join(dataDir, 'clipgate.db.old'))
      const onPostgres = { ...env, CLIPGATE_DATABASE_URL: url }
      const between = await serving(onPostgres)
      await expectAll(between, files)
      const runs = await clipgate(onPostgres, 'move', 'storage', '--to', address)
      expect(runs).toMatchObject({ code: 0, out: expect.stringContaining('--final') })
      await between.stop()
      expect(await clipgate(onPostgres, 'move', 'storage', '--to', address, '--final')).toMatchObject({ code: 0 })

      // Bytes that no record claims, of two days ago: what is left of a crash.
      const orphan = { bytes: Buffer.from('left'), upload: '', at: new Date(Date.now() - 2 * 24 * 60 * 60 * 1000) }
      const orphanId = newAttachmentId()
      store.objects.set(named(orphanId), orphan)
      const there = await serving({ ...onPostgres, CLIPGATE_STORAGE_URL: address })
      // It sweeps when it starts.
      await eventually(
        () => sealed().includes(named(orphanId)),
        (isThere) => !isThere,
      )
      await expectAll(there, files)
      expect((await there.read(erased.id)).status).toBe(410)
      files.push(await there.push())
      const gone = files.shift()!
      expect(await (await there.erase(gone.id)).json()).toMatchObject({ key: 'destroyed', bytes: 'removed' })
      expect(sealed()).toEqual(files.map(({ id }) => named(id)).sort())
      await there.stop()
      const whole = await clipgate(onPostgres, 'audit', 'verify')
      expect(whole).toMatchObject({ code: 0, out: expect.stringContaining('The trail is whole') })
      // The chain that was begun on SQLite goes on.
      expect(Number(new RegExp(`Head of node ${node}: (\\d+):`).exec(whole.out)![1])).toBeGreaterThan(Number(seq))
    })

    it('killed goes on where it was; until it has ended nothing is served from it, and none that was changed since is mixed in', async () => {
      const { env, dataDir } = await installed()
      expect(await clipgate(env, 'migrate')).toMatchObject({ code: 0 })
      fill(dataDir, 60_000)
      const url = await emptyDatabase()
      const program = run(['move', 'database', '--to', url], env)
      const signatures = async () => {
        const [row] = await statement(url, "SELECT to_regclass('clipgate_move') IS NOT NULL AS begun")
        if (!row!.begun) return 0
        return Number((await statement(url, 'SELECT count(*) FROM used_signatures'))[0]!.count)
      }
      await eventually(signatures, (found) => found > 0)
      program.child.kill('SIGKILL')
      await program.ended
      const served = await clipgate({ ...env, CLIPGATE_DATABASE_URL: url }, 'serve')
      expect(served).toMatchObject({ code: 2, err: expect.stringContaining('being moved into this database') })
      expect(await clipgate(env, 'move', 'database', '--to', url)).toMatchObject({ code: 0 })
      expect(await signatures()).toBe(0)
      expect(Number((await statement(url, 'SELECT count(*) FROM used_signatures'))[0]!.count)).toBe(60_000)

      const other = await emptyDatabase()
      const again = run(['move', 'database', '--to', other], env)
      await eventually(
        async () => (await statement(other, "SELECT to_regclass('clipgate_move') IS NOT NULL AS begun"))[0]!.begun,
        Boolean,
      )
      again.child.kill('SIGKILL')
      await again.ended
      const service = await serving(env)
      await service.push()
      await service.stop()
      expect(await clipgate(env, 'move', 'database', '--to', other)).toMatchObject({
        code: 2,
        err: expect.stringContaining('have changed since this move began'),
      })
    })

    it('finds a row that was changed on its way', async () => {
      const { env, dataDir } = await installed()
      await clipgate(env, 'migrate')
      fill(dataDir, 5)
      const url = await emptyDatabase()
      await clipgate({ ...env, CLIPGATE_DATABASE_URL: url }, 'migrate')
      await statement(
        url,
        `CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.until := NEW.until + 1; RETURN NEW; END $$;
         CREATE TRIGGER changes BEFORE INSERT ON used_signatures FOR EACH ROW EXECUTE FUNCTION change()`,
      )
      const { code, err } = await clipgate(env, 'move', 'database', '--to', url)
      expect([code, err]).toEqual([1, expect.stringContaining('the table used_signatures is not the same')])
    })

    it('says of a database that does not answer that it does not, and tells nothing of its address', async () => {
      const { env } = await installed()
      await clipgate(env, 'migrate')
      const to = 'postgres://u:hidden-word@127.0.0.1:1/none'
      const { code, out, err } = await clipgate(env, 'move', 'database', '--to', to)
      expect([code, err]).toEqual([1, expect.stringContaining('ECONNREFUSED')])
      expect(out + err).not.toContain('hidden-word')
      for (const wrong of [[], ['--to', 'mysql://x'], ['--to', to, '--to-file', '/x'], ['--to-file', '/no/such/file']])
        expect((await clipgate(env, 'move', 'database', ...wrong)).code).toBe(2)
    })
  })
})
