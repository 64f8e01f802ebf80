import { readdir, readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { dataPaths } from '../../src/installation.ts'
import { type Fixture, jpegOfSize, text } from '../fixtures/files.ts'
import { eventually, keys, type Pushed, pushTo, sha256, testEnvironment } from '../harness.ts'
import { type Program, run, servingAt } from '../journeys/process.ts'
import { canMount, type Disk, disks, fill, mounted } from './disks.ts'

const headers = { authorization: `Bearer ${keys.all}` }

interface Ready {
  ready: boolean
  checks: Record<string, { ok: boolean; cause?: string }>
}

for (const disk of disks) {
  const mountable = canMount(disk)
  if (!mountable && process.env.TEST_REQUIRE === 'all') throw new Error(`${disk.name} cannot be mounted: run as root`)
  describe.skipIf(!mountable)(`a full disk, ${disk.name} (needs mount: run as root, docker run --privileged)`, () => {
    it('takes uploads until there is no room, says 503 and why, and loses nothing', async () => {
      const { service, filler } = await served(disk)
      const giveBack = await fill(filler, 8 * 1024 * 1024)
      const acknowledged = new Map<string, string>()
      const refused: Pushed[] = []
      const sending = Array.from({ length: 4 }, async () => {
        for (;;) {
          const { file, answer } = await service.push(await jpegOfSize(600_000))
          if (answer.status !== 200) return void refused.push(answer)
          acknowledged.set(answer.body.attachment.id, sha256(file.bytes))
        }
      })
      await Promise.all(sending)
      expect(acknowledged.size).toBeGreaterThan(3)
      for (const { status, headers: told, body } of refused) {
        expect([status, body.code, body.detail]).toEqual([
          503,
          'unavailable',
          'It was not done. It is safe to send the same again.',
        ])
        expect(Number(told.get('retry-after'))).toBeGreaterThan(0)
      }
      const ready = await service.ready()
      expect([ready.status, ready.body.checks.storage]).toEqual([503, { ok: false, cause: 'the disk is full' }])
      expect(await service.spool()).toEqual([])
      // The reserve is there for this.
      expect((await service.list()).map(({ id }) => id).sort()).toEqual([...acknowledged.keys()].sort())
      await service.expectReadable(acknowledged)
      expect(await service.countedInLog()).toBe(0)

      await giveBack()
      const later = await eventually(
        () => service.push(text()),
        ({ answer }) => answer.status === 200,
      )
      acknowledged.set(later.answer.body.attachment.id, sha256(later.file.bytes))
      expect((await eventually(service.ready, ({ status }) => status === 200)).body.ready).toBe(true)
      await service.expectReadable(acknowledged)
      expect((await service.objects()).sort()).toEqual([...acknowledged.keys()].sort())
    })

    it('without a single free block lets reading go on, and keeps the audit rows that it cannot write in the log', async () => {
      const { service, filler } = await served(disk)
      const acknowledged = new Map<string, string>()
      for (let i = 0; i < 5; i++) {
        const { file, answer } = await service.push(await jpegOfSize(300_000))
        acknowledged.set(answer.body.attachment.id, sha256(file.bytes))
      }
      const [first] = acknowledged.keys()
      const giveBack = await fill(filler)
      // Until the log of the database is full too, and not one row fits any more.
      for (let i = 0; service.keptInLog().length === 0; i++) {
        expect((await service.list()).length, `after ${i} lists`).toBe(5)
      }
      await service.expectReadable(acknowledged)
      const seen = await service.get(`/v1/attachments/${first}`)
      expect(seen.status).toBe(200)
      const rows = await eventually(service.keptInLog, (kept) => kept.at(-1)?.audit.what === 'see')
      expect(rows.map(({ audit }) => [audit.what, audit.object]).slice(-6)).toEqual([
        ...[...acknowledged.keys()].map((id) => ['read', id]),
        ['see', first],
      ])
      expect(rows.at(-1)).toEqual({
        level: 50,
        audit: {
          at: expect.stringMatching(/^\d{4}-.*Z$/),
          who: 'all',
          what: 'see',
          object: first,
          outcome: 'shown',
          requestId: seen.headers.get('x-request-id'),
          detail: null,
        },
      })
      expect(await service.countedInLog()).toBe(rows.length)
      const { answer } = await service.push(text())
      expect(answer.status).toBe(503)
      expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0)
      const ready = await service.ready()
      expect([ready.status, ready.body.checks.storage, ready.body.checks.records?.ok]).toEqual([
        503,
        { ok: false, cause: 'the disk is full' },
        false,
      ])

      await giveBack()
      const later = await eventually(
        () => service.push(text()),
        ({ answer }) => answer.status === 200,
      )
      acknowledged.set(later.answer.body.attachment.id, sha256(later.file.bytes))
      const kept = await service.countedInLog()
      await service.expectReadable(acknowledged)
      expect(await service.countedInLog()).toBe(kept)
      expect(await service.spool()).toEqual([])
      expect((await service.objects()).sort()).toEqual([...acknowledged.keys()].sort())
    })

    it('that fills up while a file comes in leaves nothing of it', async () => {
      const { service, filler } = await served(disk)
      const file = await jpegOfSize(900_000)
      let giveBack = async () => {}
      const answer = await service.pushHalting(file, async () => {
        // What has come is in the spool, and the rest finds no room.
        await eventually(service.spool, (names) => names.length === 1)
        giveBack = await fill(filler)
      })
      expect(answer).toBe(503)
      expect(await service.spool()).toEqual([])
      expect(await service.objects()).toEqual([])
      await giveBack()
      await eventually(
        () => service.push(file),
        ({ answer }) => answer.status === 200,
      )
      expect(await service.list()).toHaveLength(1)
    })

    it('that holds the log, too, ends neither the process nor its reading; what the log could not take comes later', async () => {
      const data = mounted(disk, 40)
      const log = join(dirname(data), 'clipgate.log')
      const { service, filler } = await served(disk, data, log)
      const { file, answer } = await service.push(await jpegOfSize(300_000))
      const acknowledged = new Map([[answer.body.attachment.id, sha256(file.bytes)]])
      const giveBack = await fill(filler)
      for (let i = 0; i < 40; i++) await service.expectReadable(acknowledged)
      expect((await service.push(text())).answer.status).toBe(503)
      await giveBack()
      await eventually(
        () => service.push(text()),
        ({ answer }) => answer.status === 200,
      )
      const told = await eventually(
        async () => {
          await service.list()
          return (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('/content'))
        },
        (lines) => lines.length >= 40,
      )
      expect(told).toHaveLength(40)
    })

    it('lets a service be started that was stopped, and read', async () => {
      const data = mounted(disk, 40)
      const before = await served(disk, data)
      const { file, answer } = await before.service.push(await jpegOfSize(300_000))
      const giveBack = await fill(before.filler)
      await before.stop()
      const { service } = await served(disk, data)
      await service.expectReadable(new Map([[answer.body.attachment.id, sha256(file.bytes)]]))
      await giveBack()
    })
  })
}

