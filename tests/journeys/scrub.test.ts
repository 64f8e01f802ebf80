import { readFile, rm, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import type { Clock } from '../../src/clock.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { text } from '../fixtures/files.ts'
import { eventually, startTestService, type TestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { run } from './process.ts'

const anHour = 3_600_000

/** A clock whose hour comes when the test says so: who waits for longer than a second waits for that. */
function clockOfHours() {
  let ahead = 0
  const waiting: (() => void)[] = []
  const clock: Clock = {
    now: () => new Date(Date.now() + ahead),
    wait: (ms, signal) =>
      new Promise((resolve) => {
        if (ms < 1000 || signal?.aborted) return void setImmediate(resolve)
        waiting.push(resolve)
        signal?.addEventListener('abort', () => resolve())
      }),
  }
  const wake = () => {
    for (const resolve of waiting.splice(0)) resolve()
  }
  const pass = (hours: number) => {
    ahead += hours * anHour
    wake()
  }
  return { clock, pass, wake }
}

async function scrubbed({ url }: TestService) {
  const answer = await fetch(`${url}/metrics`, { headers: { authorization: 'Bearer read-only-key-0123456789' } })
  const counts = { whole: 0, damaged: 0, missing: 0 }
  for (const [, outcome, count] of (await answer.text()).matchAll(
    /^clipgate_scrubbed_total\{outcome="(\w+)"\} (\d+)/gm,
  ))
    counts[outcome as keyof typeof counts] = Number(count)
  return counts
}

const total = (counts: { whole: number; damaged: number; missing: number }) =>
  counts.whole + counts.damaged + counts.missing

describe('stored files', () => {
  /** A service that has stored so many files before it was started anew. */
  async function startedAnew(count: number, env: Record<string, string> = {}) {
    const { clock, pass, wake } = clockOfHours()
    const storage = memoryStorage(() => clock.now())
    const dataDir = await temporaryFolder()
    const first = await startTestService({ dataDir, overrides: { storage }, env: { SCRUB_DAYS: 'off' } })
    const ids: string[] = []
    for (let i = 0; i < count; i++) ids.push((await first.push(text())).body.attachment.id)
    await first.service.stop()
    const start = () => startTestService({ dataDir, overrides: { storage, clock }, env: { SCRUB_DAYS: '10', ...env } })
    /** How many were read, once it is so many: who rests is woken, and no time passes. */
    const read = async (service: TestService, count: number) => {
      const counts = await eventually(
        () => {
          wake()
          return scrubbed(service)
        },
        (found) => total(found) >= count,
      )
      expect(total(counts)).toBe(count)
      return counts
    }
    return { start, storage, ids, pass, read, dataDir }
  }

  it('are read within their days, evenly, and again in the next ones', async () => {
    const { start, pass, read } = await startedAnew(9)
    const service = await start()
    await read(service, 1)
    // A walk takes nine tenths of its ten days: a file a day.
    for (let day = 1; day <= 8; day++) {
      pass(24.1)
      expect(await read(service, day + 1)).toEqual({ whole: day + 1, damaged: 0, missing: 0 })
    }
    pass(24)
    await read(service, 9)
    pass(24)
    await read(service, 10)
  })

  it('that are damaged or missing are told by metrics, log and audit trail, and are left as they are', async () => {
    const { start, storage, ids, pass, read, dataDir } = await startedAnew(3)
    storage.bytes(ids[0]!)[40]! ^= 1
    await storage.remove(ids[1]!)
    const service = await start()
    pass(24 * 8)
    expect(await read(service, 3)).toEqual({ whole: 1, damaged: 1, missing: 1 })
    const told = service.logged.filter(({ msg }) => msg === 'stored file cannot be proved')
    expect(told.map(({ attachmentId, outcome }) => [attachmentId, outcome]).sort()).toEqual(
      [
        [ids[0], 'damaged'],
        [ids[1], 'missing'],
      ].sort(),
    )
    expect(storage.keys()).toHaveLength(2)
    await service.service.stop()
    const trail = run(
      ['audit', 'list', '--what', 'scrub_find', '--json'],
      testEnvironment(dataDir, 'http://127.0.0.1:9'),
    )
    await trail.ended
    expect(trail.stdout().trim().split('\n')).toHaveLength(2)
  })

  it('are gone on with where a process before was', async () => {
    const { start, pass, read } = await startedAnew(9)
    const first = await start()
    await read(first, 1)
    pass(24 * 4.1)
    await read(first, 5)
    await first.service.stop()
    const second = await start()
    pass(24 * 4.5)
    await read(second, 4)
  })

  it('are not read where that is off', async () => {
    const { start, pass, read } = await startedAnew(3, { SCRUB_DAYS: 'off' })
    const service = await start()
    pass(24 * 30)
    await service.service.sweep()
    await read(service, 0)
  })
})

describe('doctor --deep', () => {
  async function examined(env: Record<string, string>) {
    const program = run(['doctor', '--deep'], env)
    return { code: await program.ended, out: program.stdout(), err: program.stderr() }
  }

  it('reads every file, and names what is missing, damaged, and what no record claims', async () => {
    const { push, service, dataDir, emulator } = await startTestService()
    const ids: string[] = []
    for (let i = 0; i < 4; i++) ids.push((await push(text())).body.attachment.id)
    await service.stop()
    const env = testEnvironment(dataDir, emulator.url)
    expect(await examined(env)).toMatchObject({ code: 0, out: expect.stringMatching(/ok +files: 4 files are whole/) })
    const objectOf = (id: string) => join(dataDir, 'objects', id.slice(-1), id)
    const [young, old] = [newAttachmentId(), newAttachmentId()]
    for (const orphan of [young, old]) await writeFile(objectOf(orphan), 'x', { mode: 0o600 })
    await utimes(objectOf(old), 0, 0)
    const warned = await examined(env)
    expect(warned).toMatchObject({ code: 0, out: expect.stringMatching(new RegExp(`warning +files: .*${old}`)) })
    expect(warned.out).not.toContain(young)
    const bytes = await readFile(objectOf(ids[0]!))
    bytes[bytes.length - 1]! ^= 1
    await writeFile(objectOf(ids[0]!), bytes)
    await rm(objectOf(ids[1]!))
    const { code, out, err } = await examined(env)
    expect([code, err]).toEqual([1, expect.stringContaining('files opened and compared')])
    expect(out).toMatch(new RegExp(`failed +files: ${ids[0]}: its bytes are damaged`))
    expect(out).toMatch(new RegExp(`failed +files: ${ids[1]}: its bytes are missing`))
  })
})
