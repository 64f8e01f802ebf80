import { randomUUID } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../tests/database.ts'
import { epoch, refusal, settlement } from '../../tests/fixtures/settlements.ts'
import { temporaryFolder } from '../../tests/folder.ts'
import { type AttachmentId, newAttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { NotFound, Unavailable } from '../errors.ts'
import { createDecisions } from '../quarantine/decisions.ts'
import type { Settlement } from '../records/questions/settle.ts'
import type { Records } from '../records/records.ts'
import { memoryStorage } from '../storage/memory.ts'
import { createEvents } from '../telemetry/events.ts'
import { createLog } from '../telemetry/log.ts'
import { createMetrics } from '../telemetry/metrics.ts'
import { erase } from './erase.ts'
import { type SweepParts, sweep } from './sweep.ts'

const hour = 3600
const day = 24 * hour
const by = { who: 'desk', requestId: 'req_1' }

/** Real records, storage in memory, and a clock that goes when it is told to. */
async function opened() {
  const { records, close } = await temporaryRecords()
  onTestFinished(close)
  let now = epoch
  const clock: Clock = { now: () => now, wait: async () => {} }
  const storage = memoryStorage(() => now)
  const spool = join(await temporaryFolder(), 'spool')
  await mkdir(spool)
  const logged: Record<string, unknown>[] = []
  const events = createEvents(
    createLog('debug', { write: (line) => void logged.push(JSON.parse(line)) }),
    createMetrics(),
  )
  const policy = { days: 30, secondPerson: false }
  const decisions = createDecisions({ records, storage, policy, alertOf: () => null, wake: () => {}, clock, events })
  const parts: SweepParts = { records, storage, decisions, clock, events }
  const store = async (key: string = newAttachmentId()) => {
    const path = join(spool, randomUUID())
    await writeFile(path, 'sealed')
    await storage.adopt(key, { path, sealedSize: 6 })
    return key
  }
  return {
    parts,
    records,
    storage,
    logged,
    store,
    /** Seconds. */
    pass(seconds: number) {
      now = new Date(now.getTime() + seconds * 1000)
    },
    /** An accepted file that comes in now, with its bytes. */
    async take(changed: Partial<Settlement['attachment']> = {}): Promise<AttachmentId> {
      const one = settlement({ receivedAt: now.toISOString(), ...changed })
      await store(one.attachment.id)
      await records.settle(one)
      return one.attachment.id
    },
    runSweep: (retentionDays: number | null = null) => sweep({ retentionDays }, parts),
    stateOf: async (id: AttachmentId) => (await records.attachment(id))?.state,
  }
}

/** The same records, but this method fails the next time. */
function failing(records: Records, method: 'erase' | 'truncateLog' | 'bytesRemoved'): Records {
  let failed = false
  return {
    ...records,
    [method]: async (...args: never[]) => {
      if (failed) return (records[method] as (...args: never[]) => unknown)(...args)
      failed = true
      throw new Unavailable('told to fail')
    },
  }
}

describe('erasing an attachment', () => {
  it('destroys the key, removes the bytes and gives a receipt', async () => {
    const { parts, records, storage, take, pass, stateOf } = await opened()
    const id = await take()
    pass(60)
    expect(await erase(id, by, parts)).toEqual({
      attachmentId: id,
      erasedAt: new Date(epoch.getTime() + 60_000).toISOString(),
      key: 'destroyed',
      bytes: 'removed',
      digestOfRecord: expect.stringMatching(/^[0-9a-f]{64}$/),
    })
    expect(storage.keys()).toEqual([])
    expect(await records.dataKey(id)).toBeNull()
    expect(await stateOf(id)).toBe('erased')
    expect(await records.storedInVain(10)).toEqual([])
    expect((await records.listAudit({ limit: 10 })).at(-1)).toMatchObject({
      ...by,
      what: 'erase',
      object: id,
      outcome: 'erased',
    })
  })

  it('a second time gives the same receipt, and tells of it once', async () => {
    const { parts, logged, take, pass } = await opened()
    const id = await take()
    const first = await erase(id, by, parts)
    pass(day)
    expect(await erase(id, { who: 'other', requestId: null }, parts)).toEqual(first)
    expect(logged.filter(({ msg }) => msg === 'file erased')).toHaveLength(1)
  })

  it('that was refused, and so has no bytes, is the same', async () => {
    const { parts, records, stateOf } = await opened()
    const one = refusal()
    await records.settle(one)
    expect(await erase(one.attachment.id, by, parts)).toMatchObject({ key: 'destroyed', bytes: 'removed' })
    expect(await stateOf(one.attachment.id)).toBe('erased')
  })

  it('that is not there is not found', async () => {
    const { parts } = await opened()
    await expect(erase(newAttachmentId(), by, parts)).rejects.toThrow(NotFound)
  })

  it.each(['erase', 'truncateLog', 'bytesRemoved', 'remove'] as const)(
    'that is cut short at %s says so, and is finished by asking again',
    async (step) => {
      const { parts, records, storage, take } = await opened()
      const id = await take()
      if (step === 'remove') storage.failNext('remove')
      const broken = step === 'remove' ? parts : { ...parts, records: failing(records, step) }
      await expect(erase(id, by, broken)).rejects.toThrow(Unavailable)
      // Whatever was left undone, the key is the first to go.
      if (step !== 'erase') expect(await records.dataKey(id)).toBeNull()
      const receipt = await erase(id, by, broken)
      expect(receipt).toEqual(await erase(id, by, parts))
      expect(storage.keys()).toEqual([])
      expect(await records.storedInVain(10)).toEqual([])
      expect((await records.listAudit({ limit: 10 })).filter(({ what }) => what === 'erase')).toHaveLength(1)
    },
  )

  it.each(['truncateLog', 'bytesRemoved', 'remove'] as const)(
    'that is cut short at %s is finished by the sweep',
    async (step) => {
      const { parts, records, storage, take, runSweep } = await opened()
      const id = await take()
      if (step === 'remove') storage.failNext('remove')
      await expect(
        erase(id, by, step === 'remove' ? parts : { ...parts, records: failing(records, step) }),
      ).rejects.toThrow(Unavailable)
      await runSweep()
      expect(storage.keys()).toEqual([])
      expect(await records.storedInVain(10)).toEqual([])
    },
  )
})

describe('the sweep', () => {
  it('removes bytes without a record once they are a day old, and not before', async () => {
    const { storage, store, pass, runSweep } = await opened()
    await store()
    pass(day)
    expect(await runSweep()).toEqual({ orphans: 1, expired: 0 })
    expect(storage.keys()).toEqual([])

    const young = await store()
    pass(day - 1)
    expect(await runSweep()).toEqual({ orphans: 0, expired: 0 })
    expect(storage.keys()).toEqual([young])
    pass(1)
    expect(await runSweep()).toEqual({ orphans: 1, expired: 0 })
  })

  it('never removes bytes that a record claims, however old', async () => {
    const { storage, take, store, pass, runSweep, stateOf } = await opened()
    const id = await take()
    pass(5 * 365 * day)
    for (let i = 0; i < 30; i++) await store()
    pass(2 * day)
    expect(await runSweep()).toEqual({ orphans: 30, expired: 0 })
    expect(storage.keys()).toEqual([id])
    expect(await stateOf(id)).toBe('accepted')
  })

  it('asks the records just before it removes: what was claimed while it looked stays', async () => {
    const { parts, records, storage, store, pass } = await opened()
    const late = settlement({ receivedAt: epoch.toISOString() })
    await store(late.attachment.id)
    pass(2 * day)
    // A commit whose outcome was not known comes to light while the storage is listed.
    const listing = {
      ...storage,
      async *list() {
        for await (const object of storage.list()) {
          await records.settle(late)
          yield object
        }
      },
    }
    expect(await sweep({ retentionDays: null }, { ...parts, storage: listing })).toEqual({ orphans: 0, expired: 0 })
    expect(storage.keys()).toEqual([late.attachment.id])
  })

  it('removes nothing from a storage that belongs to another installation, and says so', async () => {
    const { parts, records, storage, store, pass } = await opened()
    await records.holdMasterKeys({
      holder: { process: null, ids: ['mk_1'], wrapsWith: null },
      newest: 'mk_1',
      made: true,
      by: { at: epoch, who: '(service)', requestId: null },
    })
    const theirs = await store()
    pass(2 * day)
    const foreign = { ...storage, isOwnedBy: async () => false }
    await expect(sweep({ retentionDays: null }, { ...parts, storage: foreign })).rejects.toThrow(Unavailable)
    expect(storage.keys()).toEqual([theirs])
  })

  it('goes through more objects than it asks for at once', async () => {
    const { storage, take, store, pass, runSweep } = await opened()
    const kept = [await take(), await take()]
    for (let i = 0; i < 1100; i++) await store()
    pass(2 * day)
    expect(await runSweep()).toEqual({ orphans: 1100, expired: 0 })
    expect(storage.keys().sort()).toEqual(kept.sort())
  })

  it('erases what is past its days, refused files too, and tells that it was the sweep', async () => {
    const { records, storage, take, pass, runSweep, stateOf } = await opened()
    const [old] = [await take()]
    const refused = refusal({ receivedAt: epoch.toISOString() })
    await records.settle(refused)
    pass(hour)
    const younger = await take()
    pass(30 * day - hour)
    expect(await runSweep(30)).toEqual({ orphans: 0, expired: 0 })
    pass(1)
    expect(await runSweep(30)).toEqual({ orphans: 0, expired: 2 })
    expect([await stateOf(old!), await stateOf(refused.attachment.id), await stateOf(younger)]).toEqual([
      'erased',
      'erased',
      'accepted',
    ])
    expect(storage.keys()).toEqual([younger])
    expect(
      (await records.listAudit({ limit: 10 })).filter(({ what }) => what === 'erase').map(({ who }) => who),
    ).toEqual(['sweep', 'sweep'])
    expect(await runSweep(30)).toEqual({ orphans: 0, expired: 0 })
  })

  it('keeps files for ever when no days are set', async () => {
    const { take, pass, runSweep, stateOf } = await opened()
    const id = await take()
    pass(20 * 365 * day)
    await runSweep(null)
    expect(await stateOf(id)).toBe('accepted')
  })

  it('forgets after seven days what senders called their deliveries, and nothing of the files', async () => {
    const { records, take, pass, runSweep, stateOf } = await opened()
    const delivery = { scope: 'key:shop', key: 'order-1', fingerprint: 'f' }
    await records.settle(settlement({}, { delivery }))
    const id = await take()
    pass(7 * day)
    await runSweep()
    expect(await records.earlierDelivery(delivery)).not.toBeNull()
    pass(1)
    await runSweep()
    expect(await records.earlierDelivery(delivery)).toBeNull()
    expect(await stateOf(id)).toBe('accepted')
  })

  it('is not held up by one file that it cannot end: it says so, and ends the others', async () => {
    const { parts, storage, take, store, pass, runSweep, stateOf, logged } = await opened()
    const [stuck, other] = [await take(), await take()]
    await store()
    pass(31 * day)
    const young = await take()
    const jammed = {
      ...storage,
      remove: async (key: string) => {
        if (key === stuck) throw new Unavailable('it is stuck')
        return storage.remove(key)
      },
    }
    const failure = await sweep({ retentionDays: 30 }, { ...parts, storage: jammed }).catch((error: unknown) => error)
    expect(failure).toBeInstanceOf(Unavailable)
    expect(storage.keys().sort()).toEqual([stuck, young].sort())
    expect([await stateOf(stuck), await stateOf(other)]).toEqual(['erased', 'erased'])
    expect(logged.findLast(({ msg }) => msg === 'swept')).toMatchObject({ orphans: 1, expired: 1 })
    await runSweep(30)
    expect(storage.keys()).toEqual([young])
  })

  it('ends early when it is told to, and goes on the next time', async () => {
    const { parts, storage, take, pass, runSweep } = await opened()
    for (let i = 0; i < 5; i++) await take()
    pass(31 * day)
    expect(await sweep({ retentionDays: 30, signal: AbortSignal.abort() }, parts)).toEqual({ orphans: 0, expired: 0 })
    expect(storage.keys()).toHaveLength(5)
    expect(await runSweep(30)).toEqual({ orphans: 0, expired: 5 })
  })
})