/** The built program on a small disk. */
async function served(disk: Disk, data = mounted(disk, 40), log?: string) {
  const env = {
    ...testEnvironment(data, 'http://127.0.0.1:9'),
    CLIPGATE_CONFIRM: 'off',
    CLIPGATE_MAX_FILE_BYTES: '1048576',
  }
  const program = run(['serve'], env, log === undefined ? [] : ['sh', '-c', `exec "$@" >> ${log}`, 'sh'])
  const [, url] =
    log === undefined
      ? await program.until(servingAt)
      : ((await eventually(
          async () => servingAt.exec(await readFile(log, 'utf8').catch(() => '')),
          (found) => found !== null,
        )) ?? [])
  return {
    service: client(url!, data, program),
    filler: join(dirname(data), 'filler'),
    async stop() {
      program.child.kill('SIGTERM')
      expect(await program.ended).toBe(0)
    },
  }
}

function client(url: string, data: string, program: Program) {
  const { spool, objects } = dataPaths(data)
  const get = (path: string) => fetch(url + path, { headers })
  return {
    get,
    async push(file: Fixture) {
      return { file, answer: await pushTo(url, file) }
    },
    /** Sends half of a form, then does `meanwhile`, then sends the rest. */
    pushHalting: (file: Fixture, meanwhile: () => Promise<void>) =>
      new Promise<number>((resolve, reject) => {
        const start = `--b\r\nContent-Disposition: form-data; name="file"; filename="${file.name}"\r\nContent-Type: ${file.type}\r\n\r\n`
        const form = Buffer.concat([Buffer.from(start), file.bytes, Buffer.from('\r\n--b--\r\n')])
        const sent = request(`${url}/webhook/file-upload`, {
          method: 'POST',
          headers: { ...headers, 'content-type': 'multipart/form-data; boundary=b', 'content-length': form.length },
        })
        sent.on('response', (answer) => {
          answer.resume()
          resolve(answer.statusCode ?? 0)
        })
        sent.on('error', reject)
        const half = form.length / 2
        sent.write(form.subarray(0, half))
        meanwhile().then(() => sent.end(form.subarray(half)), reject)
      }),
    async list(): Promise<Attachment[]> {
      const answer = await get('/v1/attachments?limit=200')
      expect(answer.status).toBe(200)
      return ((await answer.json()) as { items: Attachment[] }).items
    },
    async expectReadable(files: Map<string, string>) {
      for (const [id, expected] of files) {
        const answer = await get(`/v1/attachments/${id}/content`)
        expect([id, answer.status, sha256(Buffer.from(await answer.arrayBuffer()))]).toEqual([id, 200, expected])
      }
    },
    async ready() {
      const answer = await fetch(`${url}/health/ready`)
      return { status: answer.status, body: (await answer.json()) as Ready }
    },
    spool: () => readdir(spool),
    objects: async () =>
      (await readdir(objects, { recursive: true }))
        .map((name) => name.split('/')[1])
        .filter((name) => name !== undefined),
    async countedInLog() {
      return Number(/^clipgate_audit_in_log_total (\d+)$/m.exec(await (await get('/metrics')).text())?.[1])
    },
    keptInLog: () =>
      program
        .stdout()
        .split('\n')
        .filter((line) => line.includes('"audit row kept in the log"'))
        .map((line) => {
          const { level, audit } = JSON.parse(line) as { level: number; audit: Record<string, unknown> }
          return { level, audit }
        }),
  }
}
