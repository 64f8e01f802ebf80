import { Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Viewer } from '../../src/access/viewers.ts'
import { systemClock } from '../../src/clock.ts'
import { Throttled } from '../../src/errors.ts'
import { createHub, type Watcher } from '../../src/live/hub.ts'
import { text } from '../fixtures/files.ts'
import { people, seesOnly } from '../fixtures/people.ts'
import { hurriedClock } from '../genesys/clock.ts'
import { eventually, keys, startTestService, type TestService } from '../harness.ts'
import { rawClient } from './raw.ts'
import { watch } from './watching.ts'

const ask = ({ url }: TestService, method: string, path: string, body?: unknown) =>
  fetch(url + path, {
    method,
    headers: { authorization: `Bearer ${keys.all}`, ...(body !== undefined && { 'content-type': 'application/json' }) },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  })

describe('who watches', () => {
  it('is told what there is, the oldest first, and that this was all', async () => {
    const service = await startTestService()
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push((await service.push(text(`${i}.txt`))).body.attachment.id)
    const { status, headers, told, ready, text: all } = await watch(service)
    await ready()
    expect([status, headers.get('content-type')]).toEqual([200, 'text/event-stream'])
    expect([headers.get('cache-control'), headers.get('x-accel-buffering')]).toEqual(['no-store', 'no'])
    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(told.map(({ event, data }) => data.id ?? event)).toEqual([...ids, 'ready'])
    expect(told[0]!.data).toEqual((await service.get(`/v1/attachments/${ids[0]}`)).body)
    expect(all()).toMatch(/^retry: 3000\n\n/)
  })

  it('is told of a file as it comes, of its confirmation, and of what becomes of it', async () => {
    const service = await startTestService()
    const { told, ready, until, states } = await watch(service)
    await ready()
    const conversationId = service.conversation()
    const { id } = (await service.push(text(), { conversationId })).body.attachment
    await until((all) => all.some(({ data }) => data.confirmation?.state === 'delivered'))
    await ask(service, 'POST', `/v1/attachments/${id}/hold`, { reason: 'looked at' })
    await until(() => states(id).at(-1) === 'quarantined')
    await ask(service, 'POST', `/v1/attachments/${id}/release`, { reason: 'it is fine' })
    await until(() => states(id).at(-1) === 'accepted')
    await ask(service, 'DELETE', `/v1/attachments/${id}`)
    await until(() => states(id).at(-1) === 'erased')
    expect([...new Set(states(id))]).toEqual(['accepted', 'quarantined', 'erased'])
    expect(told.at(-1)!.data.filename).toBeNull()
  })

  it('of one conversation is told of nothing else', async () => {
    const service = await startTestService({ env: { CONFIRM: 'off' } })
    const { ready, until, told } = await watch(service, '?conversationId=one')
    await ready()
    await service.push(text('a.txt'), { conversationId: 'other' })
    await service.push(text('b.txt'))
    await service.push(text('c.txt'), { conversationId: 'one' })
    await until((all) => all.length === 2)
    expect(told.at(-1)!.data.filename).toBe('c.txt')
  })

  it('is in the trail before anything is shown', async () => {
    const service = await startTestService()
    const { ready } = await watch(service, '?conversationId=one')
    await ready()
    const { body } = await service.get<{ items: { outcome: string; detail: string }[] }>('/v1/audit?what=list')
    expect(body.items[0]).toMatchObject({ outcome: 'watched', detail: '{"events":true,"conversationId":"one"}' })
  })

  it('needs the scope read', async () => {
    const service = await startTestService()
    for (const [key, status] of [
      [keys.push, 403],
      ['a-wrong-secret-0123456789', 401],
    ] as const)
      expect((await watch(service, '', `Bearer ${key}`)).status).toBe(status)
    expect((await fetch(`${service.url}/v1/events`, { headers: { accept: 'application/json' } })).status).toBe(406)
  })
})

