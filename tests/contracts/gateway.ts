import { describe, expect, it, onTestFinished } from 'vitest'
import { gatewayDelivery } from '../../src/records/questions/gatewayLeft.ts'
import { epoch, erasure, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

/** What every adapter of the records must answer of files that come through the gateway. */
export function gatewayContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const key = { session: 's1', sourceId: 'g1' }
    const announce = (changed: Partial<typeof key> = {}) =>
      records.announceFile({ ...key, ...changed, deploymentId: 'd1', language: 'de', at: epoch })
    /** A file of no conversation that was announced, judged and handed on. */
    const clear = async (sourceId = key.sourceId) => {
      await announce({ sourceId })
      const delivery = { ...gatewayDelivery({ ...key, sourceId }), fingerprint: 'f' }
      const about = { door: 'gateway' as const, conversationId: null, messageId: null }
      const one = settlement(about, { confirmation: null, delivery })
      await records.settle(one)
      const { id } = one.attachment
      await records.moveFile({ ...key, sourceId, from: ['announced'], to: 'cleared', at: epoch, attachmentId: id })
      return id
    }
    const known = (id = key.sourceId) => records.gatewayFile({ session: key.session, id })
    const lease = (seconds: number) =>
      records.leaseSentFiles({ now: later(seconds), until: later(seconds + 60), limit: 5 })
    const complete = async (
      attachmentId: Awaited<ReturnType<typeof clear>>,
      sourceId = key.sourceId,
      platformId = sourceId,
    ) =>
      records.completeFile({
        ...key,
        sourceId,
        platformId,
        attachmentId,
        conversationId: 'c1',
        messageId: 'm1',
        delivery: { scope: 'message', key: `k-${sourceId}`, fingerprint: 'f' },
        confirmation: { language: 'de' },
        at: later(5),
      })
    return { records, key, announce, clear, known, lease, complete }
  }

  describe(`records in ${name}: a file of the gateway`, () => {
    it('is announced once in its session', async () => {
      const { announce, known } = await opened()
      expect([await announce(), await announce(), await announce({ session: 's2' })]).toEqual([true, false, true])
      expect(await known()).toEqual({
        sourceId: 'g1',
        platformId: 'g1',
        state: 'announced',
        attachmentId: null,
        attachmentState: null,
      })
      expect(await known('g2')).toBeNull()
    })

    it('that was announced anew is known by the platform’s id of it too, under which nobody else announces one', async () => {
      const { records, key, announce, known, clear, lease, complete } = await opened()
      const id = await clear('g2')
      await announce()
      const again = { ...key, from: ['announced' as const], to: 'cleared' as const, at: epoch, attachmentId: id }
      await records.moveFile({ ...again, platformId: 'p1' })
      expect(await known('p1')).toEqual({
        sourceId: 'g1',
        platformId: 'p1',
        state: 'cleared',
        attachmentId: id,
        attachmentState: 'accepted',
      })
      expect(await known('g1')).toEqual(await known('p1'))
      expect(await announce({ sourceId: 'p1' })).toBe(false)
      expect(await announce({ session: 's2', sourceId: 'p1' })).toBe(true)
      await records.fileSent({ ...key, messageId: 'm1', at: later(1) })
      expect(await lease(1)).toMatchObject([{ sourceId: 'g1', platformId: 'p1' }])
      await complete(id, 'g1', 'p1')
      // The pull door hears of it as the platform calls it.
      const asks = [{ conversationId: 'c1', messageId: 'm1', language: null }]
      await records.askLookups({ asks, at: later(6), backfill: null })
      const term = { lease: 'l', now: later(6), until: later(60), limit: 1 }
      const [leased] = await records.leaseLookups({ ...term, backfills: false })
      const learned = [
        { messageId: 'm1', sourceId: 'p1', filename: 'photo.jpg', declaredType: 'image/jpeg', sentBy: null },
      ]
      const outcome = { kind: 'done' as const, learned, scan: 'required' as const }
      expect(await records.settleLookup({ leased: leased!, outcome, at: later(7) })).toBe(0)
    })

    it('moves only from where it is', async () => {
      const { announce, records, key } = await opened()
      await announce()
      const move = (from: 'announced' | 'cleared', to: 'cleared' | 'deleted') =>
        records.moveFile({ ...key, from: [from], to, at: later(1) })
      expect([
        await move('cleared', 'deleted'),
        await move('announced', 'deleted'),
        await move('announced', 'cleared'),
      ]).toEqual([false, true, false])
    })

    it('is sent once, and looked for until its conversation is found', async () => {
      const { records, key, clear, lease } = await opened()
      const id = await clear()
      const sent = () => records.fileSent({ ...key, messageId: 'm1', at: later(1) })
      expect([await sent(), await sent()]).toEqual([true, false])
      expect(await lease(1)).toEqual([
        { ...key, platformId: 'g1', attachmentId: id, messageId: 'm1', language: 'de', attempts: 0 },
      ])
      expect(await lease(2)).toEqual([])
      await records.retrySentFile({ ...key, nextAt: later(10), reason: '404' })
      expect(await lease(9)).toEqual([])
      expect(await lease(10)).toMatchObject([{ attempts: 1 }])
      await records.retrySentFile({ ...key, nextAt: null, reason: '404' })
      expect(await lease(100_000)).toEqual([])
      expect(await records.gatewayState()).toEqual({ incomplete: 1 })
    })

    it('is completed once: its record has its conversation, a confirmation is owed, and no other door takes it again', async () => {
      const { records, key, clear, complete } = await opened()
      const id = await clear()
      await records.fileSent({ ...key, messageId: 'm1', at: later(1) })
      expect(await complete(id)).toMatchObject({
        id,
        conversationId: 'c1',
        messageId: 'm1',
        confirmation: { state: 'pending' },
      })
      expect(await complete(id)).toBeNull()
      expect(await records.earlierDelivery({ scope: 'message', key: 'k-g1' })).toMatchObject({ fingerprint: 'f' })
      expect(await records.knownMessages('c1')).toEqual(['m1'])
      expect(
        (await records.pulledOf({ conversationId: 'c1', messageId: 'm1', limit: 9 })).map((one) => one.id),
      ).toEqual([id])
      const [owed] = await records.leaseConfirmations({ lease: 'l', now: later(5), until: later(60), limit: 9 })
      expect(owed).toMatchObject({ attachmentId: id, conversationId: 'c1', language: 'de' })
    })

    it('that the pull door learned of first, and is still fetching, is the gateway’s', async () => {
      const { records, key, clear, complete } = await opened()
      await records.askLookups({
        asks: [{ conversationId: 'c1', messageId: 'm1', language: null }],
        at: epoch,
        backfill: null,
      })
      const [leased] = await records.leaseLookups({
        lease: 'l',
        now: epoch,
        until: later(60),
        limit: 1,
        backfills: false,
      })
      const learned = [
        { messageId: 'm1', sourceId: 'g1', filename: 'photo.jpg', declaredType: 'image/jpeg', sentBy: null },
      ]
      await records.settleLookup({ leased: leased!, outcome: { kind: 'done', learned, scan: 'required' }, at: epoch })
      const id = await clear()
      await records.fileSent({ ...key, messageId: 'm1', at: later(1) })
      await complete(id)
      expect(await records.leaseFetches({ lease: 'f', now: later(60), until: later(120), limit: 9 })).toEqual([])
      expect(
        (await records.pulledOf({ conversationId: 'c1', messageId: null, limit: 9 })).map((one) => one.id),
      ).toEqual([id])
      expect((await records.listAttachments({ conversationId: 'c1', limit: 9 })).map((one) => one.id)).toEqual([id])
    })

    it('that was erased meanwhile is not completed', async () => {
      const { records, key, clear, complete } = await opened()
      const id = await clear()
      await records.fileSent({ ...key, messageId: 'm1', at: later(1) })
      await records.erase(erasure(id, later(2)))
      expect(await complete(id)).toBeNull()
      expect(await records.leaseConfirmations({ lease: 'l', now: later(9), until: later(60), limit: 9 })).toEqual([])
    })

    it('that was judged and came to nothing before it was cleared is told of, too', async () => {
      const { records, key, announce, known } = await opened()
      await announce()
      const delivery = { ...gatewayDelivery(key), fingerprint: 'f' }
      const one = settlement(
        { door: 'gateway', conversationId: null, messageId: null },
        { confirmation: null, delivery },
      )
      await records.settle(one)
      await records.forgetGatewayFiles({ before: later(1), completedBefore: epoch })
      expect(await records.unsentFiles({ before: later(1), limit: 9 })).toEqual([one.attachment.id])
      await records.erase(erasure(one.attachment.id, later(2)))
      await records.forgetGatewayFiles({ before: later(1), completedBefore: epoch })
      expect(await known()).toBeNull()
    })

    it('of our own side is noted by its message once, and looked for until its conversation is found', async () => {
      const { records } = await opened()
      const note = () => records.noteMessage({ messageId: 'm9', at: epoch })
      await note()
      await note()
      const leased = (seconds: number) =>
        records.leaseMessages({ now: later(seconds), until: later(seconds + 60), limit: 5 })
      expect(await leased(0)).toEqual([{ messageId: 'm9', attempts: 0 }])
      expect(await leased(1)).toEqual([])
      await records.retryMessage({ messageId: 'm9', nextAt: later(5) })
      expect(await leased(5)).toEqual([{ messageId: 'm9', attempts: 1 }])
      await records.foundMessage({ messageId: 'm9', conversationId: 'c9', at: later(6) })
      expect(await records.lookupState({ conversationId: 'c9', messageId: 'm9' })).toMatchObject({ state: 'pending' })
      expect(await leased(999)).toEqual([])
      await records.noteMessage({ messageId: 'm8', at: epoch })
      await records.retryMessage({ messageId: 'm8', nextAt: null })
      expect(await leased(999)).toEqual([])
      await records.forgetGatewayFiles({ before: epoch, completedBefore: later(1) })
      await records.noteMessage({ messageId: 'm8', at: later(2) })
      expect(await leased(999)).toMatchObject([{ messageId: 'm8' }])
    })

    it('that was sent since it was found unsent is not erased as such', async () => {
      const { records, key, clear } = await opened()
      const id = await clear()
      expect(await records.unsentFiles({ before: later(1), limit: 9 })).toEqual([id])
      expect(await records.beginSending({ session: key.session, id: 'g1', at: epoch })).toMatchObject({
        state: 'cleared',
      })
      expect(await records.erase({ ...erasure(id, later(2)), unsentBefore: later(1) })).toBeNull()
      expect((await records.attachment(id))?.state).toBe('accepted')
      await records.moveFile({ ...key, from: ['sending'], to: 'cleared', at: epoch })
      expect(await records.erase({ ...erasure(id, later(2)), unsentBefore: later(1) })).toMatchObject({ now: true })
      // Erased: no message with it is begun.
      await records.beginSending({ session: key.session, id: 'g1', at: later(3) })
      await records.forgetGatewayFiles({ before: later(1), completedBefore: epoch })
    })

    it('that was refused, held and then let go by somebody is not one that nobody sent', async () => {
      const { records, key, clear } = await opened()
      await clear()
      await records.moveFile({ ...key, from: ['cleared'], to: 'refused', at: epoch })
      expect(await records.unsentFiles({ before: later(1), limit: 9 })).toEqual([])
    })

    it('that was judged is told of to a process that does not know it, until its client does something with it', async () => {
      const { records, key, clear, announce } = await opened()
      await announce({ sourceId: 'g0' })
      const id = await clear()
      const untold = (seconds: number) => records.untoldFiles({ session: key.session, since: later(seconds) })
      expect(await untold(0)).toMatchObject([
        { sourceId: 'g1', platformId: 'g1', deploymentId: 'd1', language: 'de', state: 'cleared', attachment: { id } },
      ])
      expect(await untold(1)).toEqual([])
      expect(await records.untoldFiles({ session: 's2', since: epoch })).toEqual([])
      await records.beginSending({ session: key.session, id: 'g1', at: epoch })
      expect(await untold(0)).toEqual([])
    })

    it('that nobody sent is told of after its time, and forgotten once it is erased', async () => {
      const { records, key, clear, known } = await opened()
      const unsent = await clear()
      const sent = await clear('g2')
      await records.fileSent({ ...key, sourceId: 'g2', messageId: 'm2', at: epoch })
      expect(await records.unsentFiles({ before: epoch, limit: 9 })).toEqual([])
      expect(await records.unsentFiles({ before: later(1), limit: 9 })).toEqual([unsent])
      const forget = () => records.forgetGatewayFiles({ before: later(1), completedBefore: epoch })
      await forget()
      expect(await known()).not.toBeNull()
      await records.erase(erasure(unsent, later(2)))
      await forget()
      expect(await known()).toBeNull()
      expect((await known('g2'))?.attachmentId).toBe(sent)
    })
  })
}
