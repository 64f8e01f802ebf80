import { copyFile, readFile } from 'node:fs/promises'

import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

import { systemClock } from '../../src/clock.ts'
import { readConfig } from '../../src/config.ts'
import { openRecords } from '../../src/installation.ts'
import { keyFile } from '../../src/keys/source.ts'
import { keyRing, masterKeyId } from '../../src/seal/keys.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { startKms } from '../fixtures/kms.ts'
import { settlement } from '../fixtures/settlements.ts'
import { eventually, keys, pushTo, sha256, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from './process.ts'

async function installation() {
  const folder = await temporaryFolder()
  const path = join(folder, 'master.key')
  const env = { ...testEnvironment(join(folder, 'data'), 'http://127.0.0.1:9'), CLIPGATE_MASTER_KEY_FILE: path }
  const key = await keyFile(path, null).create()
  const clipgate = async (...args: string[]) => {
    const program = run(args, env)
    const code = await program.ended
    return { code, out: program.stdout(), err: program.stderr() }
  }
  return { folder, path, env, key, first: masterKeyId(key), clipgate }
}

async function serving(env: Record<string, string>) {
  const program = run(['serve'], env)
  const [, url] = await program.until(servingAt)
  return { program, url: url! }
}

const headers = { authorization: `Bearer ${keys.all}` }

async function read(url: string, id: string): Promise<[number, string]> {
  const answer = await fetch(`${url}/v1/attachments/${id}/content`, { headers })
  return [answer.status, sha256(Buffer.from(await answer.arrayBuffer()))]
}

async function toRewrap(url: string): Promise<number> {
  const metrics = await (await fetch(`${url}/metrics`, { headers })).text()
  return Number(/^clipgate_keys_to_rewrap (\d+)$/m.exec(metrics)?.[1])
}

describe('a rotation of the master key', () => {
  // It takes half a minute where nothing else runs.
  it('while files come and are read, killed in its midst: all stay readable, all come under the new key, the old one is retired', {
    timeout: 240_000,
  }, async () => {
    const { folder, path, env, key, first, clipgate } = await installation()
    const files = new Map<string, string>()
    const push = async (url: string, name: string) => {
      const file = files.size % 5 === 0 ? await jpegOfSize(100_000) : text(name, `this is ${name}`)
      const { status, body } = await pushTo(url, file)
      if (status === 200) files.set(body.attachment.id, sha256(file.bytes))
      return status
    }
    let service = await serving(env)
    for (let i = 0; i < 40; i++) expect(await push(service.url, `before-${i}.txt`)).toBe(200)
    // Enough for a rotation of many batches: data keys whose files are not asked for here.
    await fill(env, key, 6000)
    const oldFile = join(folder, 'old.key')
    await copyFile(path, oldFile)

    // Load: pushed and read without a pause, whatever happens to the service.
    let going = true
    let failures = 0
    const readOne = async (url: string) => {
      const all = [...files]
      const [id, digest] = all[Math.floor(Math.random() * all.length)]!
      const [status, found] = await read(url, id)
      if (status !== 200 || found !== digest) failures++
    }
    const load = Array.from({ length: 4 }, async (_, sender) => {
      for (let i = 0; going; i++) {
        const { url } = service
        const [status] = await Promise.all([
          push(url, `during-${sender}-${i}.txt`).catch(() => 0),
          readOne(url).catch(() => true),
        ])
        // Only a service that was killed does not answer.
        if (status !== 200 && status !== 0) failures++
      }
    })
    const rotated = await clipgate('keys', 'rotate')
    expect([rotated.code, rotated.err]).toEqual([0, ''])
    const second = /^(mk_\w+) is announced/.exec(rotated.out)![1]!
    expect((await readFile(path, 'utf8')).trim().split('\n').at(-1)).toMatch(new RegExp(`^${second} `))
    // Killed when it has begun and has not ended.
    await eventually(
      () => toRewrap(service.url),
      (count) => count > 0 && count < 6000,
    )
    service.program.child.kill('SIGKILL')
    await service.program.ended
    const between = await clipgate('keys', 'list')
    expect(Number(new RegExp(`${first} +old .* (\\d+) files`).exec(between.out)?.[1])).toBeGreaterThan(0)
    expect(Number(new RegExp(`${second} +current .* (\\d+) files`).exec(between.out)?.[1])).toBeGreaterThan(0)
    expect((await clipgate('keys', 'retire', first)).err).toContain('files are wrapped with it')

    service = await serving(env)
    await service.program.until(/"left":0,"msg":"keys of files are wrapped under the current master key"/)
    going = false
    await Promise.all(load)
    expect(failures).toBe(0)
    expect(files.size).toBeGreaterThan(40)
    expect(await toRewrap(service.url)).toBe(0)
    expect((await clipgate('keys', 'list')).out).toMatch(new RegExp(`${first} +old .* 0 files`))
    for (const [id, digest] of files) expect(await read(service.url, id)).toEqual([200, digest])

    const retired = await clipgate('keys', 'retire', first)
    expect([retired.code, retired.out]).toEqual([
      0,
      expect.stringContaining(`${first} is retired, and is no longer in`),
    ])
    expect(await readFile(path, 'utf8')).not.toContain(first)
    service.program.child.kill('SIGTERM')
    expect(await service.program.ended).toBe(0)
    service = await serving(env)
    for (const [id, digest] of files) expect(await read(service.url, id)).toEqual([200, digest])
    expect(await push(service.url, 'after.txt')).toBe(200)
    service.program.child.kill('SIGTERM')
    await service.program.ended

    const withOld = run(['serve'], { ...env, CLIPGATE_MASTER_KEY_FILE: oldFile })
    expect(await withOld.ended).toBe(2)
    expect(withOld.stderr()).toContain(`has not the key ${second} that the records name`)
    const verified = await clipgate('audit', 'verify')
    expect(verified.code).toBe(0)
  })

  it('is announced without a service, goes on where it was cut short, and is not begun twice', async () => {
    const { path, env, first, clipgate } = await installation()
    expect((await clipgate('migrate')).code).toBe(0)
    const { program } = await serving(env)
    program.child.kill('SIGTERM')
    await program.ended
    // As a command leaves it that was killed after it had written the file.
    const second = masterKeyId(await keyFile(path, null).add())
    expect((await clipgate('keys', 'rotate')).out).toContain(`${second} is announced`)
    expect((await readFile(path, 'utf8')).match(/^mk_/gm)).toHaveLength(2)
    // Often enough to meet an end that does not wait for the records to be closed: it is a SIGABRT more often than not.
    for (let i = 0; i < 5; i++) {
      const again = await clipgate('keys', 'rotate')
      expect([again.code, again.err]).toEqual([1, expect.stringContaining(`${second} is announced already`)])
    }
    expect((await clipgate('keys', 'list')).out).toMatch(new RegExp(`${first} +current[^]*${second} +waiting`))
    expect((await clipgate('keys', 'retire', first)).err).toContain('new files are sealed under it')
    expect((await clipgate('keys', 'retire', 'mk_0')).code).toBe(1)
    const service = await serving(env)
    await eventually(
      async () => (await clipgate('keys', 'list')).out,
      (out) => out.includes(`${second}  current`),
    )
    service.program.child.kill('SIGTERM')
    await service.program.ended
  })
})

describe('master keys', () => {
  async function servedBy(env: Record<string, string>, rotated: () => Promise<Record<string, string>>) {
    const dataDir = join(await temporaryFolder(), 'data')
    const whole = { ...testEnvironment(dataDir, 'http://127.0.0.1:9'), ...env }
    const before = await serving(whole)
    const file = text('kept.txt')
    const { id } = (await pushTo(before.url, file)).body.attachment
    const changed = { ...whole, ...(await rotated()) }
    const rotate = run(['keys', 'rotate'], changed)
    expect([await rotate.ended, rotate.stderr()]).toEqual([0, expect.not.stringContaining('Clipgate')])
    const [, second] = /^(mk_\w+) is announced/.exec(rotate.stdout())!
    before.program.child.kill('SIGTERM')
    await before.program.ended
    const after = await serving(changed)
    expect(await read(after.url, id)).toEqual([200, sha256(file.bytes)])
    await after.program.until(/"left":0,"msg":"keys of files are wrapped under/)
    expect(await read(after.url, id)).toEqual([200, sha256(file.bytes)])
    after.program.child.kill('SIGTERM')
    await after.program.ended
    // Without a platform that it would wait for.
    const doctor = run(['doctor'], withoutGenesys(changed))
    await doctor.ended
    return {
      changed,
      second: second!,
      doctor: doctor.stdout(),
      logged: after.program.stdout() + before.program.stdout(),
    }
  }

  const withoutGenesys = (all: Record<string, string>) =>
    Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('CLIPGATE_GENESYS')))

  const lineOf = async (path: string) => (await readFile(path, 'utf8')).trim().split('\n').at(-1)!

  it('may come from the environment: a new one is its last line, and each process is started again with it', async () => {
    const folder = await temporaryFolder()
    const [one, two] = [join(folder, 'one'), join(folder, 'two')]
    for (const path of [one, two]) await keyFile(path, null).create()
    const first = await lineOf(one)
    const both = `${first},${await lineOf(two)}`
    const { changed, doctor, logged } = await servedBy({ CLIPGATE_MASTER_KEY: first }, async () => ({
      CLIPGATE_MASTER_KEY: both,
    }))
    expect(doctor).toMatch(/^ok +master key: 2 from CLIPGATE_MASTER_KEY$/m)
    for (const part of both.split(/[, ]/).filter((word) => !word.startsWith('mk_'))) expect(logged).not.toContain(part)
    const again = run(['keys', 'rotate'], changed)
    expect([await again.ended, again.stderr()]).toEqual([
      2,
      expect.stringContaining('start each process again with it'),
    ])
    const copy = run(['keys', 'export', '--out', join(folder, 'copy')], changed)
    expect([await copy.ended, copy.stderr()]).toEqual([2, expect.stringContaining('keep a copy of them there')])
  })

  it('may come from a command, which a running service asks again', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'vault')
    await keyFile(path, null).create()
    const { doctor } = await servedBy({ CLIPGATE_MASTER_KEY_COMMAND: `cat ${path}` }, async () => {
      await keyFile(path, null).add()
      return {}
    })
    expect(doctor).toMatch(/^ok +master key: 2 from what cat prints$/m)
  })

  it('may be encrypted by AWS KMS, also the one that a rotation makes', async () => {
    const kms = await startKms()
    const path = join(await temporaryFolder(), 'master.key')
    const made = run(['keys', 'create', '--out', path, '--kms', kms.keyId], kms.env)
    expect([await made.ended, await lineOf(path)]).toEqual([0, expect.stringMatching(/^mk_\w+ kms:/)])
    const env = { ...kms.env, CLIPGATE_MASTER_KEY_FILE: path, CLIPGATE_MASTER_KEY_KMS: kms.keyId }
    const { second, doctor } = await servedBy(env, async () => ({}))
    expect(await lineOf(path)).toMatch(new RegExp(`^${second} kms:`))
    expect(doctor).toMatch(/^ok +master key: .*, which AWS KMS decrypts$/m)
    kms.deny()
    const refused = run(['serve'], { ...testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'), ...env })
    expect([await refused.ended, refused.stderr()]).toEqual([2, expect.stringContaining('AccessDeniedException')])
  })
})

/** Data keys of files that are not there, under a master key that is. */
async function fill(env: Record<string, string>, key: Buffer, count: number): Promise<void> {
  const ring = keyRing([key])
  const { config, secrets } = readConfig(env)
  const records = await openRecords({ config, secrets }, systemClock)
  for (let i = 0; i < count; i += 200)
    await Promise.all(
      Array.from({ length: 200 }, () => {
        const one = settlement({ conversationId: null }, { confirmation: null })
        const wrapped = ring.wrap(ring.newDataKey(), one.attachment.id)
        return records.settle({ ...one, key: wrapped })
      }),
    )
  await records.close()
}
