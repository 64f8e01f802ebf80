import { rm, statfs } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { manualClock } from '../../tests/genesys/clock.ts'
import { Conflict, SenderGone, Unavailable } from '../errors.ts'
import { type AdmissionLimits, createAdmission } from './admission.ts'

const limits: AdmissionLimits = { maxUploads: 2, waitMs: 60_000, maxFileBytes: 1000 }

async function admission(changed: Partial<AdmissionLimits> = {}) {
  const folder = await temporaryFolder()
  const clock = manualClock()
  return { folder, clock, ...createAdmission({ ...limits, ...changed }, folder, clock) }
}

/** Whether it has been answered by now. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const pending = Symbol()
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, pending))])) === pending
}

describe('files at once', () => {
  it('are let in up to the limit; as many again wait; more are sent away', async () => {
    const { enter, running } = await admission()
    const leave = [await enter(null), await enter(null)]
    const waiting = [enter(null), enter(null)]
    await expect(enter(null)).rejects.toThrow(Unavailable)
    expect(running()).toBe(2)
    expect(await isOpen(waiting[0]!)).toBe(true)
    leave[0]!()
    leave.push(await waiting[0]!)
    expect(await isOpen(waiting[1]!)).toBe(true)
    leave[1]!()
    leave.push(await waiting[1]!)
    expect(running()).toBe(2)
    leave[2]!()
    leave[3]!()
    expect(running()).toBe(0)
  })

  it('wait no longer than they may: then it is safe to send them again', async () => {
    const { enter, running } = await admission({ maxUploads: 1, waitMs: 1 })
    const leave = await enter(null)
    const failure = await enter(null).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Unavailable)
    expect((failure as Unavailable).retryAfterSeconds).toBeGreaterThan(0)
    leave()
    expect(running()).toBe(0)
    ;(await enter(null))()
  })

  it('that leave while they wait make room for others at once, and take no place later', async () => {
    const { enter, running } = await admission({ maxUploads: 1 })
    const leave = await enter(null)
    const gone = new AbortController()
    const left = expect(enter(null, { gone: gone.signal })).rejects.toThrow(SenderGone)
    await expect(enter(null)).rejects.toThrow(Unavailable)
    gone.abort()
    await left
    const waiting = enter(null)
    leave()
    ;(await waiting)()
    await expect(enter(null, { gone: AbortSignal.abort() }).then((leave) => leave())).resolves.toBeUndefined()
    expect(running()).toBe(0)
  })

  it('are never more than the limit, however many come and go', async () => {
    const { enter, running } = await admission({ maxUploads: 5 })
    let most = 0
    let done = 0
    const one = async () => {
      const leave = await enter(null)
      most = Math.max(most, running())
      await new Promise((resolve) => setImmediate(resolve))
      leave()
      done++
    }
    for (let round = 0; round < 20; round++) await Promise.all(Array.from({ length: 10 }, one))
    expect([most, done, running()]).toEqual([5, 200, 0])
  })
})

describe('a delivery that is running', () => {
  const delivery = { scope: 'key:shop', key: 'order-1' }

  it('is not let in a second time, and is when it has ended', async () => {
    const { enter } = await admission()
    const leave = await enter(delivery)
    const failure = await enter({ ...delivery }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Conflict)
    expect((failure as Conflict).code).toBe('in_progress')
    leave()
    ;(await enter(delivery))()
  })

  it('holds up neither another key, nor the same key of another credential', async () => {
    const { enter } = await admission({ maxUploads: 9 })
    const entered = await Promise.all(
      [
        delivery,
        { ...delivery, key: 'order-2' },
        { ...delivery, scope: 'key:desk' },
        { scope: 'key:shop","order', key: '1' },
        null,
        null,
      ].map((delivery) => enter(delivery)),
    )
    expect(entered).toHaveLength(6)
  })

  it('is forgotten when it was not let in', async () => {
    const { enter } = await admission({ maxUploads: 1, waitMs: 1 })
    const leave = await enter(null)
    await expect(enter(delivery)).rejects.toThrow(Unavailable)
    leave()
    ;(await enter(delivery))()
  })
})

describe('room on the disk', () => {
  it('is needed for every file at once and for what else lives there', async () => {
    const { enter, check, running } = await admission({ maxFileBytes: 2 ** 60 })
    await expect(enter(null)).rejects.toThrow('the disk is full')
    await expect(check()).rejects.toThrow(Unavailable)
    expect(running()).toBe(0)
  })

  it('cannot be known without the folder: that is unavailable', async () => {
    const { folder, clock, enter, check, running } = await admission()
    await check()
    await rm(folder, { recursive: true })
    clock.jump(1000)
    await expect(enter({ scope: 's', key: 'k' })).rejects.toThrow(Unavailable)
    await expect(enter({ scope: 's', key: 'k' })).rejects.toThrow(Unavailable)
    await expect(check()).rejects.toThrow(Unavailable)
    expect(running()).toBe(0)
  })

  it('is measured once a second, however many come, and at once when the clock is set back', async () => {
    const { folder, clock, enter } = await admission({ maxUploads: 9 })
    ;(await enter(null))()
    await rm(folder, { recursive: true })
    clock.jump(999)
    for (const leave of await Promise.all([enter(null), enter(null)])) leave()
    clock.jump(-3_600_000)
    await expect(enter(null)).rejects.toThrow(Unavailable)
  })

  it('is measured anew for who asks whether there is any', async () => {
    const { folder, enter, check } = await admission()
    ;(await enter(null))()
    await rm(folder, { recursive: true })
    await expect(check()).rejects.toThrow('the spool cannot be reached')
  })

  it('is measured again before files that have come and gone since could have used it up', async () => {
    const { bavail, blocks, bsize } = await statfs(await temporaryFolder())
    const room = bavail * bsize - Math.min(64 * 1024 * 1024, (blocks * bsize) / 20)
    // Room for three, and a half of one.
    const { folder, enter } = await admission({ maxFileBytes: Math.floor(room / 3.5) })
    ;(await enter(null))()
    ;(await enter(null))()
    await rm(folder, { recursive: true })
    ;(await enter(null))()
    await expect(enter(null)).rejects.toThrow('the spool cannot be reached')
  })
})
