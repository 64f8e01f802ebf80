import { describe, expect, it, onTestFinished } from 'vitest'
import { entry, epoch, erasure, later, refusal, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

const day = 86_400

/** What every adapter of the records must answer of how much came in on which day, and of what is stored. */
export function dayContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const days = async (from = -10, to = 10) =>
      (await records.filesByDay({ from: later(from * day), to: later(to * day) })).map(
        ({ day, door, state, files, bytes }) => [day, door, state, files, bytes],
      )
    const accept = async (seconds = 0, size = 1000) => {
      const one = settlement({ receivedAt: later(seconds).toISOString(), size })
      await records.settle(one)
      return one.attachment.id
    }
    return { records, days, accept }
  }

  describe(`records in ${name}: what came in on a day`, () => {
    it('is counted by door and state, day by day, in UTC', async () => {
      const { records, days, accept } = await opened()
      await accept(0)
      await accept(1, 234)
      await accept(-day)
      await records.settle(settlement({ door: 'pull', receivedAt: epoch.toISOString(), size: 5 }))
      await records.settle(refusal({ receivedAt: epoch.toISOString(), size: null }))
      expect(await days()).toEqual([
        ['2026-10-01', 'push', 'accepted', 1, 1000],
        ['2026-10-02', 'pull', 'accepted', 1, 5],
        ['2026-10-02', 'push', 'accepted', 2, 1234],
        ['2026-10-02', 'push', 'refused', 1, 0],
      ])
      expect(await days(0, 0)).toHaveLength(3)
      expect(await days(1, 2)).toEqual([])
      expect(await records.storedFiles()).toEqual({ files: 4, bytes: 2239 })
    })

    it('is counted by the state that it is in now, also when many change at once', async () => {
      const { records, days, accept } = await opened()
      const ids = await Promise.all(Array.from({ length: 20 }, () => accept()))
      const decision = {
        at: later(1),
        from: ['accepted' as const],
        become: 'recalled' as const,
        code: 'malware' as const,
        detail: null,
        verdicts: null,
        hold: { waitsFor: 'person' as const, until: later(day) },
        tell: false,
        alert: null,
        audit: entry({ what: 'recall' }),
      }
      await Promise.all(ids.slice(0, 5).map((id) => records.decide({ ...decision, id })))
      await Promise.all(ids.slice(15).map((id) => records.erase(erasure(id))))
      expect(await days()).toEqual([
        ['2026-10-02', 'push', 'accepted', 10, 10_000],
        ['2026-10-02', 'push', 'erased', 5, 5000],
        ['2026-10-02', 'push', 'recalled', 5, 5000],
      ])
      expect(await records.storedFiles()).toEqual({ files: 20, bytes: 20_000 })
      for (const id of ids.slice(15)) await records.bytesRemoved(id)
      expect(await records.storedFiles()).toEqual({ files: 15, bytes: 15_000 })
    })

    it('is not there for what was undone', async () => {
      const { records, days, accept } = await opened()
      const id = await accept()
      await expect(records.settle(settlement({ id }, { delivery: null }))).rejects.toThrow()
      expect(await days()).toEqual([['2026-10-02', 'push', 'accepted', 1, 1000]])
    })

    it('is nothing where nothing came', async () => {
      const { records, days } = await opened()
      expect([await days(), await records.storedFiles()]).toEqual([[], { files: 0, bytes: 0 }])
    })
  })

  describe(`records in ${name}: the outbox`, () => {
    it('is listed the oldest first, page by page, in every state or in one', async () => {
      const { records, accept } = await opened()
      const ids: string[] = []
      // Two of them at the same time.
      for (const seconds of [0, 1, 1, 2]) ids.push(await accept(seconds))
      const [first] = await records.leaseConfirmations({ lease: 'x', now: epoch, until: later(60), limit: 1 })
      const outcome = { kind: 'parked' as const, at: later(3), uncertain: false, reason: 'no' }
      await records.settleConfirmation({ attachmentId: first!.attachmentId, lease: 'x', outcome })
      const all = await records.listOutbox({ state: null, limit: 10 })
      expect(all.map(({ state }) => state)).toEqual(['parked', 'pending', 'pending', 'pending'])
      expect(new Set(all.map(({ attachmentId }) => attachmentId))).toEqual(new Set(ids))
      const paged: typeof all = []
      for (let after: (typeof all)[number] | null = null; ; ) {
        const page: typeof all = await records.listOutbox({ state: null, limit: 1, after })
        if (page.length === 0) break
        paged.push(...page)
        after = page[0]!
      }
      expect(paged).toEqual(all)
      expect(await records.listOutbox({ state: 'pending', limit: 10, after: all[1]! })).toEqual(all.slice(2))
    })
  })
}
