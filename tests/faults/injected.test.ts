import { randomUUID } from 'node:crypto'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { dataPaths } from '../../src/installation.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { sha256, temporaryFolder } from '../harness.ts'
import { served } from './served.ts'
import { type Fault, hasStrace, limitFiles, whileFailing } from './strace.ts'

/** How far the k-th call is counted: `FAULTS=all` for a long run. */
const furthest = process.env.FAULTS === 'all' ? 60 : 8

/** Which calls fail on what; each is tried at its first, second, … call until no call is left to fail. */
interface Trouble extends Omit<Fault, 'when'> {
  what: string
  /** Whether it fails from there on, and not once. */
  onwards?: boolean
}

function troubles(dataDir: string, shards: string[]): Trouble[] {
  const { database } = dataPaths(dataDir)
  const log = `${database}-wal`
  const syncs = ['fsync', 'fdatasync']
  return [
    { what: "writing the database's log", calls: ['pwrite64'], error: 'EIO', paths: [log] },
    { what: "writing the database's log, for want of room", calls: ['pwrite64'], error: 'ENOSPC', paths: [log] },
    { what: "writing the database's log, for good", calls: ['pwrite64'], error: 'EIO', paths: [log], onwards: true },
    { what: "syncing the database's log", calls: syncs, error: 'EIO', paths: [log] },
    { what: "syncing the database's log, for good", calls: syncs, error: 'EIO', paths: [log], onwards: true },
    { what: 'writing the database', calls: ['pwrite64', 'ftruncate'], error: 'EIO', paths: [database] },
    { what: 'writing the database, for want of room', calls: ['pwrite64'], error: 'ENOSPC', paths: [database] },
    { what: 'syncing the database', calls: syncs, error: 'EIO', paths: [database] },
    { what: 'cutting a file', calls: ['ftruncate'], error: 'EIO' },
    { what: 'reading the database', calls: ['pread64'], error: 'EIO', paths: [database, log] },
    { what: 'syncing data', calls: ['fdatasync'], error: 'EIO' },
    { what: 'syncing data, for want of room', calls: ['fdatasync'], error: 'ENOSPC' },
    { what: 'syncing a folder of objects', calls: ['fsync'], error: 'EIO', paths: shards },
    { what: 'renaming', calls: ['rename'], error: 'EIO' },
    { what: 'renaming, for want of room', calls: ['rename'], error: 'ENOSPC' },
    { what: 'removing', calls: ['unlink'], error: 'EIO' },
    { what: 'removing, on a disk that may only be read', calls: ['unlink'], error: 'EROFS', onwards: true },
    { what: 'opening', calls: ['openat'], error: 'EIO' },
    { what: 'opening, for want of descriptors', calls: ['openat'], error: 'EMFILE' },
    { what: 'opening, for want of room', calls: ['openat'], error: 'ENOSPC' },
    { what: 'opening, for good', calls: ['openat'], error: 'EMFILE', onwards: true },
  ]
}

