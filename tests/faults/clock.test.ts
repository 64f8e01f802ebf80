import { createHmac } from 'node:crypto'
import { readdir, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import type { Attachment } from '../../src/attachment.ts'
import { newAttachmentId } from '../../src/attachment.ts'
import { systemClock } from '../../src/clock.ts'
import { dataPaths } from '../../src/installation.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { jpegOfSize, text } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { eventually, keys, pushTo, startTestService, temporaryFolder, testEnvironment } from '../harness.ts'
import { run, servingAt } from '../journeys/process.ts'
import { formEnd, formHead } from '../journeys/raw.ts'
import { gatedWay, start } from '../outbox/start.ts'
import { fakeTime } from './fakeTime.ts'

const hour = 60 * 60 * 1000
const day = 24 * hour

/** A clock that runs, and can be set. */
function settable() {
  let ahead = 0
  return {
    clock: { ...systemClock, now: () => new Date(Date.now() + ahead) },
    set: (ms: number) => {
      ahead += ms
    },
  }
}

describe('a confirmation that is on its way when the clock is set', () => {
  it.each([
    ['an hour forward', hour],
    ['an hour back', -hour],
  ])('%s is not begun a second time, holds back its conversation, and is settled once', async (_, jump) => {
    const { way, atGate } = gatedWay()
    const { clock, courier, confirmationOf, entryOf, owe } = await start({ way })
    courier.start()
    const first = await owe('a')
    await until(() => atGate.length === 1)
    const second = await owe('a')
    clock.jump(jump)
    const other = await owe('b')
    await until(() => atGate.length === 2)
    await until(() => clock.waits().length > 0)
    courier.wake()
    await until(() => clock.waits().length > 0)
    expect(atGate.map(({ conversationId }) => conversationId)).toEqual(['a', 'b'])
    for (const { open } of [...atGate]) open()
    for (const id of [first, other]) {
      await until(async () => (await confirmationOf(id))?.state === 'delivered')
      expect(await entryOf(id)).toMatchObject({ state: 'delivered', attempts: 1 })
      expect((await confirmationOf(id))?.possiblyRepeated).toBeUndefined()
    }
    // What was owed before the clock was set back is late by as much, and no more.
    if (jump < 0) clock.jump(-jump)
    courier.wake()
    await until(() => atGate.length === 1)
    atGate[0]!.open()
    await until(async () => (await confirmationOf(second))?.state === 'delivered')
    expect((await entryOf(second))?.attempts).toBe(1)
  })
})

describe('a view of a conversation', () => {
  it('is asked for again after the clock was set back', async () => {
    const { clock, courier, ended, owe, emulator } = await start({ ways: ['attributes'] })
    const { id } = emulator.createConversation()
    const asked = () => emulator.requests().filter(({ method, path }) => method === 'GET' && path.includes(id)).length
    courier.start()
    await ended(await owe(id))
    const before = asked()
    clock.jump(-hour)
    await ended(await owe(id))
    expect(asked()).toBeGreaterThan(before)
  })
})

describe('a token that was refused', () => {
  it('is asked for again at once after the clock was set back', async () => {
    const { clock, courier, delayed, emulator, ended, later, owe } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 401, times: 1 }])
    courier.start()
    const first = await owe(id)
    await delayed(first, 1)
    clock.jump(-hour)
    const [confirmation] = await ended(await owe(emulator.createConversation().id))
    expect(confirmation?.state).toBe('delivered')
    later(hour / 1000 + 6)
    expect((await ended(first))[0]?.state).toBe('delivered')
  })
})

describe('what is remembered of deliveries', () => {
  it.each([
    ['forward', hour],
    ['back', -hour],
  ])('outlives a clock that is set an hour %s, and a sweep after it', async (_, jump) => {
    const { clock, set } = settable()
    const { push, service } = await startTestService({ overrides: { clock } })
    const file = text()
    const { body } = await push(file, { idempotencyKey: 'order-1' })
    set(7 * day - 2 * hour)
    set(jump)
    await service.sweep()
    const again = await push(file, { idempotencyKey: 'order-1' })
    expect([again.status, again.body.attachment.id, again.headers.get('idempotent-replayed')]).toEqual([
      200,
      body.attachment.id,
      'true',
    ])
  })
})

