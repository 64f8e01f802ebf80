import { existsSync } from 'node:fs'
import { appendFile, chmod, mkdir, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { sha256, temporaryFolder, testEnvironment } from '../harness.ts'
import { startFakeS3 } from '../storage/fakeS3.ts'
import { addressOf } from '../storage/opened.ts'
import { credentials } from '../storage/started.ts'
import { clipgate, expectAll, pushed, type Sent, serving } from './operating.ts'
import { run } from './process.ts'

/** An installation with its key file beside its data folder, and a service over it. */
async function installed() {
  const folder = await temporaryFolder()
  const keyFile = join(folder, 'master.key')
  const environment = (name: string): Record<string, string> => ({
    ...testEnvironment(join(folder, name), 'http://127.0.0.1:9'),
    CLIPGATE_MASTER_KEY_FILE: keyFile,
  })
  const env = environment('data')
  await clipgate(env, 'keys', 'create', '--out', keyFile)
  return { folder, keyFile, env, dataDir: join(folder, 'data'), out: join(folder, 'backup'), environment }
}

/** A stopped installation of some files, and a backup of it. */
async function backedUp(count = 5) {
  const place = await installed()
  const service = await serving(place.env)
  const files = await pushed(service, count)
  await service.stop()
  expect(await clipgate(place.env, 'backup', '--out', place.out)).toMatchObject({ code: 0 })
  const objectOf = (folder: string, id: string) => join(folder, 'objects', id.slice(-1), id)
  return { ...place, files, objectOf, restored: place.environment('restored') }
}

describe('the restore drill', () => {
  it('a backup under load, restored elsewhere, has all that was acknowledged before it began, and no file that was erased', async () => {
    const { env, out, environment, folder } = await installed()
    const service = await serving(env)
    const before: Sent[] = []
    const sender = async () => {
      for (;;) {
        const sent = await service.push(before.length % 7 === 0 ? await jpegOfSize(200_000) : text())
        if (ended) return
        before.push(sent)
      }
    }
    let ended = false
    const senders = Array.from({ length: 4 }, sender)
    while (before.length < 40) await new Promise((resolve) => setImmediate(resolve))
    const acknowledged = before.slice()
    const program = run(['backup', '--out', out], env)
    const erasedMeanwhile = acknowledged[3]!.id
    const erasing = service.erase(erasedMeanwhile)
    expect([await program.ended, program.stderr()]).toEqual([0, expect.stringContaining('files copied')])
    expect(program.stdout()).toContain('The master key is not in it')
    await erasing
    ended = true
    await Promise.all(senders)
    // After the backup: told to the restore by the audit trail.
    const erasedLater = acknowledged[7]!.id
    expect((await service.erase(erasedLater)).status).toBe(200)
    await service.stop()
    const list = await clipgate(env, 'audit', 'list', '--what', 'erase', '--json')
    const erased = join(folder, 'erased.ndjson')
    await writeFile(erased, list.out)

    const restoredEnv = environment('restored')
    const restored = await clipgate(restoredEnv, 'restore', '--from', out, '--erased', erased, '--verify')
    expect(restored).toMatchObject({
      code: 0,
      out: expect.stringMatching(/The audit trail is whole.*\n\d+ files are whole\./),
    })
    const again = await serving(restoredEnv)
    for (const { id, sha256: expected } of acknowledged) {
      const answer = await again.read(id)
      if (id === erasedMeanwhile || id === erasedLater) expect([id, answer.status]).toEqual([id, 410])
      else expect([id, sha256(Buffer.from(await answer.arrayBuffer()))]).toEqual([id, expected])
    }
    await again.push()
    await again.stop()
    const { auditHead } = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))
    expect(await clipgate(restoredEnv, 'audit', 'verify', '--head', auditHead)).toMatchObject({ code: 0 })
    expect((await clipgate(restoredEnv, 'audit', 'list', '--what', 'restore')).out).toContain('cli')
  })
})

