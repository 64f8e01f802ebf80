import { describe, expect, it, onTestFinished } from 'vitest'
import type { AttachmentId } from '../../src/attachment.ts'
import type { Learned, LeasedFetch } from '../../src/records/questions/fetches.ts'
import type { Ask, LeasedLookup, LookedUp } from '../../src/records/questions/lookups.ts'
import { entry, epoch, erasure, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

/** What every adapter of the records must answer of what is pulled. */
export function pullContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const ask = (asked: Partial<Ask> = {}, at = epoch, backfill: string | null = null) =>
      records.askLookups({ asks: [{ conversationId: 'c1', messageId: null, language: null, ...asked }], at, backfill })
    const leaseLookups = (now = epoch, { lease = 'l1', limit = 10, backfills = false } = {}) =>
      records.leaseLookups({ lease, now, until: new Date(now.getTime() + 60_000), limit, backfills })
    const leaseFetches = (now = epoch, { lease = 'f1', limit = 10, busy = [] as string[] } = {}) =>
      records.leaseFetches({ lease, now, until: new Date(now.getTime() + 60_000), limit, busy })
    /** Learns of attachments as a look-up does. */
    const learn = async (
      learned: Learned[],
      { conversationId = 'c1', at = epoch, backfill = null as string | null } = {},
    ) => {
      await ask({ conversationId }, at, backfill)
      const [leased] = await leaseLookups(at, { lease: 'learning', backfills: backfill !== null })
      return records.settleLookup({ leased: leased!, outcome: { kind: 'done', learned, scan: 'required' }, at })
    }
    /** The file of a fetch is judged and kept. */
    const judged = ({ attachmentId, lease, conversationId, messageId, filename, learnedAt }: LeasedFetch) =>
      settlement(
        {
          door: 'pull',
          conversationId,
          messageId,
          filename,
          receivedAt: learnedAt.toISOString(),
          agentMayHaveSeen: true,
        },
        { fetch: { attachmentId, lease }, delivery: null },
      )
    return { records, ask, leaseLookups, leaseFetches, learn, judged }
  }

  describe(`records in ${name}: a look-up`, () => {
    it('is taken once, and again when its lease has run out', async () => {
      const { ask, leaseLookups } = await opened()
      await ask({ messageId: 'm1', language: 'de' })
      const [taken] = await leaseLookups()
      expect(taken).toEqual({
        conversationId: 'c1',
        messageId: 'm1',
        language: 'de',
        backfill: null,
        attempts: 0,
        asks: 1,
        lease: 'l1',
      })
      expect(await leaseLookups(later(59), { lease: 'l2' })).toEqual([])
      expect(await leaseLookups(later(60), { lease: 'l2' })).toMatchObject([{ attempts: 1, lease: 'l2' }])
    })

    it('that many ask for at once is one, and the last language that was named counts', async () => {
      const { ask, leaseLookups } = await opened()
      await Promise.all([ask({ language: 'fr' }), ask(), ask()])
      expect(await leaseLookups()).toMatchObject([{ language: 'fr', asks: 3 }])
    })

    it('that is asked for again while it runs is made again', async () => {
      const { records, ask, leaseLookups } = await opened()
      await ask()
      const [leased] = await leaseLookups()
      await ask({}, later(1))
      const outcome: LookedUp = { kind: 'done', learned: [], scan: 'off' }
      expect(await records.settleLookup({ leased: leased!, outcome, at: later(2) })).toBe(0)
      expect(await leaseLookups(later(2))).toHaveLength(1)
    })

    it('that was done is made again when it is asked for again', async () => {
      const { learn, leaseLookups, ask } = await opened()
      await learn([])
      expect(await leaseLookups(later(5))).toEqual([])
      await ask({}, later(5))
      expect(await leaseLookups(later(5))).toMatchObject([{ attempts: 0 }])
    })

    it.each<[string, LookedUp, string]>([
      ['that failed waits', { kind: 'retry', nextAt: later(30), reason: 'busy' }, 'pending'],
      ['that names nothing is missing', { kind: 'missing', reason: '404' }, 'missing'],
      ['that was given up is parked', { kind: 'parked', reason: '404' }, 'parked'],
      ['that is done is done', { kind: 'done', learned: [], scan: 'off' }, 'done'],
    ])('%s', async (_, outcome, state) => {
      const { records, ask, leaseLookups } = await opened()
      await ask({ messageId: 'm1' })
      const [leased] = await leaseLookups()
      await records.settleLookup({ leased: leased!, outcome, at: later(1) })
      const asked = { conversationId: 'c1', messageId: 'm1' }
      expect(await records.lookupState(asked)).toMatchObject({ state })
      expect(await records.lookupState({ ...asked, messageId: null })).toBeNull()
      expect(await leaseLookups(later(29))).toEqual([])
      expect(await leaseLookups(later(31))).toHaveLength(state === 'pending' ? 1 : 0)
    })

    it('whose lease somebody else holds changes nothing', async () => {
      const { records, ask, leaseLookups } = await opened()
      await ask()
      const [slow] = await leaseLookups()
      const [quick] = await leaseLookups(later(60), { lease: 'l2' })
      const learned = [file('m1', 'a1')]
      const outcome: LookedUp = { kind: 'done', learned, scan: 'off' }
      expect(await records.settleLookup({ leased: slow!, outcome, at: later(61) })).toBeNull()
      expect(await records.knownMessages('c1')).toEqual([])
      expect(await records.settleLookup({ leased: quick!, outcome, at: later(61) })).toBe(1)
      expect(await records.knownMessages('c1')).toEqual(['m1'])
    })

    it('of a backfill stands aside, becomes urgent when somebody asks, and is not made twice', async () => {
      const { records, ask, leaseLookups } = await opened()
      for (const conversationId of ['c1', 'c2', 'c3']) await ask({ conversationId }, epoch, 'run')
      expect(await leaseLookups()).toEqual([])
      await ask({ conversationId: 'c2' }, later(1))
      expect(await leaseLookups(later(1))).toMatchObject([{ conversationId: 'c2' }])
      const old = await leaseLookups(later(1), { backfills: true })
      expect(old.map(({ conversationId }) => conversationId).sort()).toEqual(['c1', 'c3'])
      const done = (leased: LeasedLookup): LookedUp =>
        leased.conversationId === 'c1' ? { kind: 'done', learned: [], scan: 'off' } : { kind: 'missing', reason: '404' }
      for (const leased of old) await records.settleLookup({ leased, outcome: done(leased), at: later(2) })
      expect((await records.backfillState('run')).conversations).toEqual({ pending: 0, done: 1, missing: 1, parked: 0 })
      // The same file again: what is done is done, what failed is tried again.
      for (const conversationId of ['c1', 'c2', 'c3']) await ask({ conversationId }, later(3), 'run')
      expect((await records.backfillState('run')).conversations).toEqual({ pending: 1, done: 1, missing: 0, parked: 0 })
    })

    it('is forgotten when it was done long ago, but not while it waits', async () => {
      const { records, ask, learn } = await opened()
      await learn([])
      await ask({ conversationId: 'waits' })
      await records.forgetLookups({ before: later(1) })
      expect(await records.lookupState({ conversationId: 'c1', messageId: null })).toBeNull()
      expect(await records.lookupState({ conversationId: 'waits', messageId: null })).not.toBeNull()
    })

    it('tells which conversations were spoken of lately, the last first', async () => {
      const { records, ask } = await opened()
      await ask({ conversationId: 'old' })
      await ask({ conversationId: 'a' }, later(10))
      await ask({ conversationId: 'b', messageId: 'm' }, later(20))
      await ask({ conversationId: 'backfilled' }, later(20), 'run')
      expect(await records.conversationsSince({ since: later(5), limit: 10 })).toEqual(['b', 'a'])
      expect(await records.conversationsSince({ since: later(5), limit: 1 })).toEqual(['b'])
    })
  })

  describe(`records in ${name}: an event`, () => {
    it('is taken once, also when it comes again much later', async () => {
      const { records, leaseLookups } = await opened()
      const one = { id: 'e1', asks: [{ conversationId: 'c1', messageId: null, language: null }] }
      const two = { id: 'e2', asks: [] }
      expect(await records.takeEvents({ events: [one, one, two], at: epoch })).toBe(2)
      expect(await records.takeEvents({ events: [two, one], at: later(3600) })).toBe(0)
      expect(await leaseLookups(later(3600))).toMatchObject([{ conversationId: 'c1', asks: 1 }])
    })

    it('is forgotten in the end', async () => {
      const { records } = await opened()
      await records.takeEvents({ events: [{ id: 'e1', asks: [] }], at: epoch })
      await records.forgetLookups({ before: later(1) })
      expect(await records.takeEvents({ events: [{ id: 'e1', asks: [] }], at: later(2) })).toBe(1)
    })
  })

  describe(`records in ${name}: an attachment that is to be fetched`, () => {
    it('is one, however often it is learned of', async () => {
      const { learn, records } = await opened()
      expect(await learn([file('m1', 'a1'), file('m1', 'a1'), file('m2', 'a1')])).toBe(2)
      expect(await learn([file('m1', 'a1')], { at: later(1) })).toBe(0)
      expect(await learn([file('m1', 'a1')], { conversationId: 'c2', at: later(2) })).toBe(1)
      expect(await records.pullState()).toMatchObject({ fetching: 3, unfetched: 0, nextDueAt: epoch })
    })

    it('is shown as what it is, and found by its name', async () => {
      const { learn, records } = await opened()
      await learn([file('m1', 'a1', 'Pässe Müller.pdf')])
      const [found] = await records.listAttachments({ limit: 10, q: 'müll' })
      expect(found).toEqual({
        id: found!.id,
        state: 'fetching',
        code: null,
        detail: null,
        door: 'pull',
        conversationId: 'c1',
        messageId: 'm1',
        filename: 'Pässe Müller.pdf',
        type: null,
        declaredType: 'application/pdf',
        size: null,
        sha256: null,
        scan: 'required',
        verdicts: [],
        confirmation: null,
        receivedAt: epoch.toISOString(),
        agentMayHaveSeen: true,
      })
      expect(await records.attachment(found!.id)).toEqual(found)
      expect(await records.pulledOf({ conversationId: 'c1', messageId: null, limit: 10 })).toEqual([found])
      expect(await records.pulledOf({ conversationId: 'c1', messageId: 'm2', limit: 10 })).toEqual([])
    })

    it('is listed among the others, in pages and by every filter', async () => {
      const { learn, records } = await opened()
      for (let i = 0; i < 6; i++)
        if (i % 2) await learn([file(`m${i}`, 'a')], { conversationId: `c${i}`, at: later(i) })
        else await records.settle(settlement({ conversationId: `c${i}`, receivedAt: later(i).toISOString() }))
      const all: string[] = []
      for (let after: { receivedAt: number; id: string } | undefined; ; ) {
        const page = await records.listAttachments({ limit: 2, after })
        all.push(...page.map(({ conversationId }) => conversationId!))
        const last = page.at(-1)
        if (!last) break
        after = { receivedAt: Date.parse(last.receivedAt), id: last.id }
      }
      expect(all).toEqual(['c5', 'c4', 'c3', 'c2', 'c1', 'c0'])
      const count = async (query: object) => (await records.listAttachments({ limit: 10, ...query })).length
      expect(await count({ state: 'fetching' })).toBe(3)
      expect(await count({ state: 'accepted' })).toBe(3)
      expect(await count({ door: 'pull' })).toBe(3)
      expect(await count({ door: 'push' })).toBe(3)
      expect(await count({ type: 'image/jpeg' })).toBe(3)
      expect(await count({ conversationId: 'c3' })).toBe(1)
      expect(await count({ from: later(3) })).toBe(3)
      expect(await count({ to: later(3) })).toBe(3)
    })

    it('is taken once, those of a backfill last, and not what is busy', async () => {
      const { learn, leaseFetches } = await opened()
      await learn([file('m1', 'a1')], { conversationId: 'old', backfill: 'run' })
      await learn([file('m2', 'a2')], { conversationId: 'new', at: later(1) })
      const [first] = await leaseFetches(later(2), { limit: 1 })
      expect(first).toMatchObject({ conversationId: 'new', messageId: 'm2', sourceId: 'a2', attempts: 0, lease: 'f1' })
      expect(await leaseFetches(later(2))).toMatchObject([{ conversationId: 'old' }])
      expect(await leaseFetches(later(2))).toEqual([])
      expect(await leaseFetches(later(70), { busy: [first!.attachmentId] })).toMatchObject([
        { conversationId: 'old', attempts: 1 },
      ])
    })

    it('becomes an attachment, to which its first id leads', async () => {
      const { learn, leaseFetches, records, judged } = await opened()
      await learn([file('m1', 'a1', 'letter.pdf')])
      const [leased] = await leaseFetches()
      const one = judged(leased!)
      expect(await records.settle(one)).toEqual({ kind: 'settled' })
      expect(await records.listAttachments({ limit: 10 })).toEqual([one.attachment])
      expect(await records.listAttachments({ limit: 10, q: 'letter' })).toEqual([one.attachment])
      expect(await records.attachment(leased!.attachmentId)).toEqual(one.attachment)
      expect(await records.pulledOf({ conversationId: 'c1', messageId: 'm1', limit: 10 })).toEqual([one.attachment])
      expect(await records.pullState()).toMatchObject({ fetching: 0, nextDueAt: null })
      expect(await learn([file('m1', 'a1')], { at: later(9) })).toBe(0)
    })

    it('is settled by one of two that fetch it', async () => {
      const { learn, leaseFetches, records, judged } = await opened()
      await learn([file('m1', 'a1')])
      const [slow] = await leaseFetches()
      const [quick] = await leaseFetches(later(60), { lease: 'f2' })
      expect(await records.settle(judged(slow!))).toEqual({ kind: 'not_held' })
      expect(await records.settle(judged(quick!))).toEqual({ kind: 'settled' })
      expect(await records.settle(judged(quick!))).toEqual({ kind: 'not_held' })
      expect(await records.listAttachments({ limit: 10 })).toHaveLength(1)
      expect((await records.listAudit({ limit: 10 })).filter(({ what }) => what === 'take')).toHaveLength(1)
    })

    it('may turn out to be one that came through another door', async () => {
      const { learn, leaseFetches, records } = await opened()
      const pushed = settlement({ conversationId: 'c1', messageId: 'm1' })
      await records.settle(pushed)
      await learn([file('m1', 'a1', 'other.pdf')], { at: later(1) })
      const [leased] = await leaseFetches(later(1))
      const outcome = { kind: 'became' as const, attachmentId: pushed.attachment.id }
      expect(await records.settleFetch({ fetch: leased!, outcome, at: later(2) })).toBe(true)
      expect(await records.listAttachments({ limit: 10 })).toEqual([pushed.attachment])
      expect(await records.listAttachments({ limit: 10, q: 'other' })).toEqual([])
      expect(await records.pulledOf({ conversationId: 'c1', messageId: null, limit: 10 })).toEqual([pushed.attachment])
    })

    it('waits when it failed, is given up with its reason, and is due again when somebody says so', async () => {
      const { learn, leaseFetches, records } = await opened()
      await learn([file('m1', 'a1'), file('m2', 'a2')])
      const [one, two] = await leaseFetches()
      const retry = { kind: 'retry' as const, nextAt: later(30), reason: 'busy' }
      expect(await records.settleFetch({ fetch: one!, outcome: retry, at: later(1) })).toBe(true)
      const gone = { kind: 'unfetched' as const, reason: 'gone', alert: null }
      expect(await records.settleFetch({ fetch: two!, outcome: gone, at: later(1) })).toBe(true)
      expect(await records.settleFetch({ fetch: two!, outcome: retry, at: later(1) })).toBe(false)
      expect(await leaseFetches(later(29))).toEqual([])
      expect(await records.attachment(one!.attachmentId)).toMatchObject({ state: 'fetching', detail: 'busy' })
      expect(await records.attachment(two!.attachmentId)).toMatchObject({ state: 'unfetched', detail: 'gone' })
      expect(await records.pullState()).toMatchObject({ fetching: 1, unfetched: 1, nextDueAt: later(30) })
      const audit = entry({ what: 'pull_retry', at: later(2) })
      const again = (attachmentId: string | null) => records.retryFetches({ attachmentId, at: later(2), audit })
      expect(await again(one!.attachmentId)).toBe(0)
      expect(await again(two!.attachmentId)).toBe(1)
      expect(await leaseFetches(later(2))).toMatchObject([{ attachmentId: two!.attachmentId, attempts: 0 }])
      expect((await records.listAudit({ limit: 20 })).at(-1)).toMatchObject({
        what: 'pull_retry',
        outcome: '1 due again',
      })
    })

    it('is due at once after a start, as what was looked at', async () => {
      const { learn, ask, leaseFetches, leaseLookups, records } = await opened()
      await learn([file('m1', 'a1')])
      await ask({ conversationId: 'c9' })
      await leaseFetches()
      await leaseLookups()
      await records.releasePulls(later(1))
      expect(await leaseFetches(later(1))).toMatchObject([{ attempts: 1 }])
      expect(await leaseLookups(later(1))).toMatchObject([{ conversationId: 'c9', attempts: 1 }])
    })

    it('is counted with its backfill, by what became of it', async () => {
      const { learn, leaseFetches, records, judged } = await opened()
      const files = [file('m1', 'a'), file('m2', 'a'), file('m3', 'a'), file('m4', 'a')]
      await learn(files, { backfill: 'run' })
      const leased = await leaseFetches()
      await records.settle(judged(leased[0]!))
      await records.settle(
        settlement(
          { state: 'refused', code: 'malware' },
          { key: null, fetch: { attachmentId: leased[1]!.attachmentId, lease: 'f1' } },
        ),
      )
      await records.settleFetch({
        fetch: leased[2]!,
        outcome: { kind: 'unfetched', reason: 'gone', alert: null },
        at: later(1),
      })
      expect((await records.backfillState('run')).attachments).toEqual({
        fetching: 1,
        unfetched: 1,
        accepted: 1,
        refused: 1,
        other: 0,
      })
      expect((await records.backfillState('other')).attachments.fetching).toBe(0)
    })
  })

  describe(`records in ${name}: erasing what is not here`, () => {
    it.each(['fetching', 'unfetched'] as const)(
      '(%s) leaves a record without a name, and it is never fetched',
      async (state) => {
        const { learn, leaseFetches, records, judged } = await opened()
        await learn([file('m1', 'a1', 'Geheim.pdf')])
        const [leased] = await leaseFetches()
        if (state === 'unfetched')
          await records.settleFetch({
            fetch: leased!,
            outcome: { kind: 'unfetched', reason: 'gone', alert: null },
            at: later(1),
          })
        const id = leased!.attachmentId
        expect(await records.idsOfConversation('c1')).toEqual([id])
        expect(await records.receivedBefore({ before: later(1), limit: 10 })).toEqual([id])
        expect(await records.erase(erasure(id))).toMatchObject({ id, now: true, stored: false })
        expect(await records.erase(erasure(id))).toMatchObject({ id, now: false })
        expect(await records.attachment(id)).toMatchObject({ state: 'erased', filename: null, detail: null })
        expect(await records.listAttachments({ limit: 10, q: 'geheim' })).toEqual([])
        expect(await records.idsOfConversation('c1')).toEqual([])
        expect(await records.receivedBefore({ before: later(1), limit: 10 })).toEqual([])
        expect(await records.settle(judged(leased!))).toEqual({ kind: 'not_held' })
        expect(await learn([file('m1', 'a1')], { at: later(9) })).toBe(0)
        expect(await leaseFetches(later(9999))).toEqual([])
      },
    )

    it('by the id that it had before it was here erases what it became', async () => {
      const { learn, leaseFetches, records, judged } = await opened()
      await learn([file('m1', 'a1')])
      const [leased] = await leaseFetches()
      const one = judged(leased!)
      await records.settle(one)
      expect(await records.erase(erasure(leased!.attachmentId as AttachmentId))).toMatchObject({
        id: one.attachment.id,
      })
      expect(await records.attachment(one.attachment.id)).toMatchObject({ state: 'erased' })
      expect(await records.dataKey(one.attachment.id)).toBeNull()
    })
  })
}

function file(messageId: string, sourceId: string, filename = 'scan.pdf'): Learned {
  return { messageId, sourceId, filename, declaredType: 'application/pdf', sentBy: null }
}
