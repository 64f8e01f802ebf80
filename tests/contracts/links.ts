import { describe, expect, it, onTestFinished } from 'vitest'
import type { AttachmentId } from '../../src/attachment.ts'
import type { Link } from '../../src/records/questions/links.ts'
import { entry, epoch, later, settlement } from '../fixtures/settlements.ts'
import type { OpenedRecords } from './records.ts'

/** What every adapter of the records must answer of links to files. */
export function linkContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, close } = await open()
    onTestFinished(close)
    const settled = settlement()
    await records.settle(settled)
    const { id: attachmentId } = settled.attachment
    const keep = async (digest: string, changed: Partial<Link> = {}) => {
      const link: Link = {
        id: `lnk_${digest}`,
        attachmentId,
        of: 'original',
        who: 'anna',
        session: null,
        madeAt: epoch,
        expiresAt: later(300),
        ...changed,
      }
      await records.keepLink({ digest, link, audit: entry({ what: 'link_make', object: attachmentId }) })
      return link
    }
    const end = (id: string, of: AttachmentId = attachmentId) =>
      records.endLink({ attachmentId: of, id, audit: entry({ what: 'link_revoke', object: of }) })
    const rowsOf = async (what: 'link_make' | 'link_revoke') => (await records.findAudit({ what, limit: 10 })).length
    return { records, attachmentId, keep, end, rowsOf }
  }

  describe(`records in ${name}: a link`, () => {
    it('is found by any of the digests of its secret until its time, as it was made', async () => {
      const { records, keep, rowsOf } = await opened()
      const link = await keep('d1', { of: 'safe_copy', session: 'ses_1' })
      const find = (digests: string[], seconds: number) => records.link({ digests, now: later(seconds) })
      expect(await find(['d0', 'd1'], 299)).toEqual(link)
      expect([await find(['d1'], 300), await find(['d2'], 1)]).toEqual([null, null])
      expect(await rowsOf('link_make')).toBe(1)
    })

    it('is listed with its attachment, the newest first, while it holds', async () => {
      const { records, attachmentId, keep } = await opened()
      await keep('d1', { expiresAt: later(10) })
      await keep('d2', { madeAt: later(1) })
      await keep('d3', { madeAt: later(2) })
      const ids = async (seconds: number, limit = 10) =>
        (await records.linksOf({ attachmentId, now: later(seconds), limit })).map(({ id }) => id)
      expect(await ids(5)).toEqual(['lnk_d3', 'lnk_d2', 'lnk_d1'])
      expect([await ids(10), await ids(5, 1)]).toEqual([['lnk_d3', 'lnk_d2'], ['lnk_d3']])
    })

    it('is ended once, by its own attachment, and the trail has that', async () => {
      const { records, keep, end, rowsOf } = await opened()
      const { id } = await keep('d1')
      const other = settlement().attachment.id
      expect([await end(id, other), await end(id), await end(id)]).toEqual([false, true, false])
      expect(await records.link({ digests: ['d1'], now: epoch })).toBeNull()
      expect(await rowsOf('link_revoke')).toBe(1)
    })

    it('is forgotten after its time', async () => {
      const { records, attachmentId, keep } = await opened()
      await keep('d1')
      await records.forgetSpent(later(299))
      expect(await records.linksOf({ attachmentId, now: epoch, limit: 10 })).toHaveLength(1)
      await records.forgetSpent(later(300))
      expect(await records.linksOf({ attachmentId, now: epoch, limit: 10 })).toEqual([])
    })
  })
}