describe('a backup', () => {
  it('is for its owner only, has no key, and says what is in it', async () => {
    const { out, keyFile, files } = await backedUp()
    const names = (await readdir(out, { recursive: true, withFileTypes: true })).map((entry) => ({
      path: join(entry.parentPath, entry.name),
      mode: entry.isDirectory() ? 0o700 : 0o600,
    }))
    for (const { path, mode } of names) expect([path, (await stat(path)).mode & 0o777]).toEqual([path, mode])
    expect((await stat(out)).mode & 0o777).toBe(0o700)
    expect((await readdir(out)).sort()).toEqual(['clipgate.db', 'manifest.json', 'objects', 'objects.ndjson'])
    const manifest = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))
    const keyLine = (await readFile(keyFile, 'utf8')).split('\n')[1]!
    expect(manifest).toMatchObject({
      format: 1,
      masterKeys: [keyLine.split(' ')[0]],
      keyFile: expect.stringContaining('not in this folder'),
      list: { count: files.length },
      gone: [],
      missing: [],
    })
    for (const name of ['clipgate.db', 'manifest.json'])
      expect((await readFile(join(out, name))).includes(Buffer.from(keyLine.split(' ')[1]!, 'base64'))).toBe(false)
  })

  it('never overwrites, and none is made in the data folder', async () => {
    const { env, out, dataDir } = await backedUp(1)
    expect(await clipgate(env, 'backup', '--out', out)).toMatchObject({ code: 2 })
    expect(await clipgate(env, 'backup', '--out', join(dataDir, 'backup'))).toMatchObject({ code: 2 })
  })

  it('killed in mid-work goes on where it was, and has its name only when it is whole', async () => {
    const { env, out, files } = await backedUp(30)
    await rm(out, { recursive: true })
    const program = run(['backup', '--out', out], env)
    while (!existsSync(join(`${out}.partial`, 'objects', 'z'))) await new Promise((resolve) => setImmediate(resolve))
    program.child.kill('SIGKILL')
    await program.ended
    if (existsSync(out)) return
    expect(await clipgate(env, 'backup', '--out', out)).toMatchObject({ code: 0 })
    expect(existsSync(`${out}.partial`)).toBe(false)
    const { list } = JSON.parse(await readFile(join(out, 'manifest.json'), 'utf8'))
    expect(list.count).toBe(files.length)
  })

  it('since an earlier one links what that one has, and copies what is new', async () => {
    const { env, out, files, objectOf } = await backedUp()
    const service = await serving(env)
    const later = await service.push()
    await service.stop()
    const next = `${out}-2`
    expect(await clipgate(env, 'backup', '--out', next, '--since', out)).toMatchObject({ code: 0 })
    for (const { id } of files) expect((await stat(objectOf(next, id))).ino).toBe((await stat(objectOf(out, id))).ino)
    expect((await stat(objectOf(next, later.id))).nlink).toBe(1)
  })

  it('tells of a file whose bytes are not there, and exits with 1', async () => {
    const { env, out, files, objectOf, dataDir } = await backedUp()
    await rm(objectOf(dataDir, files[2]!.id))
    const { code, err } = await clipgate(env, 'backup', '--out', `${out}-2`)
    expect([code, err]).toEqual([1, expect.stringContaining(files[2]!.id)])
  })

  it('of a service with its files in S3 has the database alone', async () => {
    const { env, out } = await backedUp(1)
    const s3 = 's3://bucket/clipgate?endpoint=http://127.0.0.1:9'
    const copied = await clipgate({ ...env, CLIPGATE_STORAGE_URL: s3 }, 'backup', '--out', `${out}-2`)
    expect(copied).toMatchObject({ code: 0, out: expect.stringContaining('stay in their S3 store') })
    expect(await readdir(`${out}-2`)).not.toContain('objects')
  })

  it('of a service with its files in S3 is restored beside the same store, and has them all', async () => {
    const store = await startFakeS3()
    const { env, out, environment } = await installed()
    const s3 = {
      CLIPGATE_STORAGE_URL: addressOf(store.endpoint, 'bucket'),
      AWS_ACCESS_KEY_ID: credentials.accessKeyId,
      AWS_SECRET_ACCESS_KEY: credentials.secretAccessKey,
    }
    const service = await serving({ ...env, ...s3 })
    const files = await pushed(service, 3)
    expect(await clipgate({ ...env, ...s3 }, 'backup', '--out', out)).toMatchObject({ code: 0 })
    await service.stop()
    const restored = { ...environment('restored'), ...s3 }
    const { code, out: said } = await clipgate(restored, 'restore', '--from', out, '--verify')
    expect([code, said]).toEqual([0, expect.stringContaining('3 files are whole')])
    const there = await serving(restored)
    await expectAll(there, files)
    await there.stop()
  })
})

