import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../../tests/database.ts'
import type { AttachmentId } from '../../attachment.ts'
import { leaseAlerts } from '../questions/alerts.ts'
import { listAttachments } from '../questions/attachments.ts'
import { findAudit } from '../questions/audit.ts'
import { filesByDay } from '../questions/days.ts'
import { storedInVain } from '../questions/erase.ts'
import { leaseFetches } from '../questions/fetches.ts'
import { gatewayFile } from '../questions/gateway.ts'
import { isUnsent, unsentFiles, untoldFiles } from '../questions/gatewayLeft.ts'
import { leaseMessages, leaseSentFiles } from '../questions/gatewaySent.ts'
import { filesByMasterKey, filesUnder } from '../questions/keys.ts'
import { link, linksOf } from '../questions/links.ts'
import { leaseLookups } from '../questions/lookups.ts'
import { leaseConfirmations, releaseLeases } from '../questions/outbox.ts'
import { heldTooLong, leaseHeld, listHeld } from '../questions/quarantine.ts'
import { leaseRescan } from '../questions/rescan.ts'
import { keysUnder, rewrapKeys } from '../questions/rotation.ts'
import { leaseScrub } from '../questions/scrub.ts'
import { forgetSessions, session, sessionIsLive, touchSession } from '../questions/sessions.ts'
import { forgetDeliveries } from '../questions/settle.ts'
import { storedPage } from '../questions/stored.ts'
import { knownVerdicts } from '../questions/verdicts.ts'
import { openDatabase } from './database.ts'
import { queriesOver } from './queries.ts'

/** How SQLite would go about each query that a question asks: one line a step. */
async function planOf(ask: (db: ReturnType<typeof queriesOver>) => Promise<unknown>): Promise<string[]> {
  const { path, close } = await temporaryRecords()
  onTestFinished(close)
  const database = openDatabase(path)
  onTestFinished(() => database.close())
  const steps: string[] = []
  const explaining = new Proxy(database, {
    get(target, name) {
      if (name !== 'prepare') return Reflect.get(target, name).bind(target)
      return (query: string) => {
        for (const { detail } of target.prepare(`EXPLAIN QUERY PLAN ${query}`).all() as { detail: string }[])
          steps.push(detail)
        return target.prepare(query)
      }
    },
  })
  await ask(queriesOver(explaining))
  return steps
}

const wrapped = { masterKeyId: 'mk_a', wrapped: new Uint8Array(61) }
const rewrapped = { attachmentId: 'att_1', from: wrapped, to: wrapped }
const now = new Date('2026-11-01T00:00:00Z')

describe('what is asked often goes through an index, and sorts nothing', () => {
  it.each<[string, (db: ReturnType<typeof queriesOver>) => Promise<unknown>]>([
    ['what is due', (db) => leaseConfirmations(db, { lease: 'x', now, until: now, limit: 8, busy: ['c-1', 'c-2'] })],
    ['leases to be released', (db) => releaseLeases(db, now)],
    ['alerts that are due', (db) => leaseAlerts(db, { lease: 'x', now, until: now, limit: 8 })],
    ['look-ups that are due', (db) => leaseLookups(db, { lease: 'x', now, until: now, limit: 8, backfills: false })],
    ['look-ups of backfills', (db) => leaseLookups(db, { lease: 'x', now, until: now, limit: 1, backfills: true })],
    ['files to be fetched', (db) => leaseFetches(db, { lease: 'x', now, until: now, limit: 8, busy: ['att_1'] })],
    ['files whose conversation is to be found', (db) => leaseSentFiles(db, { now, until: now, limit: 4 })],
    ['a file of the gateway by either id', (db) => gatewayFile(db, { session: 's', id: 'g' })],
    ['files of a session that were not told', (db) => untoldFiles(db, { session: 's', since: now })],
    ['files that nobody sent', (db) => unsentFiles(db, { before: now, limit: 500 })],
    ['whether nobody sent a file', (db) => isUnsent(db, { id: 'att_1' as AttachmentId, before: now })],
    ['messages whose conversation is to be found', (db) => leaseMessages(db, { now, until: now, limit: 4 })],
    ['what is held', (db) => listHeld(db, { waitsFor: 'person', limit: 50, after: null })],
    ['what an engine is to judge', (db) => leaseHeld(db, { now, until: now, limit: 1 })],
    ['what was held too long', (db) => heldTooLong(db, { now, limit: 500 })],
    ['what is stored in vain', (db) => storedInVain(db, 500)],
    ['verdicts', (db) => knownVerdicts(db, { digests: ['d1', 'd2'], since: now })],
    ['the walk', (db) => leaseRescan(db, { lease: 'x', signatures: 'a', now, until: now, oldest: now, limit: 20 })],
    ['what is under older master keys', (db) => filesUnder(db, ['mk_a', 'mk_b'])],
    ['what is under each master key', (db) => filesByMasterKey(db)],
    ['keys to be wrapped anew', (db) => keysUnder(db, { masterKeyId: 'mk_a', after: 'att_1', limit: 500 })],
    ['keys that are wrapped anew', (db) => rewrapKeys(db, { keys: [rewrapped] })],
    ['a session by its secret', (db) => session(db, { digests: ['d1', 'd2'], now })],
    ['whether a session goes on', (db) => sessionIsLive(db, { id: 'ses_1', now })],
    [
      'a session that is used',
      (db) => touchSession(db, { id: 'ses_1', now, liveUntil: now, name: 'Maria', role: 'agent' }),
    ],
    ['sessions that are over', (db) => forgetSessions(db, now)],
    ['the walk that proves', (db) => leaseScrub(db, { lease: 'x', now, until: now, withinMs: 1, limit: 20 })],
    [
      'a page of stored files',
      (db) => storedPage(db, { after: { id: 'att_' as AttachmentId, receivedAt: now }, limit: 500 }),
    ],
    ['a link', (db) => link(db, { digests: ['d1', 'd2'], now })],
    ['links of a file', (db) => linksOf(db, { attachmentId: 'att_1' as AttachmentId, now, limit: 200 })],
    ['files by day', (db) => filesByDay(db, { from: now, to: now })],
    ['the trail by who', (db) => findAudit(db, { who: 'anna', limit: 50 })],
    ['the trail by what', (db) => findAudit(db, { what: 'erase', limit: 50, before: { at: now, node: 'n', seq: 1 } })],
    ['a list', (db) => listAttachments(db, { limit: 50 })],
    ['a list after a page', (db) => listAttachments(db, { limit: 50, after: { receivedAt: 1, id: 'att_' } })],
    ['a list by type', (db) => listAttachments(db, { limit: 50, type: 'image/png' })],
    ['a list by door', (db) => listAttachments(db, { limit: 50, door: 'pull' })],
    ['a list by state', (db) => listAttachments(db, { limit: 50, state: 'refused' })],
  ])('%s', async (_, ask) => {
    const steps = await planOf(ask)
    expect(steps.length).toBeGreaterThan(0)
    for (const step of steps) {
      expect(step).not.toMatch(/^SCAN (?!.* USING (COVERING )?INDEX)/)
      expect(step).not.toContain('TEMP B-TREE')
    }
  })

  it('what senders named and is over, by an index that has nothing else in it', async () => {
    const steps = await planOf((db) => forgetDeliveries(db, { before: now }))
    expect(steps).toEqual([expect.stringContaining('INDEX deliveries_to_forget (at<?)')])
  })
})