describe('a person who watches', () => {
  const start = (anna: Partial<Viewer>, others: Record<string, Partial<Viewer>> = {}) =>
    startTestService({ overrides: { viewers: people({ anna, ...others }), clock: hurriedClock } })

  it('is shown their own conversations only', async () => {
    const service = await start({ sees: seesOnly('hers') })
    const statusOf = async (query: string) => (await watch(service, query, 'Person anna')).status
    expect([
      await statusOf(''),
      await statusOf('?conversationId=other'),
      await statusOf('?conversationId=hers'),
    ]).toEqual([400, 404, 200])
  })

  it('is shown nothing more once they may not see the conversation, or their session has ended', async () => {
    let mayStill = true
    const persons: Record<string, Partial<Viewer>> = {
      anna: { sees: async () => mayStill },
      ben: { sees: async () => true },
    }
    const service = await startTestService({ overrides: { viewers: people(persons), clock: hurriedClock } })
    const [annas, bens] = [
      await watch(service, '?conversationId=c', 'Person anna'),
      await watch(service, '?conversationId=c', 'Person ben'),
    ]
    await Promise.all([annas.ready(), bens.ready()])
    mayStill = false
    await annas.over
    await eventually(bens.text, (all) => all.includes('\n:\n'))
    delete persons.ben
    await bens.over
  })

  it.each([
    ['looks too much up', { sees: async () => Promise.reject(new Throttled('rate_limited', 1)) }],
    ['sees no longer all', { seesAll: false }],
  ])('who %s is told nothing more, and it is no fault of ours', async (_, becomes) => {
    const anna: Partial<Viewer> = { seesAll: true }
    const service = await start(anna)
    const { ready, over } = await watch(service, 'sees' in becomes ? '?conversationId=c' : '', 'Person anna')
    await ready()
    Object.assign(anna, { seesAll: false }, becomes)
    await over
    expect(service.logged.filter(({ msg }) => msg === 'request failed')).toEqual([])
  })

  it('may watch fifty times at once, and takes nobody else’s place', async () => {
    const sees = async () => true
    const service = await start({ sees }, { ben: { sees } })
    const watched = (name: string) => watch(service, '?conversationId=c', `Person ${name}`)
    const annas = await Promise.all(Array.from({ length: 50 }, () => watched('anna')))
    expect(annas.map(({ status }) => status)).toEqual(Array(50).fill(200))
    const more = await watched('anna')
    expect([more.status, Number(more.headers.get('retry-after'))]).toEqual([429, 30])
    expect((await watched('ben')).status).toBe(200)
    annas[0]!.leave()
    await eventually(
      async () => (await watched('anna')).status,
      (status) => status === 200,
    )
  })

  it('is not watched for any more once they have gone, also before it began, and on a connection that they asked on twice', async () => {
    const looks = { anna: 0, ben: 0, carla: 0 }
    const sees = (name: keyof typeof looks, wait: Promise<void> | null = null) => ({
      sees: async () => {
        looks[name]++
        await wait
        return true
      },
    })
    let go = () => {}
    const held = new Promise<void>((resolve) => (go = resolve))
    const persons = { anna: sees('anna', held), ben: sees('ben'), carla: sees('carla') }
    const service = await startTestService({ overrides: { viewers: people(persons), clock: hurriedClock } })
    const asks = (name: string) =>
      `GET /v1/events?conversationId=c HTTP/1.1\r\nHost: test\r\nAuthorization: Person ${name}\r\n\r\n`
    const [once, twice] = [await rawClient(service.url), await rawClient(service.url)]
    once.socket.write(asks('anna'))
    twice.socket.write(asks('ben') + asks('ben'))
    await twice.until(/event: ready/)
    await eventually(
      () => looks,
      ({ anna, ben }) => anna === 1 && ben >= 2,
    )
    once.socket.resetAndDestroy()
    twice.socket.resetAndDestroy()
    const { ben } = looks
    // Who is there is looked at again and again.
    await watch(service, '?conversationId=c', 'Person carla')
    const carlaIsLookedAt = (times: number) =>
      eventually(
        () => looks.carla,
        (now) => now > times,
      )
    await carlaIsLookedAt(2)
    go()
    await carlaIsLookedAt(6)
    expect(looks).toMatchObject({ anna: 1, ben })
  })
})

describe('a service that stops', () => {
  it('ends what is watched at once, and does not wait for who watches', async () => {
    const service = await startTestService()
    const { ready, over } = await watch(service)
    await ready()
    await Promise.all([service.service.stop(), over])
  })
})

describe('who watches and does not read', () => {
  it('is cut off, and the others are not held up', async () => {
    const readers = { windowMs: 200, leastBytesPerSecond: 1000 }
    const service = await startTestService({ overrides: { times: { readers } } })
    const { port, hostname } = new URL(service.url)
    const socket = new Socket().connect(Number(port), hostname)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    socket.pause()
    socket.write(`GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${keys.all}\r\n\r\n`)
    const { ready, until } = await watch(service)
    await ready()
    // What the kernel keeps for a reader is large: names are long, so that it fills.
    const name = `${'x'.repeat(6000)}.txt`
    let pushed = 0
    await eventually(
      async () => {
        await service.push(text(name))
        pushed++
        return service.logged
      },
      (lines) => lines.some(({ msg }) => msg === 'who watches takes too little and is cut off'),
    )
    await until((all) => all.filter(({ event }) => event === 'attachment').length >= pushed)
  })
})

describe('the hub', () => {
  const watcher = (): Watcher => ({ changed() {}, became() {}, ready() {}, ended() {} })

  it('takes so many who watch, and one more when one of them leaves', () => {
    const records = { attachment: async () => null, listAttachments: async () => [] }
    const hub = createHub({ records, clock: systemClock, failed() {}, mostWatchers: 2 })
    const leave = hub.watch(null, watcher())
    hub.watch('c', watcher())
    expect(() => hub.watch('d', watcher())).toThrow(/2 watch already/)
    leave()
    leave()
    hub.watch('d', watcher())
    expect(() => hub.watch('e', watcher())).toThrow(/2 watch already/)
  })

  it('looks again after it could not', async () => {
    let fails = 3
    const failed: unknown[] = []
    const listAttachments = async () => {
      if (fails-- > 0) throw new Error('away')
      return []
    }
    const hub = createHub({
      records: { attachment: async () => null, listAttachments },
      clock: hurriedClock,
      failed: (error) => failed.push(error),
    })
    hub.start()
    onTestFinished(() => hub.stop())
    await new Promise<void>((resolve) => hub.watch(null, { ...watcher(), ready: resolve }))
    expect(failed).toHaveLength(3)
  })
})
