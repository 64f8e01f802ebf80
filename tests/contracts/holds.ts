import { describe, expect, it, onTestFinished } from 'vitest'
import type { AttachmentId } from '../../src/attachment.ts'
import type { Decision, Hold } from '../../src/records/questions/quarantine.ts'
import { entry, epoch, erasure, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

const day = 86_400

/** What every adapter of the records must answer of what becomes of attachments after they were settled. */
export function holdContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const accept = async (seconds = 0) => {
      const one = settlement({ receivedAt: later(seconds).toISOString() })
      await records.settle(one)
      return one.attachment.id
    }
    const holdOne = async ({ waitsFor = 'person', until = later(30 * day) }: Partial<Hold> = {}, seconds = 0) => {
      const one = settlement(
        { state: 'quarantined', code: 'malware', detail: 'clamd: Eicar', receivedAt: later(seconds).toISOString() },
        { hold: { waitsFor, until } },
      )
      await records.settle(one)
      return one.attachment.id
    }
    const decision = (id: AttachmentId, changed: Partial<Decision> = {}): Decision => ({
      id,
      at: later(60),
      from: ['quarantined'],
      become: 'accepted',
      code: null,
      detail: 'released',
      verdicts: null,
      hold: null,
      tell: true,
      alert: null,
      audit: entry({ at: later(60), what: 'release', object: id }),
      ...changed,
    })
    const held = (waitsFor: Hold['waitsFor'] | null = null, limit = 10) =>
      records.listHeld({ waitsFor, limit, after: null })
    const leaseOutbox = async (now = later(61)) =>
      records.leaseConfirmations({ lease: 'courier', now, until: later(600), limit: 10 })
    const deliver = async () => {
      for (const { attachmentId, lease } of await leaseOutbox(later(1)))
        await records.settleConfirmation({
          attachmentId,
          lease,
          outcome: { kind: 'delivered', way: 'message', at: later(2), possiblyRepeated: false },
        })
    }
    return { records, accept, holdOne, decision, held, leaseOutbox, deliver }
  }

  describe(`records in ${name}: what is held`, () => {
    it('is listed, the longest first, page by page, by whom it waits for', async () => {
      const { records, holdOne, held } = await opened()
      const ids: string[] = []
      for (let i = 0; i < 5; i++) ids.push(await holdOne({ waitsFor: i % 2 ? 'engine' : 'person' }, i))
      expect((await held()).map(({ attachment }) => attachment.id)).toEqual(ids)
      expect((await held('engine')).map(({ attachment }) => attachment.id)).toEqual([ids[1], ids[3]])
      const [first, second] = await held(null, 2)
      const after = { since: second!.since, id: second!.attachment.id }
      expect(
        (await records.listHeld({ waitsFor: null, limit: 10, after })).map(({ attachment }) => attachment.id),
      ).toEqual(ids.slice(2))
      expect(first).toMatchObject({ waitsFor: 'person', since: epoch, until: later(30 * day), asked: null })
      expect(await records.heldState()).toEqual({ person: 3, engine: 2 })
      expect(await records.heldOne(ids[3] as AttachmentId)).toMatchObject({ waitsFor: 'engine' })
    })

    it('becomes something else once: the second decision finds it changed and does nothing', async () => {
      const { records, holdOne, decision, held } = await opened()
      const id = await holdOne()
      expect(await records.decide(decision(id))).toMatchObject({
        id,
        state: 'accepted',
        code: null,
        detail: 'released',
      })
      expect(await records.decide(decision(id, { become: 'refused', code: 'malware' }))).toBeNull()
      expect(await records.dataKey(id)).not.toBeNull()
      expect([await held(), await records.heldOne(id)]).toEqual([[], null])
      expect((await records.listAudit({ limit: 10 })).filter(({ what }) => what === 'release')).toHaveLength(1)
    })

    it('loses its key when it is refused, and its bytes are stored in vain until they are removed', async () => {
      const { records, holdOne, decision, held } = await opened()
      const id = await holdOne()
      await records.decide(decision(id, { become: 'refused', code: 'malware' }))
      expect(await records.dataKey(id)).toBeNull()
      expect([await held(), await records.storedInVain(10)]).toEqual([[], [id]])
      await records.bytesRemoved(id)
      expect(await records.storedInVain(10)).toEqual([])
    })

    it('is not held any more once it is erased', async () => {
      const { records, holdOne, decision, held } = await opened()
      const id = await holdOne()
      await records.erase(erasure(id))
      expect(await held()).toEqual([])
      expect(await records.decide(decision(id))).toBeNull()
    })

    it('is over its time from the moment that was named', async () => {
      const { records, holdOne } = await opened()
      const id = await holdOne({ until: later(10) })
      expect(await records.heldTooLong({ now: later(9), limit: 10 })).toEqual([])
      expect(await records.heldTooLong({ now: later(10), limit: 10 })).toEqual([id])
    })

    it('is asked for by one, and agreed on by another', async () => {
      const { records, holdOne, held } = await opened()
      const id = await holdOne()
      const ask = (by: string) =>
        records.askRelease({ id, by, at: later(5), audit: entry({ what: 'release_ask', object: id }) })
      expect([await ask('anna'), await ask('anna'), await ask('ben')]).toEqual(['asked', 'asked', 'agreed'])
      expect((await held())[0]?.asked).toEqual({ by: 'anna', at: later(5) })
      const engines = await holdOne({ waitsFor: 'engine' })
      expect(await records.askRelease({ id: engines, by: 'anna', at: epoch, audit: entry() })).toBeNull()
    })

    it('is taken by one who asks engines again, and by nobody else until its time', async () => {
      const { records, holdOne } = await opened()
      await holdOne()
      const id = await holdOne({ waitsFor: 'engine' })
      const lease = (seconds: number) =>
        records.leaseHeld({ now: later(seconds), until: later(seconds + 60), limit: 5 })
      expect([await lease(1), await lease(2), await lease(61)]).toEqual([[id], [], [id]])
    })
  })

  describe(`records in ${name}: word of what became of an attachment`, () => {
    it('is owed again after the first was delivered, as another round', async () => {
      const { records, holdOne, decision, leaseOutbox, deliver } = await opened()
      const id = await holdOne()
      await deliver()
      await records.decide(decision(id))
      expect((await records.attachment(id))?.confirmation).toEqual({ state: 'pending', way: null, at: null })
      expect(await leaseOutbox()).toMatchObject([{ attachmentId: id, round: 1, attempts: 0, uncertain: false }])
    })

    it('is what was owed anyway when that was not begun yet', async () => {
      const { records, holdOne, decision, leaseOutbox } = await opened()
      const id = await holdOne()
      await records.decide(decision(id))
      expect(await leaseOutbox()).toMatchObject([{ attachmentId: id, round: 0 }])
    })

    it('is owed once more when the first is just being delivered: what it says may be over', async () => {
      const { records, holdOne, decision, leaseOutbox } = await opened()
      const id = await holdOne()
      const [running] = await leaseOutbox(later(1))
      await records.decide(decision(id))
      const outcome = { kind: 'delivered' as const, way: 'message' as const, at: later(62), possiblyRepeated: false }
      expect(await records.settleConfirmation({ attachmentId: id, lease: running!.lease, outcome })).toBe(false)
      expect(await leaseOutbox()).toMatchObject([{ attachmentId: id, round: 1 }])
    })

    it('is owed to nobody where nothing ever was, or nothing is to be said', async () => {
      const { records, holdOne, decision, leaseOutbox, deliver } = await opened()
      const quiet = settlement(
        { state: 'quarantined' },
        { confirmation: null, hold: { waitsFor: 'person', until: later(1) } },
      )
      await records.settle(quiet)
      await records.decide(decision(quiet.attachment.id))
      const id = await holdOne()
      await deliver()
      await records.decide(decision(id, { tell: false }))
      expect(await leaseOutbox()).toEqual([])
    })
  })

  describe(`records in ${name}: verdicts`, () => {
    const clean = { engine: 'clamd', verdict: 'clean' as const, signatures: '27400', at: later(5).toISOString() }

    it('are known by any of the digests, not when they are too old, and the newest of an engine alone', async () => {
      const { records } = await opened()
      const newer = {
        ...clean,
        verdict: 'infected' as const,
        detail: 'Eicar',
        signatures: '27401',
        at: later(9).toISOString(),
      }
      await records.settle(settlement({}, { verdicts: { digest: 'd1', verdicts: [clean] } }))
      expect(await records.knownVerdicts({ digests: ['d0', 'd1'], since: later(5) })).toEqual([clean])
      expect(await records.knownVerdicts({ digests: ['d1'], since: later(6) })).toEqual([])
      await records.settle(settlement({}, { verdicts: { digest: 'd1', verdicts: [newer] } }))
      expect(await records.knownVerdicts({ digests: ['d1'], since: epoch })).toEqual([newer])
      await records.forgetVerdicts({ before: later(9) })
      expect(await records.knownVerdicts({ digests: ['d1'], since: epoch })).toEqual([newer])
      await records.forgetVerdicts({ before: later(10) })
      expect(await records.knownVerdicts({ digests: ['d1'], since: epoch })).toEqual([])
    })

    it('go with the attachment that brought them', async () => {
      const { records } = await opened()
      const one = settlement({}, { verdicts: { digest: 'd1', verdicts: [clean] } })
      await records.settle(one)
      await records.erase(erasure(one.attachment.id))
      expect(await records.knownVerdicts({ digests: ['d1'], since: epoch })).toEqual([])
    })
  })

  describe(`records in ${name}: the walk after new signatures`, () => {
    async function walking() {
      const parts = await opened()
      const lease = (signatures: string, seconds: number, { by = 'w1', limit = 2, oldest = later(-day) } = {}) =>
        parts.records.leaseRescan({
          lease: by,
          signatures,
          now: later(seconds),
          until: later(seconds + 60),
          oldest,
          limit,
        })
      const settle = (reached: { id: AttachmentId; receivedAt: Date }, by = 'w1') =>
        parts.records.settleRescan({ lease: by, reached, verdicts: null })
      return { ...parts, lease, settle }
    }

    it('goes from the newest to the oldest, and begins again only by other signatures', async () => {
      const { accept, lease, settle, records } = await walking()
      const ids: string[] = []
      for (let i = 0; i < 3; i++) ids.unshift(await accept(i))
      const seen: string[] = []
      for (let due = await lease('a', 10); due.length > 0; due = await lease('a', 11))
        for (const one of due) {
          seen.push(one.id)
          await settle(one)
        }
      expect(seen).toEqual(ids)
      expect(await records.rescanState()).toEqual({ signatures: 'a', beganAt: later(10), endedAt: later(11) })
      expect(await lease('a', 20)).toEqual([])
      expect((await lease('b', 30)).map(({ id }) => id)).toEqual(ids.slice(0, 2))
    })

    it('ends what it began though signatures change meanwhile, and leaves out what came in since', async () => {
      const { accept, lease, settle } = await walking()
      const [old, older] = [await accept(1), await accept(0)]
      const [first] = await lease('a', 10, { limit: 1 })
      await settle(first!)
      const young = await accept(20)
      expect((await lease('b', 30)).map(({ id }) => id)).toEqual([older])
      await settle({ id: older, receivedAt: epoch })
      expect(await lease('b', 31)).toEqual([])
      expect((await lease('b', 32, { limit: 5 })).map(({ id }) => id)).toEqual([young, old, older])
    })

    it('is one walk: nobody else takes it while its lease runs', async () => {
      const { accept, lease, settle, records } = await walking()
      const id = await accept()
      const [due] = await lease('a', 10)
      expect(await lease('a', 20, { by: 'w2' })).toEqual([])
      await settle(due!, 'w2')
      expect((await lease('a', 75, { by: 'w2' })).map((one) => one.id)).toEqual([id])
      await records.releaseRescan()
      expect((await lease('a', 76, { by: 'w3' })).map((one) => one.id)).toEqual([id])
    })

    it('leaves out what is not accepted, is too old, or was let through by a person; and keeps what engines say now', async () => {
      const { accept, holdOne, decision, lease, records } = await walking()
      await holdOne()
      const released = await holdOne()
      await records.decide(decision(released))
      await accept(-2 * day)
      const id = await accept()
      const due = await lease('a', 10, { limit: 9 })
      expect(due.map((one) => one.id)).toEqual([id])
      const verdicts = [{ engine: 'clamd', verdict: 'clean' as const, signatures: 'a', at: later(10).toISOString() }]
      await records.settleRescan({ lease: 'w1', reached: due[0]!, verdicts })
      expect((await records.attachment(id))?.verdicts).toEqual(verdicts)
    })
  })
}