describe('retention', () => {
  it('is wrong by no more than the clock was', async () => {
    const { clock, set } = settable()
    const { push, get, service } = await startTestService({ env: { RETENTION_DAYS: '30' }, overrides: { clock } })
    const { id } = (await push(text())).body.attachment
    const state = async () => {
      await service.sweep()
      return (await get<Attachment>(`/v1/attachments/${id}`)).body.state
    }
    set(30 * day - 2 * hour)
    set(hour)
    expect(await state()).toBe('accepted')
    set(-2 * hour)
    expect(await state()).toBe('accepted')
    set(hour)
    set(3 * hour)
    expect(await state()).toBe('erased')
  })
})

describe('bytes without a record', () => {
  it('that a commit may still claim are left alone by a clock that is an hour ahead, or behind', async () => {
    const { clock, set } = settable()
    const { service, dataDir } = await startTestService({ overrides: { clock } })
    const { objects } = dataPaths(dataDir)
    const id = newAttachmentId()
    const path = join(objects, id.slice(-1), id)
    await writeFile(path, 'sealed')
    const almostADayAgo = new Date(Date.now() - day + 2 * hour)
    await utimes(path, almostADayAgo, almostADayAgo)
    for (const jump of [hour, -2 * hour]) {
      set(jump)
      expect(await service.sweep()).toMatchObject({ orphans: 0 })
    }
    expect(await readdir(join(objects, id.slice(-1)))).toContain(id)
    set(hour)
    set(3 * hour)
    expect(await service.sweep()).toMatchObject({ orphans: 1 })
  })
})

describe('readiness', () => {
  it.each([
    ['forward', hour],
    ['back', -hour],
  ])('is asked for anew after the clock was set an hour %s', async (_, jump) => {
    const storage = memoryStorage(() => new Date())
    let now = new Date('2026-11-01T12:00:00Z')
    const clock = { ...systemClock, now: () => now }
    const { get } = await startTestService({ overrides: { storage, clock } })
    storage.failNext('check')
    expect((await get('/health/ready')).status).toBe(503)
    now = new Date(now.getTime() + jump)
    expect((await get('/health/ready')).status).toBe(200)
  })
})