describe.skipIf(!hasStrace)('calls to the disk that fail (needs strace: apt-get install strace)', () => {
  it('are each a 503 at most: nothing is claimed that is not there, and the next is as if nothing had been', {
    timeout: 600_000,
  }, async () => {
    const dataDir = await temporaryFolder()
    const { objects, spool } = dataPaths(dataDir)
    const service = await served(dataDir)
    const shards = (await readdir(objects)).map((name) => join(objects, name))
    const first = await service.push(await jpegOfSize(200_000))
    await service.push(await jpegOfSize(1000))

    for (const trouble of troubles(dataDir, shards)) {
      let failed = 0
      for (let k = 1; k <= furthest; k++) {
        const about = `${trouble.what}, ${trouble.error} at ${k}`
        const files = { taken: await jpegOfSize(150_000), refused: text('note.txt', '<html>'), twice: first.file }
        const delivery = { taken: randomUUID(), refused: randomUUID() }
        const erased = service.newest()
        const calls = await whileFailing(service.pid, { ...trouble, when: trouble.onwards ? `${k}+` : k }, async () => {
          const taken = await service.push(files.taken, delivery.taken)
          const refused = await service.push(files.refused, delivery.refused)
          expect([about, taken.status, [200, 503].includes(taken.status)]).toEqual([about, taken.status, true])
          expect([about, refused.status, [415, 503].includes(refused.status)]).toEqual([about, refused.status, true])
          // A full disk did not take the commit: this much is known, and no bytes are left to wait for the sweep.
          if (trouble.error === 'ENOSPC' && trouble.calls.includes('pwrite64') && taken.status === 503)
            expect([about, taken.problem]).toEqual([about, 'It was not done. It is safe to send the same again.'])
          const read = await service.read(first.id)
          const list = await service.get('/v1/attachments')
          // Reading goes on while writing fails.
          const readable = trouble.calls.every((call) => call !== 'openat' && call !== 'pread64')
          if (readable || read.status === 200) expect([about, read.sha256]).toEqual([about, sha256(first.file.bytes)])
          else expect([about, read.status]).toEqual([about, 503])
          expect([about, list.status === 200 || (!readable && list.status === 503)]).toEqual([about, true])
          expect([about, [200, 503].includes(await service.erase(erased))]).toEqual([about, true])
          expect([about, [200, 503].includes((await service.get('/health/ready')).status)]).toEqual([about, true])
        })
        // Sent again, as a careful sender would: taken now, or the answer that the first should have got.
        const taken = await service.push(files.taken, delivery.taken)
        expect([about, taken.status, taken.problem]).toEqual([about, 200, undefined])
        expect([about, (await service.push(files.refused, delivery.refused)).status]).toEqual([about, 415])
        expect([about, await service.erase(erased)]).toEqual([about, 200])
        expect([about, await service.read(erased)]).toEqual([about, { status: 410, sha256: null }])
        await service.expectWhole(about)
        if (calls.length === 0) break
        failed++
      }
      expect([trouble.what, failed > 0]).toEqual([trouble.what, true])
    }
    expect(service.alive()).toBe(true)
    await service.kill()

    const next = await served(dataDir, service.acknowledged)
    await next.expectWhole('after a restart')
    expect((await next.push(await jpegOfSize(1000))).status).toBe(200)
    // What could not be removed from the spool then has gone with the start.
    expect(await readdir(spool)).toEqual([])
  })

  it('when it is a large file that the disk does not take while it still comes are a 503: nobody is told a second time', async () => {
    const dataDir = await temporaryFolder()
    const { objects, spool } = dataPaths(dataDir)
    const service = await served(dataDir)
    const large = await jpegOfSize(9_000_000)
    const failed = await whileFailing(service.pid, { calls: ['fdatasync'], error: 'EIO', when: 1 }, async () => {
      expect((await service.push(large)).status).toBe(503)
    })
    // It was not taken over: that would have synced it again.
    expect(failed).toHaveLength(1)
    expect(await readdir(spool)).toEqual([])
    expect((await readdir(objects, { recursive: true })).filter((name) => name.includes('att_'))).toEqual([])
    expect((await service.push(large)).status).toBe(200)
    await service.expectWhole('at the end')
  })

  it('when no file may grow are a 503, wherever in the file it is, and leave nothing in the spool', async () => {
    const dataDir = await temporaryFolder()
    const { objects, spool } = dataPaths(dataDir)
    const service = await served(dataDir)
    await service.push(await jpegOfSize(200_000))
    const kept = async () => (await readdir(objects, { recursive: true })).filter((name) => name.includes('att_'))
    for (const bytes of [0, 1, 65_536, 65_600, 65_601, 131_120, 200_000]) {
      const before = await kept()
      limitFiles(service.pid, 'fsize', bytes)
      expect([bytes, (await service.push(await jpegOfSize(300_000))).status]).toEqual([bytes, 503])
      expect([bytes, await readdir(spool), await kept()]).toEqual([bytes, [], before])
      limitFiles(service.pid, 'fsize', 'unlimited')
      expect([bytes, (await service.push(await jpegOfSize(300_000))).status]).toEqual([bytes, 200])
    }
    await service.expectWhole('at the end')
  })

  it('when no descriptor is left are a 503 for those who are connected, and the service goes on when there are some', async () => {
    const dataDir = await temporaryFolder()
    const service = await served(dataDir)
    await service.push(await jpegOfSize(1000))
    // Those that are open stay open, and the first three are: none can be added.
    limitFiles(service.pid, 'nofile', 3)
    const answers: number[] = []
    for (let i = 0; i < 5; i++) answers.push((await service.push(await jpegOfSize(1000))).status)
    expect(answers.every((status) => status === 200 || status === 503)).toBe(true)
    limitFiles(service.pid, 'nofile', 1024)
    expect((await service.push(await jpegOfSize(1000))).status).toBe(200)
    await service.expectWhole('at the end')
    expect(answers).toContain(503)
  })
})