describe('a restore', () => {
  it('never overwrites', async () => {
    const { env, out, restored } = await backedUp(1)
    expect(await clipgate(env, 'restore', '--from', out)).toMatchObject({ code: 2 })
    const folder = restored.CLIPGATE_DATA_DIR!
    await mkdir(folder, { mode: 0o700 })
    await writeFile(join(folder, 'something'), '')
    expect(await clipgate(restored, 'restore', '--from', out)).toMatchObject({ code: 2 })
    expect(await readdir(folder)).toEqual(['something'])
  })

  it('begins with a whole backup only, and with the keys that it needs', async () => {
    const { out, restored, keyFile, folder } = await backedUp(1)
    expect(await clipgate(restored, 'restore', '--from', join(folder, 'none'))).toMatchObject({ code: 2 })
    const without = { ...restored, CLIPGATE_MASTER_KEY_FILE: `${keyFile}.none` }
    const { code, err } = await clipgate(without, 'restore', '--from', out, '--verify')
    expect([code, err]).toEqual([2, expect.stringMatching(/has not mk_/)])
    expect(existsSync(restored.CLIPGATE_DATA_DIR!)).toBe(false)
    await rename(join(out, 'manifest.json'), join(out, 'other.json'))
    expect(await clipgate(restored, 'restore', '--from', out)).toMatchObject({ code: 2 })
  })

  it('of a damaged database makes nothing that could be served', async () => {
    const { out, restored } = await backedUp(1)
    await appendFile(join(out, 'clipgate.db'), 'x')
    const { code, err } = await clipgate(restored, 'restore', '--from', out)
    expect([code, err]).toEqual([2, expect.stringContaining('is not what was backed up')])
    expect(existsSync(join(restored.CLIPGATE_DATA_DIR!, 'clipgate.db'))).toBe(false)
  })

  it('names each file that was damaged in the backup, exits with 1, and has the others', async () => {
    const { out, restored, files, objectOf } = await backedUp()
    const [cut, changed, gone] = [files[0]!, files[1]!, files[2]!]
    await truncate(objectOf(out, cut.id), 20)
    const bytes = await readFile(objectOf(out, changed.id))
    bytes[30]! ^= 1
    await writeFile(objectOf(out, changed.id), bytes)
    await rm(objectOf(out, gone.id))
    const { code, err, out: said } = await clipgate(restored, 'restore', '--from', out, '--verify')
    expect(code).toBe(1)
    for (const { id } of [cut, changed, gone]) expect(err).toContain(`${id}: its bytes are missing`)
    expect(said).toContain('2 files are whole, 3 are damaged or missing')
  })

  it('with --verify finds a record that does not belong to its bytes', async () => {
    const { env, dataDir, out, restored, files } = await backedUp()
    const database = openDatabase(join(dataDir, 'clipgate.db'))
    database.prepare('UPDATE attachments SET sha256 = ? WHERE id = ?').run('0'.repeat(64), files[0]!.id)
    database.close()
    expect(await clipgate(env, 'backup', '--out', `${out}-2`)).toMatchObject({ code: 0 })
    const { code, err } = await clipgate(restored, 'restore', '--from', `${out}-2`, '--verify')
    expect([code, err]).toEqual([1, expect.stringContaining(`${files[0]!.id}: its bytes are damaged`)])
  })

  it('that was cut short goes on, and is nothing that could be served until then', async () => {
    const { out, restored, files, objectOf } = await backedUp()
    const folder = restored.CLIPGATE_DATA_DIR!
    await chmod(out, 0o700)
    // As a process that died after a few files leaves it.
    await mkdir(join(folder, 'objects', files[0]!.id.slice(-1)), { recursive: true, mode: 0o700 })
    await writeFile(join(folder, 'restored.db'), 'half', { mode: 0o600 })
    await writeFile(objectOf(folder, files[0]!.id), 'half', { mode: 0o600 })
    expect((await clipgate(restored, 'serve')).code).toBe(2)
    for (const name of await readdir(folder)) if (name.startsWith('clipgate.db')) await rm(join(folder, name))
    await rm(join(folder, 'spool'), { recursive: true })
    expect(await clipgate(restored, 'restore', '--from', out, '--verify')).toMatchObject({ code: 0 })
    expect(await readdir(folder)).not.toContain('restored.db')
  })

  it('repeats erasures by ids, receipts and rows of the trail, and refuses a file of anything else', async () => {
    const { out, restored, files, folder } = await backedUp()
    const [a, b, c] = [files[0]!, files[1]!, files[2]!]
    const file = join(folder, 'erased')
    await writeFile(file, 'all of them\n')
    expect(await clipgate(restored, 'restore', '--from', out, '--erased', file)).toMatchObject({ code: 2 })
    const unknown = 'att_00000000000000000000000000'
    const lines = [
      a.id,
      JSON.stringify({ attachmentId: b.id, key: 'destroyed' }),
      JSON.stringify({ what: 'erase', object: c.id }),
      JSON.stringify({ what: 'take', object: files[3]!.id }),
      unknown,
      '',
    ]
    await writeFile(file, lines.join('\n'))
    const { code, out: said } = await clipgate(restored, 'restore', '--from', out, '--erased', file, '--verify')
    expect([code, said]).toEqual([0, expect.stringContaining('3 files that were erased since are erased again.')])
    expect(said).toContain('2 files are whole.')
    const service = await serving(restored)
    for (const { id } of [a, b, c]) expect((await service.read(id)).status).toBe(410)
    expect((await service.read(files[3]!.id)).status).toBe(200)
  })
})