describe.skipIf(!fakeTime)(
  'a process whose system clock is set (needs libfaketime: apt-get install libfaketime)',
  () => {
    it('lets in tickets and signatures by its own clock, within their tolerance, and none a second time', async () => {
      const secret = 'a-signing-secret-of-a-partner'
      const offset = join(await temporaryFolder(), 'offset')
      const set = (seconds: number) => writeFile(offset, `${seconds < 0 ? '' : '+'}${seconds}`)
      await set(0)
      const program = run(['serve'], {
        ...testEnvironment(await temporaryFolder(), 'http://127.0.0.1:9'),
        CLIPGATE_PUSH_SIGNING_SECRETS: secret,
        CLIPGATE_CONFIRM: 'off',
        ...fakeTime!(offset),
      })
      const [, url] = await program.until(servingAt)
      const path = '/webhook/file-upload'
      const push = async (headers: Record<string, string>, body: Buffer) => {
        const answer = await fetch(url + path, {
          method: 'POST',
          headers: { 'content-type': 'multipart/form-data; boundary=b', ...headers },
          body: new Uint8Array(body),
        })
        return answer.status
      }
      const form = (words: string) => Buffer.from(`${formHead('a.txt', 'text/plain')}${words}${formEnd}`)
      /** Signed by our clock, which is right. */
      const signature = (body: Buffer) => {
        const t = Math.floor(Date.now() / 1000)
        const v1 = createHmac('sha256', secret).update(`${t}.POST ${path}\n`).update(body).digest('hex')
        return { 'x-clipgate-signature': `t=${t},v1=${v1}` }
      }
      const ticket = async () => {
        const answer = await fetch(`${url}/v1/tickets`, {
          method: 'POST',
          headers: { authorization: `Bearer ${keys.push}`, 'content-type': 'application/json' },
          body: JSON.stringify({ conversationId: 'c-1', expiresInSeconds: 1800 }),
        })
        return { authorization: `Ticket ${((await answer.json()) as { ticket: string }).ticket}` }
      }
      const [early, kept, used] = [await ticket(), await ticket(), await ticket()]
      const [first, second] = [form('first'), form('second')]
      const signed = signature(first)
      expect([await push(used, form('x')), await push(signed, first)]).toEqual([200, 200])

      await set(3600)
      // Both are an hour old for it.
      expect([await push(early, form('y')), await push(signature(second), second)]).toEqual([401, 401])
      expect(await push(await ticket(), form('z'))).toBe(200)

      await set(-3600)
      // A ticket cannot be told from one that was issued in the future: it lives longer by as much as the clock is off.
      expect([await push(kept, form('y')), await push(signature(second), second)]).toEqual([200, 401])
      expect([await push(used, form('x')), await push(signed, first)]).toEqual([401, 401])

      await set(0)
      expect([await push(signed, first), await push(kept, form('y')), await push(used, form('x'))]).toEqual([
        401, 401, 401,
      ])
      // What was refused for the clock's sake was not used up.
      expect([await push(early, form('y')), await push(signature(second), second)]).toEqual([200, 200])
      program.child.kill('SIGTERM')
      expect(await program.ended).toBe(0)
    })

    it('an hour forward, back, and forward again takes, confirms once, repeats answers, reads and erases as before', async () => {
      const emulator = await startEmulator({ port: 0 })
      const dataDir = await temporaryFolder()
      const offset = join(await temporaryFolder(), 'offset')
      const set = (seconds: number) => writeFile(offset, `${seconds < 0 ? '' : '+'}${seconds}`)
      await set(0)
      try {
        const program = run(['serve'], { ...testEnvironment(dataDir, emulator.url), ...fakeTime!(offset) })
        const [, url] = await program.until(servingAt)
        const headers = { authorization: `Bearer ${keys.all}` }
        const get = async <T>(path: string) => {
          const response = await fetch(url + path, { headers })
          return { status: response.status, body: (await response.json()) as T }
        }
        const before: {
          id: string
          file: Awaited<ReturnType<typeof jpegOfSize>>
          idempotencyKey: string
          conversationId: string
        }[] = []
        for (const seconds of [0, 3600, -3600, 0, 3600]) {
          await set(seconds)
          const conversationId = emulator.createConversation().id
          const idempotencyKey = `delivery-${before.length}`
          const file = await jpegOfSize(100_000)
          const { status, body } = await pushTo(url!, file, { conversationId, idempotencyKey })
          expect(status).toBe(200)
          // The clock of the process is where it was set.
          const off = Date.parse(body.attachment.receivedAt) - Date.now() - seconds * 1000
          expect(Math.abs(off)).toBeLessThan(hour / 2)
          before.push({ id: body.attachment.id, file, idempotencyKey, conversationId })
          for (const { id, file, idempotencyKey, conversationId } of before) {
            const again = await pushTo(url!, file, { conversationId, idempotencyKey })
            expect([again.status, again.body.attachment.id]).toEqual([200, id])
          }
          await eventually(
            () => get<Attachment>(`/v1/attachments/${body.attachment.id}`),
            (answer) => answer.body.confirmation?.state === 'delivered',
          )
          expect((await get('/health/ready')).status).toBe(200)
        }
        for (const { conversationId } of before)
          expect(
            emulator.conversation(conversationId).messages.filter(({ direction }) => direction === 'outbound'),
          ).toHaveLength(1)
        const erased = await fetch(`${url}/v1/attachments/${before[0]!.id}`, { method: 'DELETE', headers })
        expect(erased.status).toBe(200)
        program.child.kill('SIGTERM')
        expect(await program.ended).toBe(0)
      } finally {
        await emulator.close()
      }
    })
  },
)
