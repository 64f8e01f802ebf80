import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { KeyHolder } from '../../src/records/questions/rotation.ts'
import type { Settlement } from '../../src/records/questions/settle.ts'
import { entry, epoch, erasure, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

/** What every adapter of the records must answer of master keys: which is current, what is under which, what is needed. */
export function keyContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const by = (at: Date) => ({ at, who: 'tests', requestId: null })
    /** A process, or the only one, says what it has; the last is the newest. */
    const hold = (ids: string[], { process = null as string | null, at = epoch, made = false } = {}) =>
      records.holdMasterKeys({ holder: { process, ids, wrapsWith: null }, newest: ids.at(-1)!, made, by: by(at) })
    const states = async () => (await records.masterKeys()).map(({ id, state }) => `${id} ${state}`)
    const settleUnder = async (masterKeyId: string, count = 1) => {
      const all: Settlement[] = []
      for (let i = 0; i < count; i++) all.push(settlement({}, { key: { masterKeyId, wrapped: randomBytes(61) } }))
      for (const one of all) expect(await records.settle(one)).toEqual({ kind: 'settled' })
      return all
    }
    const retire = (id: string, at: Date) => records.retireMasterKey({ id, by: by(at) })
    const told = async () =>
      (await records.listAudit({ limit: 100 }))
        .filter(({ what }) => what.startsWith('key_'))
        .map(({ what, object }) => `${what} ${object}`)
    return { records, by, hold, states, settleUnder, retire, told }
  }
  const held = (current: string, first = true) => ({ kind: 'held', current, first })

  describe(`records in ${name}: the current master key`, () => {
    it('is the newest of the only process, from when on it has it, and the older ones stay needed', async () => {
      const { records, hold, states, told } = await opened()
      expect(await hold(['mk_a'], { made: true })).toEqual(held('mk_a'))
      expect(await hold(['mk_a'], { at: later(1) })).toEqual(held('mk_a'))
      expect(await hold(['mk_a', 'mk_b'], { at: later(2) })).toEqual(held('mk_b'))
      // In whatever order they stand: what is current is in the records.
      expect(await hold(['mk_b', 'mk_a'], { at: later(3) })).toEqual(held('mk_b'))
      expect(await states()).toEqual(['mk_a old', 'mk_b current'])
      expect(await records.masterKeys()).toEqual([
        { id: 'mk_a', state: 'old', since: epoch, until: later(2), retiredAt: null },
        { id: 'mk_b', state: 'current', since: later(2), until: null, retiredAt: null },
      ])
      expect(await records.masterKeyIds()).toEqual(['mk_a', 'mk_b'])
      expect(await told()).toEqual(['key_make mk_a', 'key_use mk_b'])
    })

    it('does not change for a process that lacks one, which is told what it lacks and leaves nothing', async () => {
      const { records, hold, states } = await opened()
      await hold(['mk_a'])
      await hold(['mk_a', 'mk_b'])
      expect(await hold(['mk_c'], { process: 'p2' })).toEqual({ kind: 'lacks', ids: ['mk_a', 'mk_b'] })
      expect(await states()).toEqual(['mk_a old', 'mk_b current'])
      expect(await records.keyHolders({ at: epoch })).toEqual([])
    })

    it('becomes another when every process that serves has it, and not before', async () => {
      const { records, by, hold, states, told } = await opened()
      await hold(['mk_a'], { process: 'p1' })
      expect(await hold(['mk_a'], { process: 'p2' })).toEqual(held('mk_a', false))
      expect(await records.announceMasterKey({ id: 'mk_b', by: by(later(1)) })).toBe(true)
      expect(await records.announceMasterKey({ id: 'mk_b', by: by(later(1)) })).toBe(false)
      expect(await hold(['mk_a', 'mk_b'], { process: 'p1', at: later(2) })).toEqual(held('mk_a'))
      // One that starts meanwhile need not have it yet.
      expect(await hold(['mk_a'], { process: 'p3', at: later(3) })).toEqual(held('mk_a', false))
      expect(await hold(['mk_a', 'mk_b'], { process: 'p2', at: later(4) })).toEqual(held('mk_a', false))
      expect(await states()).toEqual(['mk_a current', 'mk_b waiting'])
      expect(await records.masterKeyIds()).toEqual(['mk_a'])
      expect(await records.keyHolders({ at: later(4) })).toEqual([
        { process: 'p1', ids: ['mk_a', 'mk_b'], wrapsWith: 'mk_a' },
        { process: 'p2', ids: ['mk_a', 'mk_b'], wrapsWith: 'mk_a' },
        { process: 'p3', ids: ['mk_a'], wrapsWith: 'mk_a' },
      ] satisfies KeyHolder[])
      expect(await hold(['mk_a', 'mk_b'], { process: 'p3', at: later(5) })).toEqual(held('mk_b', false))
      expect(await states()).toEqual(['mk_a old', 'mk_b current'])
      expect(await told()).toEqual(['key_use mk_a', 'key_announce mk_b', 'key_use mk_b'])
    })

    it('does not wait for a process that has ended, or was not seen for two minutes', async () => {
      const { records, hold } = await opened()
      await hold(['mk_a'], { process: 'p1' })
      await hold(['mk_a'], { process: 'p2' })
      await hold(['mk_a'], { process: 'p3', at: later(60) })
      await records.leaveMasterKeys({ process: 'p3' })
      expect(await hold(['mk_a', 'mk_b'], { process: 'p2', at: later(120) })).toEqual(held('mk_a', false))
      expect(await hold(['mk_a', 'mk_b'], { process: 'p2', at: later(121) })).toEqual(held('mk_b'))
    })

    it('is one, whatever several processes bring at the same time', async () => {
      const { hold, states } = await opened()
      const answers = await Promise.all(
        Array.from({ length: 6 }, (_, i) => hold(['mk_a', `mk_b${i}`], { process: `p${i}` })),
      )
      // The first brought its newest alone, and made it current: the others lack it.
      expect(answers.filter(({ kind }) => kind === 'held')).toHaveLength(1)
      expect((await states()).filter((state) => state.endsWith('current'))).toHaveLength(1)
    })
  })

  describe(`records in ${name}: keys are wrapped anew`, () => {
    it('in their order, a few at a time, and only where they stand as they were read', async () => {
      const { records, hold, settleUnder } = await opened()
      await hold(['mk_a'])
      const files = (await settleUnder('mk_a', 5)).sort((a, b) => (a.attachment.id < b.attachment.id ? -1 : 1))
      await hold(['mk_a', 'mk_b'])
      const ids = files.map(({ attachment }) => attachment.id)
      const page = (after: string | null) => records.keysUnder({ masterKeyId: 'mk_a', after, limit: 3 })
      const [first, second] = [await page(null), await page(ids[2]!)]
      expect([first, second].map((some) => some.map(({ attachmentId }) => attachmentId))).toEqual([
        ids.slice(0, 3),
        ids.slice(3),
      ])
      const anew = [...first, ...second].map(({ attachmentId, wrapped }) => ({
        attachmentId,
        from: { masterKeyId: 'mk_a', wrapped },
        to: { masterKeyId: 'mk_b', wrapped: randomBytes(61) },
      }))
      // One is erased after it was read, one has been wrapped anew by somebody else.
      await records.erase(erasure(ids[0]!))
      expect(await records.rewrapKeys({ keys: [anew[1]!] })).toBe(1)
      expect(await records.rewrapKeys({ keys: anew.map((key) => ({ ...key, to: { ...key.to } })) })).toBe(3)
      expect(await records.dataKey(ids[0]!)).toBeNull()
      for (const { attachmentId, to } of anew.slice(1)) {
        const found = await records.dataKey(attachmentId)
        expect(found && { ...found, wrapped: Buffer.from(found.wrapped) }).toEqual(to)
      }
      expect(await records.filesByMasterKey()).toEqual([{ id: 'mk_b', files: 4 }])
      expect([await records.filesUnder(['mk_a', 'mk_b']), await records.filesUnder([])]).toEqual([4, 0])
      expect(await records.rewrapKeys({ keys: [] })).toBe(0)
    })

    it('beside erasures of the same files: what was erased stays erased, and nothing else is lost', async () => {
      const { records, hold, settleUnder } = await opened()
      await hold(['mk_a'])
      const files = await settleUnder('mk_a', 60)
      await hold(['mk_a', 'mk_b'])
      const read = await records.keysUnder({ masterKeyId: 'mk_a', after: null, limit: 100 })
      const keys = read.map(({ attachmentId, wrapped }) => ({
        attachmentId,
        from: { masterKeyId: 'mk_a', wrapped },
        to: { masterKeyId: 'mk_b', wrapped: randomBytes(61) },
      }))
      const erased = files.filter((_, i) => i % 3 === 0).map(({ attachment }) => attachment.id)
      await Promise.all([
        ...erased.map((id) => records.erase(erasure(id))),
        ...Array.from({ length: 6 }, (_, i) => records.rewrapKeys({ keys: keys.slice(i * 10, i * 10 + 10) })),
      ])
      for (const { attachment } of files) {
        const found = await records.dataKey(attachment.id)
        expect(found?.masterKeyId ?? null).toBe(erased.includes(attachment.id) ? null : 'mk_b')
      }
    })
  })

  describe(`records in ${name}: a master key is retired`, () => {
    it('when nothing needs it: from then on it is not asked for, and nothing is wrapped with it again', async () => {
      const { records, hold, settleUnder, retire, states, told } = await opened()
      await hold(['mk_a'])
      const [one] = await settleUnder('mk_a')
      await hold(['mk_a', 'mk_b'], { at: later(10) })
      expect(await retire('mk_b', later(500))).toEqual({ kind: 'current' })
      expect(await retire('mk_x', later(500))).toEqual({ kind: 'unknown' })
      const needed = { processes: [], tickets: null, gatewayFiles: 0 }
      expect(await retire('mk_a', later(500))).toEqual({ kind: 'needed', by: { ...needed, files: 1 } })
      expect(await states()).toEqual(['mk_a old', 'mk_b current'])
      await records.erase(erasure(one!.attachment.id))
      expect(await retire('mk_a', later(500))).toEqual({ kind: 'retired' })
      expect(await retire('mk_a', later(501))).toEqual({ kind: 'already' })
      expect(await states()).toEqual(['mk_a retired', 'mk_b current'])
      expect(await records.masterKeyIds()).toEqual(['mk_b'])
      expect(await hold(['mk_b'], { at: later(600) })).toEqual(held('mk_b'))
      // Still the last line somewhere: it is not announced anew.
      expect(await hold(['mk_b', 'mk_a'], { at: later(600) })).toEqual(held('mk_b'))
      const late = settlement({}, { key: { masterKeyId: 'mk_a', wrapped: randomBytes(61) } })
      expect(await records.settle(late)).toEqual({ kind: 'key_retired' })
      expect(await records.attachment(late.attachment.id)).toBeNull()
      const [other] = await settleUnder('mk_b')
      const from = other!.key!
      const to = { masterKeyId: 'mk_a', wrapped: randomBytes(61) }
      expect(await records.rewrapKeys({ keys: [{ attachmentId: other!.attachment.id, from, to }] })).toBe(0)
      expect(await told()).toEqual(['key_use mk_a', 'key_use mk_b', 'key_retire mk_a'])
    })

    it('not while a process wraps with it, a ticket may be known by it, or a file came under it and is not sent', async () => {
      const { records, hold, retire } = await opened()
      await hold(['mk_a'], { process: 'p1' })
      const day = 24 * 3600
      const ticket = (digest: string, issued: Date, seconds: number) =>
        records.keepTicket({
          digest,
          conversationId: 'c1',
          messageId: null,
          language: null,
          maxFiles: 1,
          issuedBy: 'tests',
          issuedAt: issued,
          expiresAt: new Date(issued.getTime() + seconds * 1000),
          audit: entry({ what: 'ticket_issue' }),
        })
      await ticket('d1', later(5), 1000)
      await ticket('d2', later(5), 2000)
      await ticket('d3', later(300), day)
      const file = { session: 's', deploymentId: 'd', language: null }
      await records.announceFile({ ...file, sourceId: 'f1', at: later(5) })
      await records.announceFile({ ...file, sourceId: 'f2', at: later(300) })
      await hold(['mk_a', 'mk_b'], { process: 'p1', at: later(10) })
      await records.holdMasterKeys({
        holder: { process: 'p2', ids: ['mk_a', 'mk_b'], wrapsWith: 'mk_a' },
        newest: 'mk_b',
        made: false,
        by: { at: later(450), who: 'tests', requestId: null },
      })
      expect(await retire('mk_a', later(500))).toEqual({
        kind: 'needed',
        by: { files: 0, processes: ['p2'], tickets: { count: 2, until: later(2005) }, gatewayFiles: 1 },
      })
      expect(await retire('mk_a', later(1500))).toEqual({
        kind: 'needed',
        by: { files: 0, processes: [], tickets: { count: 1, until: later(2005) }, gatewayFiles: 1 },
      })
      expect(await retire('mk_a', later(day + 6))).toEqual({ kind: 'retired' })
    })

    it('that waits and was never current, at once', async () => {
      const { records, by, hold, retire, states } = await opened()
      await hold(['mk_a'], { process: 'p1' })
      await records.announceMasterKey({ id: 'mk_b', by: by(epoch) })
      expect(await retire('mk_b', later(1))).toEqual({ kind: 'retired' })
      expect(await hold(['mk_a', 'mk_b'], { process: 'p1', at: later(2) })).toEqual(held('mk_a'))
      expect((await states()).sort()).toEqual(['mk_a current', 'mk_b retired'])
    })

    it('at the same time as files come under it: each is there and keeps it, or is not', async () => {
      const { records, hold, retire } = await opened()
      await hold(['mk_a'])
      await hold(['mk_a', 'mk_b'])
      const late = Array.from({ length: 30 }, () =>
        settlement({}, { key: { masterKeyId: 'mk_a', wrapped: randomBytes(61) } }),
      )
      const settling = late.map((one) => records.settle(one))
      const retired = retire('mk_a', later(500))
      const more = late.map(({ key }) => records.settle(settlement({}, { key })))
      const answers = await Promise.all([...settling, ...more])
      const settled = answers.filter(({ kind }) => kind === 'settled').length
      expect((await retired).kind).toBe(settled > 0 ? 'needed' : 'retired')
      expect(await records.filesUnder(['mk_a'])).toBe(settled)
    })
  })

  describe(`records in ${name}: a session of the gateway`, () => {
    it('is found by any of its digests: the one under which it has files since then, the newest', async () => {
      const { records } = await opened()
      const file = { deploymentId: 'd', language: null }
      await records.announceFile({ ...file, session: 'old', sourceId: 'f1', at: later(1) })
      const among = (digests: string[], since: Date) => records.sessionAmong({ digests, since })
      expect(await among(['new', 'old'], epoch)).toBe('old')
      expect(await among(['new', 'old'], later(2))).toBeNull()
      expect(await among(['new'], epoch)).toBeNull()
      await records.announceFile({ ...file, session: 'new', sourceId: 'f2', at: later(3) })
      expect(await among(['old', 'new'], epoch)).toBe('new')
    })
  })
}
