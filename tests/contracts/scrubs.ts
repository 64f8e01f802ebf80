import { describe, expect, it, onTestFinished } from 'vitest'
import { entry, erasure, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

const day = 86_400
const withinMs = 4 * day * 1000

/** What every adapter of the records must answer of the files that are stored, and of the walk that proves them. */
export function scrubContract(name: string, open: () => Promise<OpenedRecords>): void {
  /** Four files, a second apart, of which one is erased: three are left, the newest first. */
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const ids: Parameters<typeof erasure>[0][] = []
    for (let i = 0; i < 4; i++) {
      const one = settlement({ receivedAt: later(i).toISOString() })
      await records.settle(one)
      ids.unshift(one.attachment.id)
    }
    await records.erase(erasure(ids[1]!))
    return { records, stored: ids.filter((_, i) => i !== 1) }
  }

  describe(`${name}, what is stored`, () => {
    it('is told page by page, the newest first, without what is erased', async () => {
      const { records, stored } = await opened()
      const whole = await records.storedPage({ after: null, limit: 10 })
      expect(whole.map(({ id }) => id)).toEqual(stored)
      expect(await records.storedCount()).toBe(3)
      const first = await records.storedPage({ after: null, limit: 1 })
      const rest = await records.storedPage({ after: first[0]!, limit: 10 })
      expect([...first, ...rest]).toEqual(whole)
    })
  })

  describe(`${name}, the walk that proves files`, () => {
    it('gives what is due, to one at a time, goes on where it was, and ends', async () => {
      const { records } = await opened()
      const total = await records.storedCount()
      const lease = (who: string, seconds: number) =>
        records.leaseScrub({ lease: who, now: later(seconds), until: later(seconds + 3600), withinMs, limit: 10 })
      expect(await lease('a', 10)).toEqual([])
      await records.beginScrub({ total, now: later(10), before: later(-day) })
      await records.beginScrub({ total: 99, now: later(11), before: later(20) })
      expect(await records.scrubState()).toEqual({ beganAt: later(10), endedAt: null, total, done: 0 })
      const [first] = await lease('a', 10)
      expect(await lease('b', 20)).toEqual([])
      await records.settleScrub({ lease: 'b', reached: first!, found: null })
      const found = entry({ what: 'scrub_find', object: first!.id, outcome: 'missing' })
      await records.settleScrub({ lease: 'a', reached: first!, found })
      expect((await records.scrubState())?.done).toBe(1)
      expect(await records.findAudit({ what: 'scrub_find', limit: 10 })).toHaveLength(1)
      await records.releaseScrub()
      const rest = await lease('b', 5 * day)
      expect(rest.map(({ id }) => id)).not.toContain(first!.id)
      for (const file of rest) await records.settleScrub({ lease: 'b', reached: file, found: null })
      expect(await lease('b', 6 * day)).toEqual([])
      expect(await records.scrubState()).toMatchObject({ endedAt: later(6 * day), done: total })
      await records.beginScrub({ total, now: later(7 * day), before: later(8 * day) })
      expect(await records.scrubState()).toMatchObject({ endedAt: null, done: 0 })
    })
  })
}
