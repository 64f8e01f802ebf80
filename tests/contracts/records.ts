import { createHash } from 'node:crypto'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Attachment, newAttachmentId } from '../../src/attachment.ts'
import { Unavailable } from '../../src/errors.ts'
import type { AttachmentQuery } from '../../src/records/questions/attachments.ts'
import type { AuditLink, AuditQuery } from '../../src/records/questions/audit.ts'
import type { Settlement } from '../../src/records/questions/settle.ts'
import type { Records } from '../../src/records/records.ts'
import { naughtyNames } from '../fixtures/names.ts'
import { entry, epoch, erasure, later, refusal, settlement } from '../fixtures/settlements.ts'

export interface OpenedRecords {
  records: Records
  /** The same database, as after a restart. */
  reopen(): Promise<Records>
  close(): Promise<void>
}

/** What every adapter of the records must answer, whatever database is behind it. `open` gives a fresh and empty one. */
export function recordsContract(name: string, open: () => Promise<OpenedRecords>): void {
  async function opened() {
    const { records, reopen, close } = await open()
    onTestFinished(close)
    const settle = async (...all: Settlement[]) => {
      for (const one of all) expect(await records.settle(one)).toEqual({ kind: 'settled' })
    }
    /** Settles one after the other, each received a second after the one before. */
    const settleInTurn = async (count: number, changed: (i: number) => Partial<Attachment> = () => ({})) => {
      const settled: Settlement[] = []
      for (let i = 0; i < count; i++) settled.push(settlement({ receivedAt: later(i).toISOString(), ...changed(i) }))
      await settle(...settled)
      return settled.map(({ attachment }) => attachment)
    }
    const ids = async (query: Partial<AttachmentQuery> = {}) =>
      (await records.listAttachments({ limit: 200, ...query })).map(({ id }) => id)
    const lease = (now: Date, { limit = 10, lease = 'courier', seconds = 60 } = {}) =>
      records.leaseConfirmations({ lease, now, until: new Date(now.getTime() + seconds * 1000), limit })
    return { records, reopen, settle, settleInTurn, ids, lease }
  }

  describe(`records in ${name}: a file is settled`, () => {
    it('as a whole: record, key, confirmation, delivery and audit row are there together', async () => {
      const { records, settle } = await opened()
      const one = settlement({ conversationId: 'c1', messageId: 'm1', filename: 'Bericht März.pdf' })
      await settle(one)
      const { attachment, delivery, key } = one
      expect(await records.attachment(attachment.id)).toEqual(attachment)
      const found = await records.dataKey(attachment.id)
      expect(found && { ...found, wrapped: Buffer.from(found.wrapped) }).toEqual(key)
      expect(await records.earlierDelivery(delivery!)).toEqual({
        fingerprint: delivery!.fingerprint,
        answer: attachment,
      })
      expect(await records.storedAmong([attachment.id, newAttachmentId()])).toEqual([attachment.id])
      const [owed] = await records.listOutbox({ state: 'pending', limit: 10 })
      expect(owed).toMatchObject({ attachmentId: attachment.id, conversationId: 'c1', attempts: 0, createdAt: epoch })
      expect(await records.listAudit({ limit: 10 })).toEqual([expect.objectContaining({ ...one.audit, seq: 1 })])
    })

    it('without what it has not: a refused file has no key and no bytes, and one without conversation owes nothing', async () => {
      const { records, settle } = await opened()
      const one = refusal({
        conversationId: null,
        filename: null,
        size: null,
        sha256: null,
        type: null,
        confirmation: null,
      })
      await settle({ ...one, delivery: null })
      const { id } = one.attachment
      expect(await records.attachment(id)).toEqual(one.attachment)
      expect(await records.dataKey(id)).toBeNull()
      expect(await records.storedAmong([id])).toEqual([])
      expect(await records.listOutbox({ state: null, limit: 10 })).toEqual([])
    })

    it('and says that confirmations are off when none is owed in a conversation', async () => {
      const { records, settle } = await opened()
      const one = settlement({ confirmation: { state: 'off', way: null, at: null } }, { confirmation: null })
      await settle(one)
      expect(await records.attachment(one.attachment.id)).toEqual(one.attachment)
    })

    it('once for the same delivery: the second arrival is told what the first was answered, and leaves nothing', async () => {
      const { records, settle, ids } = await opened()
      const first = settlement()
      await settle(first)
      const second = settlement({ filename: 'other.jpg' }, { delivery: { ...first.delivery!, fingerprint: 'another' } })
      expect(await records.settle(second)).toEqual({
        kind: 'already',
        earlier: { fingerprint: first.delivery!.fingerprint, answer: first.attachment },
      })
      expect(await ids()).toEqual([first.attachment.id])
      expect(await records.dataKey(second.attachment.id)).toBeNull()
      expect(await records.listOutbox({ state: null, limit: 10 })).toHaveLength(1)
      expect(await records.listAudit({ limit: 10 })).toHaveLength(1)
    })

    it('once of fifty at the same time, and the others are all told the same', async () => {
      const { records, ids } = await opened()
      const delivery = { scope: 'key:tests', key: 'same', fingerprint: 'f' }
      const all = Array.from({ length: 50 }, () => settlement({}, { delivery }))
      const answers = await Promise.all(all.map((one) => records.settle(one)))
      const winners = all.filter((_, i) => answers[i]!.kind === 'settled')
      expect(winners).toHaveLength(1)
      const earlier = { fingerprint: 'f', answer: winners[0]!.attachment }
      expect(answers.filter(({ kind }) => kind === 'already')).toEqual(Array(49).fill({ kind: 'already', earlier }))
      expect(await ids()).toEqual([winners[0]!.attachment.id])
      expect(await records.listAudit({ limit: 100 })).toHaveLength(1)
    })

    it('apart from its neighbours: one that fails, fails alone and leaves nothing of itself', async () => {
      const { records, settle, ids } = await opened()
      const taken = settlement()
      await settle(taken)
      const before = Array.from({ length: 10 }, () => settlement())
      const after = Array.from({ length: 10 }, () => settlement())
      // The id is taken, so its record cannot be made; its delivery, which is made before, must not stay.
      const failing = settlement(
        { id: taken.attachment.id },
        { delivery: { scope: 'key:tests', key: 'failing', fingerprint: 'f' } },
      )
      const answers = await Promise.allSettled([...before, failing, ...after].map((one) => records.settle(one)))
      expect(answers.map(({ status }) => status)).toEqual([
        ...Array(10).fill('fulfilled'),
        'rejected',
        ...Array(10).fill('fulfilled'),
      ])
      expect(await records.earlierDelivery(failing.delivery!)).toBeNull()
      expect((await ids()).sort()).toEqual([taken, ...before, ...after].map(({ attachment }) => attachment.id).sort())
      expect(await records.listAudit({ limit: 100 })).toHaveLength(21)
    })

    it('with names as data, whatever they hold', async () => {
      const { records, settle } = await opened()
      for (const filename of naughtyNames) {
        const one = settlement({
          filename,
          declaredType: filename,
          conversationId: filename || 'none',
          detail: filename,
        })
        await settle(one)
        const found = await records.attachment(one.attachment.id)
        // A database's text has neither NUL nor half characters: they become a replacement character.
        const kept = filename.replaceAll('\0', '\ufffd').toWellFormed()
        expect([found?.filename, found?.declaredType, found?.detail]).toEqual([kept, kept, kept])
        const inConversation = await records.listAttachments({ conversationId: filename || 'none', limit: 200 })
        expect(inConversation.map(({ id }) => id)).toContain(one.attachment.id)
        for (const q of [filename, filename.slice(0, 5)]) await records.listAttachments({ q, limit: 10 })
      }
    })

    it('and is not found in the conversation that its own only begins like', async () => {
      const { records, settle } = await opened()
      await settle(settlement({ conversationId: 'abc' }))
      expect(await records.listAttachments({ conversationId: 'abc\0x', limit: 10 })).toEqual([])
      expect(await records.listAttachments({ conversationId: "abc' OR '1'='1", limit: 10 })).toEqual([])
      expect(await records.listAttachments({ conversationId: 'ABC', limit: 10 })).toEqual([])
      expect(await records.listAttachments({ conversationId: 'ab%', limit: 10 })).toEqual([])
    })
  })

  describe(`records in ${name}: attachments are listed`, () => {
    it('newest first, and among those of one instant by id', async () => {
      const { settle, settleInTurn, ids } = await opened()
      const [first, second] = await settleInTurn(2)
      const same = [
        settlement({ receivedAt: later(9).toISOString() }),
        settlement({ receivedAt: later(9).toISOString() }),
      ]
      await settle(...same)
      const newest = same
        .map(({ attachment }) => attachment.id)
        .sort()
        .reverse()
      expect(await ids()).toEqual([...newest, second!.id, first!.id])
      expect(await ids({ limit: 1 })).toEqual(newest.slice(0, 1))
    })

    it('by conversation, state, type and door, alone and together', async () => {
      const { settle, ids } = await opened()
      const of = (changed: Partial<Attachment>) => settlement({ conversationId: 'c1', ...changed })
      const plain = of({})
      const elsewhere = of({ conversationId: 'c2' })
      const refused = of({ state: 'refused', code: 'empty' })
      const document = of({ type: 'application/pdf' })
      const pulled = of({ door: 'pull', conversationId: 'c2' })
      await settle(plain, elsewhere, refused, document, pulled)
      const idsOf = (...some: Settlement[]) => some.map(({ attachment }) => attachment.id).sort()
      expect((await ids({ conversationId: 'c1' })).sort()).toEqual(idsOf(plain, refused, document))
      expect(await ids({ state: 'refused' })).toEqual(idsOf(refused))
      expect(await ids({ type: 'application/pdf' })).toEqual(idsOf(document))
      expect(await ids({ door: 'pull' })).toEqual(idsOf(pulled))
      expect(await ids({ conversationId: 'c2', door: 'push', state: 'accepted', type: 'image/jpeg' })).toEqual(
        idsOf(elsewhere),
      )
      expect(await ids({ conversationId: 'c1', door: 'pull' })).toEqual([])
      expect(await ids({ state: 'quarantined' })).toEqual([])
    })

    it('from an instant on, up to but not including another', async () => {
      const { settleInTurn, ids } = await opened()
      const all = (await settleInTurn(5)).map(({ id }) => id).reverse()
      expect(await ids({ from: later(1) })).toEqual(all.slice(0, 4))
      expect(await ids({ to: later(1) })).toEqual(all.slice(4))
      expect(await ids({ from: later(1), to: later(3) })).toEqual(all.slice(2, 4))
      expect(await ids({ from: later(3), to: later(3) })).toEqual([])
    })

    it('page by page without gaps or repeats, while new ones come in and old ones are erased', async () => {
      const { records, settle, settleInTurn } = await opened()
      // Three of each instant, so that pages end between two of one instant.
      const all = await settleInTurn(50, (i) => ({ receivedAt: later(Math.floor(i / 3)).toISOString() }))
      const seen: string[] = []
      let after: { receivedAt: number; id: string } | undefined
      for (;;) {
        const page = await records.listAttachments({ limit: 7, after })
        seen.push(...page.map(({ id }) => id))
        await settle(settlement({ receivedAt: later(1000 + seen.length).toISOString() }))
        await records.erase(erasure(all[seen.length % 50]!.id))
        const last = page.at(-1)
        if (!last) break
        after = { receivedAt: Date.parse(last.receivedAt), id: last.id }
      }
      const wanted = [...all].sort((a, b) => (a.receivedAt + a.id < b.receivedAt + b.id ? 1 : -1)).map(({ id }) => id)
      expect(seen).toEqual(wanted)
    })

    it('by the beginning of a word in the name, whatever its case, script or composition', async () => {
      const { settle, ids } = await opened()
      const names = [
        'Invoice_2026-10.pdf',
        'façade Grüße.png',
        'façade'.normalize('NFD'),
        '写真 東京.jpg',
        "rock'n'roll.gif",
      ]
      const all = names.map((filename) => settlement({ filename }))
      await settle(...all)
      const found = async (q: string) =>
        (await ids({ q })).map((id) => all.findIndex((one) => one.attachment.id === id)).sort()
      expect(await found('inv')).toEqual([0])
      expect(await found('INVOICE')).toEqual([0])
      expect(await found('2026')).toEqual([0])
      expect(await found('voice')).toEqual([])
      expect(await found('façade')).toEqual([1, 2])
      expect(await found('façade'.normalize('NFD'))).toEqual([1, 2])
      expect(await found('GRÜ')).toEqual([1])
      expect(await found('東')).toEqual([3])
      expect(await found('roll')).toEqual([4])
      for (const q of ['%', '_', '*', "'", '"', "x' OR 1=1 --", '\\', '\0', '\u{10ffff}'])
        expect(await found(q)).toEqual([])
    })

    it('by a word that is longer than what is kept of it, and by characters outside the basic plane', async () => {
      const { settle, ids } = await opened()
      const long = 'x'.repeat(300)
      // What is kept ends in the middle of what JavaScript counts as two: half a character would be no text.
      const halves = settlement({ filename: `${'a'.repeat(63)}𐐨.${'a'.repeat(63)}𝟘.txt` })
      const other = settlement({ filename: `${long}.txt` })
      await settle(halves, other)
      expect(await ids({ q: long })).toEqual([other.attachment.id])
      expect(await ids({ q: 'aaa' })).toEqual([halves.attachment.id])
    })

    it('by a word that thousands of names have as by one that few have: newest first, page by page, no other', async () => {
      const { records, settle } = await opened()
      const all = Array.from({ length: 2500 }, (_, i) =>
        settlement({
          filename: i % 10 === 3 ? `letter ${i}.pdf` : `photo ${i}.jpg`,
          receivedAt: later(i).toISOString(),
          state: i % 4 === 0 ? 'refused' : 'accepted',
        }),
      )
      await settle(...all)
      const seen: string[] = []
      for (let after: { receivedAt: number; id: string } | undefined; ; ) {
        const page = await records.listAttachments({ limit: 200, q: 'pho', state: 'accepted', after })
        seen.push(...page.map(({ id }) => id))
        const last = page.at(-1)
        if (!last) break
        after = { receivedAt: Date.parse(last.receivedAt), id: last.id }
      }
      const wanted = all.filter(({ attachment }, i) => i % 10 !== 3 && attachment.state === 'accepted').reverse()
      expect(seen).toEqual(wanted.map(({ attachment }) => attachment.id))
    })

    it('by the beginning of words that thousands of names have, also twice in one: each once, newest first, page by page', async () => {
      const { records, settle } = await opened()
      const nameOf = (i: number) =>
        i % 3 === 0 ? `photo phone n${i}.jpg` : i % 3 === 1 ? `pharmacy n${i}.jpg` : `other n${i}.pdf`
      const all = Array.from({ length: 3300 }, (_, i) =>
        // Some came in at the same moment.
        settlement({ filename: nameOf(i), receivedAt: later(Math.floor(i / 2)).toISOString() }),
      )
      await settle(...all)
      const listed = async (query: { q: string; from?: Date; to?: Date }) => {
        const seen: string[] = []
        for (let after: { receivedAt: number; id: string } | undefined; ; ) {
          const page = await records.listAttachments({ limit: 150, ...query, after })
          seen.push(...page.map(({ id }) => id))
          const last = page.at(-1)
          if (!last) return seen
          after = { receivedAt: Date.parse(last.receivedAt), id: last.id }
        }
      }
      const wanted = (ofThese: (i: number) => boolean) =>
        all
          .filter((_, i) => ofThese(i))
          .map(({ attachment: { id, receivedAt } }) => ({ id, receivedAt }))
          .sort((a, b) => b.receivedAt.localeCompare(a.receivedAt) || (a.id < b.id ? 1 : -1))
          .map(({ id }) => id)
      expect(await listed({ q: 'ph' })).toEqual(wanted((i) => i % 3 !== 2))
      const [from, to] = [later(100), later(900)]
      expect(await listed({ q: 'ph', from, to })).toEqual(wanted((i) => i % 3 !== 2 && i >= 200 && i < 1800))
      // More words than are asked for one by one.
      expect(await listed({ q: 'n' })).toEqual(wanted(() => true))
    })

    it('by a whole id or digest, and never by a part of one', async () => {
      const { settleInTurn, ids } = await opened()
      const [one] = await settleInTurn(3, () => ({ filename: 'x.jpg' }))
      expect(await ids({ q: one!.id })).toEqual([one!.id])
      expect(await ids({ q: one!.sha256! })).toEqual([one!.id])
      expect(await ids({ q: one!.sha256!.toUpperCase() })).toEqual([one!.id])
      expect(await ids({ q: one!.id.slice(0, 20) })).toEqual([])
      expect(await ids({ q: one!.sha256!.slice(0, 20) })).toEqual([])
      const [named] = await settleInTurn(1, () => ({ filename: `${one!.sha256}.jpg` }))
      expect((await ids({ q: one!.sha256! })).toSorted()).toEqual([named!.id, one!.id].toSorted())
    })

    it('for a conversation: the newest that are not erased', async () => {
      const { records, settleInTurn } = await opened()
      const all = await settleInTurn(6, () => ({ conversationId: 'c1' }))
      for (const { id } of all.slice(3)) await records.erase(erasure(id))
      const newest = await records.newestOfConversation({ conversationId: 'c1', limit: 2 })
      expect(newest.map(({ id }) => id)).toEqual([all[2]!.id, all[1]!.id])
      expect((await records.idsOfConversation('c1')).sort()).toEqual(
        all
          .slice(0, 3)
          .map(({ id }) => id)
          .sort(),
      )
      expect(await records.idsOfConversation('c2')).toEqual([])
    })

    it('as received before an instant and not yet erased, oldest first', async () => {
      const { records, settleInTurn } = await opened()
      const all = (await settleInTurn(4)).map(({ id }) => id)
      await records.erase(erasure(all[1]!))
      expect(await records.receivedBefore({ before: later(3), limit: 10 })).toEqual([all[0], all[2]])
      expect(await records.receivedBefore({ before: later(3), limit: 1 })).toEqual([all[0]])
    })

    it('and nothing is found under an id that is not there', async () => {
      const { records } = await opened()
      expect(await records.attachment(newAttachmentId())).toBeNull()
      expect(await records.attachment('')).toBeNull()
      expect(await records.storedAmong([])).toEqual([])
    })

    it('of five hundred ids, those under which bytes are kept', async () => {
      const { records, settleInTurn } = await opened()
      const kept = (await settleInTurn(3)).map(({ id }) => id)
      const asked = [...Array.from({ length: 497 }, () => newAttachmentId()), ...kept]
      expect((await records.storedAmong(asked)).sort()).toEqual([...kept].sort())
    })
  })

  describe(`records in ${name}: an attachment is erased`, () => {
    it('key, name, digest, words, verdicts and answer go; ids, times and an audit row stay', async () => {
      const { records, settle, ids } = await opened()
      const one = settlement({
        filename: 'passport.jpg',
        conversationId: 'c1',
        messageId: 'm1',
        detail: 'about passport',
      })
      const { id, sha256 } = one.attachment
      await settle(one)
      const erased = await records.erase(erasure(id))
      expect(erased).toEqual({
        id,
        erasedAt: later(3600),
        now: true,
        recordDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
        stored: true,
      })
      expect(await records.dataKey(id)).toBeNull()
      expect(await records.attachment(id)).toMatchObject({
        id,
        state: 'erased',
        conversationId: 'c1',
        messageId: 'm1',
        filename: null,
        sha256: null,
        code: null,
        detail: null,
        verdicts: [],
        receivedAt: epoch.toISOString(),
      })
      expect(await ids({ q: 'passport' })).toEqual([])
      expect(await ids({ q: sha256! })).toEqual([])
      expect(await ids({ q: id })).toEqual([id])
      // A late repetition is known, so that it does not bring the file back, and its answer is gone.
      expect(await records.earlierDelivery(one.delivery!)).toEqual({ fingerprint: null, answer: null })
      expect((await records.listAudit({ limit: 10 })).map(({ what, object }) => [what, object])).toEqual([
        ['take', id],
        ['erase', id],
      ])
    })

    it('a second time with the same receipt, and nothing more is written', async () => {
      const { records, settle } = await opened()
      const one = settlement()
      await settle(one)
      const { id } = one.attachment
      const first = await records.erase(erasure(id))
      expect(await records.erase(erasure(id, later(9999)))).toEqual({ ...first, now: false })
      expect(await records.listAudit({ limit: 10 })).toHaveLength(2)
    })

    it('by two at once with one receipt', async () => {
      const { records, settle } = await opened()
      const one = settlement()
      await settle(one)
      const receipts = await Promise.all([1, 2, 3].map((s) => records.erase(erasure(one.attachment.id, later(s)))))
      expect(receipts.map((receipt) => receipt?.now).sort()).toEqual([false, false, true])
      expect(new Set(receipts.map((receipt) => JSON.stringify({ ...receipt, now: null }))).size).toBe(1)
      expect(await records.listAudit({ limit: 10 })).toHaveLength(2)
    })

    it('and what is still owed for it is dropped, leased or not, while what was delivered stays told', async () => {
      const { records, settle, lease } = await opened()
      const [waiting, leased, done] = [settlement(), settlement(), settlement({ conversationId: 'done' })]
      await settle(waiting, leased, done)
      const taken = await lease(later(1))
      const of = (one: Settlement) => ({ attachmentId: one.attachment.id, lease: 'courier' })
      expect(taken).toHaveLength(3)
      await records.settleConfirmation({
        ...of(waiting),
        outcome: { kind: 'parked', at: later(2), uncertain: false, reason: 'x' },
      })
      const delivered = { kind: 'delivered', way: 'message', at: later(2), possiblyRepeated: false } as const
      await records.settleConfirmation({ ...of(done), outcome: delivered })
      for (const { attachment } of [waiting, leased, done]) await records.erase(erasure(attachment.id))
      expect(await records.settleConfirmation({ ...of(leased), outcome: delivered })).toBe(false)
      const state = async (one: Settlement) => (await records.attachment(one.attachment.id))?.confirmation?.state
      expect([await state(waiting), await state(leased), await state(done)]).toEqual([
        'dropped',
        'dropped',
        'delivered',
      ])
      expect(await lease(later(100_000))).toEqual([])
    })

    it('and a delivery that was known by its message is forgotten', async () => {
      const { records, settle } = await opened()
      const delivery = { scope: 'message', key: 'digest of ids and content', fingerprint: 'f' }
      const one = settlement({}, { delivery })
      await settle(one)
      await records.erase(erasure(one.attachment.id))
      expect(await records.earlierDelivery(delivery)).toBeNull()
      await settle(settlement({}, { delivery }))
    })

    it('and until its bytes are removed it is among those to be finished', async () => {
      const { records, settle } = await opened()
      const [one, other, unkept] = [settlement(), settlement(), refusal()]
      await settle(one, other, unkept)
      expect(await records.storedInVain(10)).toEqual([])
      await records.erase(erasure(one.attachment.id))
      expect((await records.erase(erasure(unkept.attachment.id)))?.stored).toBe(false)
      expect(await records.storedInVain(10)).toEqual([one.attachment.id])
      expect(await records.storedAmong([one.attachment.id])).toEqual([one.attachment.id])
      await records.bytesRemoved(one.attachment.id)
      expect(await records.storedInVain(10)).toEqual([])
      expect(await records.storedAmong([one.attachment.id, other.attachment.id])).toEqual([other.attachment.id])
      expect((await records.erase(erasure(one.attachment.id)))?.stored).toBe(false)
    })

    it('only if it is there', async () => {
      const { records } = await opened()
      expect(await records.erase(erasure(newAttachmentId()))).toBeNull()
      expect(await records.listAudit({ limit: 10 })).toEqual([])
    })
  })

  describe(`records in ${name}: deliveries are forgotten`, () => {
    it('when they are older than asked, but not those that are known by their message', async () => {
      const { records, settle } = await opened()
      const at = (seconds: number, scope: string) =>
        settlement(
          { receivedAt: later(seconds).toISOString() },
          { delivery: { scope, key: `${scope}${seconds}`, fingerprint: 'f' } },
        )
      const [old, young, message] = [at(0, 'key:a'), at(60, 'key:a'), at(0, 'message')]
      await settle(old, young, message)
      await records.forgetDeliveries({ before: later(60) })
      expect(await records.earlierDelivery(old.delivery!)).toBeNull()
      expect(await records.earlierDelivery(young.delivery!)).not.toBeNull()
      expect(await records.earlierDelivery(message.delivery!)).not.toBeNull()
    })

    it('and the same key of another credential is another delivery', async () => {
      const { settle } = await opened()
      const delivery = { key: 'same', fingerprint: 'f' }
      await settle(
        settlement({}, { delivery: { scope: 'key:a', ...delivery } }),
        settlement({}, { delivery: { scope: 'key:b', ...delivery } }),
      )
    })
  })

  describe(`records in ${name}: the outbox`, () => {
    const delivered = { kind: 'delivered', way: 'message', at: later(30), possiblyRepeated: false } as const

    it('gives what is due, oldest first, and nothing twice while a lease runs', async () => {
      const { settleInTurn, lease } = await opened()
      const all = await settleInTurn(3)
      expect(await lease(later(-1))).toEqual([])
      const taken = await lease(later(10), { limit: 2 })
      expect(taken).toEqual(
        all.slice(0, 2).map(({ id, conversationId }) => ({
          attachmentId: id,
          round: 0,
          conversationId,
          language: 'en',
          attempts: 0,
          uncertain: false,
          lease: 'courier',
        })),
      )
      expect((await lease(later(11), { lease: 'other' })).map(({ attachmentId }) => attachmentId)).toEqual([all[2]!.id])
      expect(await lease(later(12))).toEqual([])
    })

    it('leases one of a conversation at a time', async () => {
      const { records, settleInTurn, lease } = await opened()
      const all = await settleInTurn(3, (i) => ({ conversationId: i === 2 ? 'c2' : 'c1' }))
      const taken = await lease(later(10))
      expect(taken.map(({ attachmentId }) => attachmentId)).toEqual([all[0]!.id, all[2]!.id])
      expect(await lease(later(11))).toEqual([])
      await records.settleConfirmation({ attachmentId: all[0]!.id, lease: 'courier', outcome: delivered })
      expect((await lease(later(12))).map(({ attachmentId }) => attachmentId)).toEqual([all[1]!.id])
    })

    it('is leased to one of many that ask at once', async () => {
      const { settleInTurn, lease } = await opened()
      await settleInTurn(20)
      const taken = await Promise.all(
        Array.from({ length: 10 }, (_, i) => lease(later(60), { limit: 5, lease: `courier-${i}` })),
      )
      const ids = taken.flat().map(({ attachmentId }) => attachmentId)
      expect(ids).toHaveLength(20)
      expect(new Set(ids).size).toBe(20)
    })

    it('takes an answer only from who holds the lease', async () => {
      const { records, settleInTurn, lease } = await opened()
      const [one] = await settleInTurn(1)
      const attachmentId = one!.id
      expect(await records.settleConfirmation({ attachmentId, lease: 'courier', outcome: delivered })).toBe(false)
      await lease(later(1), { lease: 'lost', seconds: 10 })
      await lease(later(12), { lease: 'held', seconds: 10 })
      expect(await records.settleConfirmation({ attachmentId, lease: 'lost', outcome: delivered })).toBe(false)
      expect(await records.settleConfirmation({ attachmentId, lease: 'held', outcome: delivered })).toBe(true)
      expect(await records.settleConfirmation({ attachmentId, lease: 'held', outcome: delivered })).toBe(false)
      expect((await records.attachment(attachmentId))?.confirmation).toEqual({
        state: 'delivered',
        way: 'message',
        at: later(30).toISOString(),
      })
    })

    it('gives one whose lease ran out again, as uncertain: an attempt may have reached the platform', async () => {
      const { settleInTurn, lease } = await opened()
      await settleInTurn(1)
      await lease(later(1), { lease: 'dead', seconds: 10 })
      expect(await lease(later(10))).toEqual([])
      expect(await lease(later(11))).toMatchObject([{ attempts: 1, uncertain: true, lease: 'courier' }])
    })

    it('gives back the leases of a process that died, at once and as uncertain', async () => {
      const { records, settleInTurn, lease } = await opened()
      await settleInTurn(2)
      await lease(later(1), { limit: 1, seconds: 9999 })
      await records.releaseLeases(later(2))
      const taken = await lease(later(2), { lease: 'next' })
      expect(taken.map(({ attempts, uncertain }) => [attempts, uncertain]).sort()).toEqual([
        [0, false],
        [1, true],
      ])
    })

    it('tries again when the time has come, and knows whether it was uncertain', async () => {
      const { records, settleInTurn, lease } = await opened()
      const [one] = await settleInTurn(1)
      const attachmentId = one!.id
      for (const [attempts, uncertain] of [
        [0, false],
        [1, true],
        [2, false],
        [3, true],
      ] as const) {
        const due = later(100 * attempts)
        if (attempts > 0) expect(await lease(new Date(due.getTime() - 1))).toEqual([])
        expect(await lease(due)).toMatchObject([{ attempts, uncertain }])
        const outcome = {
          kind: 'retry',
          nextAt: later(100 * (attempts + 1)),
          uncertain: !uncertain,
          reason: 'busy',
        } as const
        expect(await records.settleConfirmation({ attachmentId, lease: 'courier', outcome })).toBe(true)
        const waiting = await records.listOutbox({ state: 'pending', limit: 10 })
        expect(waiting).toMatchObject([{ attempts: attempts + 1, nextAt: outcome.nextAt, reason: 'busy' }])
      }
    })

    it('parks what is given up, with its reason, and makes it due again when told to', async () => {
      const { records, settleInTurn, lease } = await opened()
      const all = await settleInTurn(3)
      await lease(later(10))
      for (const { id } of all)
        await records.settleConfirmation({
          attachmentId: id,
          lease: 'courier',
          outcome: { kind: 'parked', at: later(20), uncertain: false, reason: 'forbidden' },
        })
      expect(await lease(later(100_000))).toEqual([])
      expect(await records.listOutbox({ state: 'parked', limit: 10 })).toMatchObject(
        Array(3).fill({ state: 'parked', reason: 'forbidden' }),
      )
      expect((await records.attachment(all[0]!.id))?.confirmation).toEqual({
        state: 'parked',
        way: null,
        at: later(20).toISOString(),
      })
      const retry = { at: later(30), audit: entry({ what: 'outbox_retry' }) }
      expect(await records.retryConfirmations({ ...retry, attachmentId: all[0]!.id })).toBe(1)
      expect(await records.retryConfirmations({ ...retry, attachmentId: all[0]!.id })).toBe(0)
      expect(await lease(later(30))).toMatchObject([{ attachmentId: all[0]!.id, attempts: 0 }])
      expect(await records.retryConfirmations({ ...retry, attachmentId: null })).toBe(2)
      const told = (await records.listAudit({ limit: 10 })).slice(3).map(({ what, outcome }) => [what, outcome])
      expect(told).toEqual([
        ['outbox_retry', '1 due again'],
        ['outbox_retry', '0 due again'],
        ['outbox_retry', '2 due again'],
      ])
    })

    it('drops what is pending or parked, and nothing that was delivered', async () => {
      const { records, settleInTurn, lease } = await opened()
      const [pending, done] = await settleInTurn(2)
      await lease(later(10))
      await records.settleConfirmation({ attachmentId: done!.id, lease: 'courier', outcome: delivered })
      const drop = (id: string) =>
        records.dropConfirmations({ attachmentId: id, at: later(40), audit: entry({ what: 'outbox_drop' }) })
      expect(await drop(pending!.id)).toBe(1)
      expect(await drop(pending!.id)).toBe(0)
      expect(await drop(done!.id)).toBe(0)
      expect((await records.attachment(pending!.id))?.confirmation?.state).toBe('dropped')
      expect(
        await records.settleConfirmation({ attachmentId: pending!.id, lease: 'courier', outcome: delivered }),
      ).toBe(false)
    })

    it('tells when the customer may have read it twice', async () => {
      const { records, settleInTurn, lease } = await opened()
      const [one] = await settleInTurn(1)
      await lease(later(10))
      const outcome = { ...delivered, way: 'attributes', possiblyRepeated: true } as const
      await records.settleConfirmation({ attachmentId: one!.id, lease: 'courier', outcome })
      expect((await records.attachment(one!.id))?.confirmation).toEqual({
        state: 'delivered',
        way: 'attributes',
        at: later(30).toISOString(),
        possiblyRepeated: true,
      })
    })

    it('counts what is pending and parked, how old the oldest is, when the next is due and which ways worked', async () => {
      const { records, settleInTurn, lease } = await opened()
      expect(await records.outboxState()).toEqual({ pending: 0, parked: 0, oldestPendingAt: null, nextDueAt: null })
      const all = await settleInTurn(4)
      await lease(later(10), { limit: 3 })
      const settled = (i: number, outcome: Parameters<Records['settleConfirmation']>[0]['outcome']) =>
        records.settleConfirmation({ attachmentId: all[i]!.id, lease: 'courier', outcome })
      await settled(0, delivered)
      await settled(1, { kind: 'parked', at: later(11), uncertain: false, reason: 'x' })
      await settled(2, { kind: 'retry', nextAt: later(500), uncertain: false, reason: 'x' })
      expect(await records.outboxState()).toEqual({
        pending: 2,
        parked: 1,
        oldestPendingAt: later(2),
        nextDueAt: later(3),
      })
      expect(await records.deliveredByWay()).toEqual([{ way: 'message', count: 1 }])
      expect(await records.listOutbox({ state: null, limit: 2 })).toHaveLength(2)
    })
  })

  describe(`records in ${name}: the audit trail`, () => {
    it('keeps who did what in order, and gives it page by page', async () => {
      const { records } = await opened()
      const entries = Array.from({ length: 5 }, (_, i) =>
        entry({ at: later(i), who: `key ${i}`, what: 'read', outcome: 'whole', detail: `${i}` }),
      )
      for (const one of entries) await records.audit(one)
      const all = await records.listAudit({ limit: 10 })
      expect(all.map(({ node, seq, previous, digest, ...rest }) => rest)).toEqual(entries)
      expect(await records.listAudit({ limit: 2, after: all[1]! })).toEqual(all.slice(2, 4))
    })
  })

  describe(`records in ${name}: the chain of the audit trail`, () => {
    /** The form that the documentation gives, made here a second time: others verify by it. */
    const digestOf = ({ node, seq, at, who, what, object, outcome, requestId, detail, previous }: AuditLink) => {
      const fields = [node, seq, at.getTime(), who, what, object, outcome, requestId, detail, previous]
      return createHash('sha256')
        .update(JSON.stringify(['clipgate audit', 1, ...fields]))
        .digest('hex')
    }
    async function chainOf(records: Records) {
      const rows = await records.listAudit({ limit: 1000 })
      expect(rows.map(({ seq }) => seq)).toEqual(rows.map((_, i) => i + 1))
      expect(new Set(rows.map(({ node }) => node)).size).toBeLessThanOrEqual(1)
      expect(rows.map(({ previous }) => previous)).toEqual(
        ['0'.repeat(64), ...rows.map(({ digest }) => digest)].slice(0, rows.length),
      )
      expect(rows.map(({ digest }) => digest)).toEqual(rows.map(digestOf))
      return rows
    }
    const verified = async (records: Records, node: string) => records.verifyAudit({ node, after: null, limit: 1000 })

    it('goes from 1 without gaps through what is settled, read and erased, each row with the digest of the one before', async () => {
      const { records, settle } = await opened()
      const [one, other] = [settlement(), refusal()]
      await settle(one, other)
      await records.audit(entry({ what: 'read', object: one.attachment.id, detail: 'x', requestId: null }))
      await records.erase(erasure(one.attachment.id))
      const rows = await chainOf(records)
      expect(rows.map(({ what }) => what)).toEqual(['take', 'take', 'read', 'erase'])
      const { node, digest } = rows.at(-1)!
      expect(node).toMatch(/^[0-9a-f]{8}$/)
      expect(await verified(records, node)).toEqual({ whole: 4, last: { node, seq: 4, digest }, broken: null })
    })

    it('has no gap after fifty that settle at once, of which some fail and some were there already', async () => {
      const { records, settle } = await opened()
      const taken = settlement()
      await settle(taken)
      const all = Array.from({ length: 50 }, (_, i) => {
        const delivery = { scope: 'key:tests', key: `failing ${i}`, fingerprint: 'f' }
        if (i % 5 === 1) return settlement({ id: taken.attachment.id }, { delivery })
        if (i % 5 === 3) return settlement({}, { delivery: taken.delivery })
        return settlement()
      })
      const answers = await Promise.allSettled(all.map((one) => records.settle(one)))
      expect(answers.filter(({ status }) => status === 'rejected')).toHaveLength(10)
      const rows = await chainOf(records)
      const settled = all.filter((_, i) => i % 5 !== 1 && i % 5 !== 3)
      expect(rows.map(({ object }) => object)).toEqual([taken, ...settled].map(({ attachment }) => attachment.id))
    })

    it('has no link of a change that was undone, and goes on from the one before it', async () => {
      const { records, settle } = await opened()
      const one = settlement()
      await settle(one)
      const before = await chainOf(records)
      await expect(records.settle({ ...one, delivery: null })).rejects.toThrow()
      expect(await chainOf(records)).toEqual(before)
      await settle(settlement())
      const after = await chainOf(records)
      expect(after.slice(0, 1)).toEqual(before)
      expect(after[1]?.previous).toBe(before[0]?.digest)
    })

    it('goes on after a restart, under the same node', async () => {
      const { records, reopen, settle } = await opened()
      await settle(settlement(), settlement())
      const before = await chainOf(records)
      const again = await reopen()
      await again.audit(entry({ what: 'service_start' }))
      const after = await chainOf(again)
      expect(after.slice(0, 2)).toEqual(before)
      expect(after.map(({ node }) => node)).toEqual(Array(3).fill(before[0]!.node))
    })

    it('is of what is kept, whatever the texts hold', async () => {
      const { records } = await opened()
      for (const text of naughtyNames)
        await records.audit(entry({ who: text, outcome: text, object: text, requestId: text, detail: text }))
      const rows = await chainOf(records)
      expect((await verified(records, rows[0]!.node)).broken).toBeNull()
      expect(rows.map(({ detail }) => detail)).toEqual(
        naughtyNames.map((text) => text.replaceAll('\0', '\ufffd').toWellFormed()),
      )
    })

    it('has a head, which it still contains when it has grown; what was never a head it does not contain', async () => {
      const { records } = await opened()
      expect(await records.auditHeads()).toEqual([])
      for (let i = 0; i < 3; i++) await records.audit(entry({ at: later(i) }))
      const rows = await chainOf(records)
      const [head, ...others] = await records.auditHeads()
      expect([head, others]).toEqual([{ node: rows[2]!.node, seq: 3, digest: rows[2]!.digest }, []])
      await records.audit(entry())
      expect(await records.auditHas(head!)).toBe(true)
      expect(await records.auditHas({ ...head!, seq: 2 })).toBe(false)
      expect(await records.auditHas({ ...head!, seq: 99 })).toBe(false)
      expect(await records.auditHas({ ...head!, digest: 'f'.repeat(64) })).toBe(false)
    })

    it('is verified a few rows at a time, also when it ends with such a few', async () => {
      const { records } = await opened()
      for (let i = 0; i < 6; i++) await records.audit(entry({ at: later(i) }))
      const { node, digest } = (await chainOf(records))[5]!
      const first = await records.verifyAudit({ node, after: null, limit: 4 })
      expect(first).toMatchObject({ whole: 4, last: { seq: 4 }, broken: null })
      const second = await records.verifyAudit({ node, after: first.last, limit: 2 })
      expect(second).toEqual({ whole: 2, last: { node, seq: 6, digest }, broken: null })
      expect(await records.verifyAudit({ node, after: second.last, limit: 2 })).toEqual({ ...second, whole: 0 })
    })

    it('is searched by object, who, kind and time, newest first, page by page, also among rows of one instant', async () => {
      const { records } = await opened()
      for (let i = 0; i < 12; i++)
        await records.audit(
          entry({
            at: later(Math.floor(i / 4)),
            who: i % 2 ? 'odd' : 'even',
            what: i % 3 ? 'read' : 'see',
            object: i === 5 ? null : `att_${i % 2}`,
          }),
        )
      const seqs = async (query: Partial<AuditQuery> = {}) =>
        (await records.findAudit({ limit: 100, ...query })).map(({ seq }) => seq)
      expect(await seqs()).toEqual([12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1])
      expect(await seqs({ who: 'odd' })).toEqual([12, 10, 8, 6, 4, 2])
      expect(await seqs({ what: 'see' })).toEqual([10, 7, 4, 1])
      expect(await seqs({ object: 'att_1' })).toEqual([12, 10, 8, 4, 2])
      expect(await seqs({ from: later(1) })).toEqual([12, 11, 10, 9, 8, 7, 6, 5])
      expect(await seqs({ from: later(1), to: later(2), who: 'even' })).toEqual([7, 5])
      const paged: number[] = []
      for (let before: AuditLink | undefined; ; ) {
        const page = await records.findAudit({ limit: 5, before })
        paged.push(...page.map(({ seq }) => seq))
        before = page.at(-1)
        if (!before) break
      }
      expect(paged).toEqual(await seqs())
    })
  })

  describe(`records in ${name}`, () => {
    it('say that they work, and change nothing by it', async () => {
      const { records, settle, ids } = await opened()
      const one = settlement()
      await settle(one)
      await records.check()
      await records.truncateLog()
      expect(await ids()).toEqual([one.attachment.id])
      expect(await records.earlierDelivery(one.delivery!)).not.toBeNull()
    })

    it('answer what was asked before they are closed, and are unavailable after', async () => {
      const { records } = await opened()
      const asked = Promise.all(Array.from({ length: 20 }, () => records.settle(settlement())))
      const closed = records.close()
      expect(await asked).toEqual(Array(20).fill({ kind: 'settled' }))
      await closed
      await records.close()
      await expect(records.masterKeyIds()).rejects.toThrow(Unavailable)
      await expect(records.settle(settlement())).rejects.toThrow(Unavailable)
    })
  })
}
