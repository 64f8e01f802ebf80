import type { Kysely } from 'kysely'
import type { Attachment, AttachmentId, AttachmentState, Verdict } from '../../attachment.ts'
import type { RefusalCode } from '../../errors.ts'
import type { Schema } from '../schema.ts'
import { type NewAlert, oweAlert } from './alerts.ts'
import { attachment } from './attachments.ts'
import { type AuditEntry, audit } from './audit.ts'
import { oweAgain } from './outbox.ts'

/** Whose decision a file waits for. */
export const waitedFor = ['person', 'engine'] as const
export type WaitedFor = (typeof waitedFor)[number]

/** How a file is kept that is neither served nor thrown away. */
export interface Hold {
  waitsFor: WaitedFor
  /** It is destroyed then, unless somebody has decided. */
  until: Date
}

export async function hold(
  db: Kysely<Schema>,
  { id, hold, at }: { id: AttachmentId; hold: Hold; at: Date },
): Promise<void> {
  const row = {
    waits_for: hold.waitsFor,
    since: at.getTime(),
    until: hold.until.getTime(),
    next_at: at.getTime(),
    asked_by: null,
    asked_at: null,
  }
  await db
    .insertInto('quarantine')
    .values({ attachment_id: id, ...row })
    .onConflict((conflict) => conflict.column('attachment_id').doUpdateSet(row))
    .execute()
}

/** What becomes of an attachment after it was settled. */
export interface Decision {
  id: AttachmentId
  at: Date
  /** Only if it is one of these by now. */
  from: AttachmentState[]
  become: 'accepted' | 'refused' | 'quarantined' | 'recalled'
  code: RefusalCode | null
  detail: string | null
  /** What engines say of it by now. Null: as before. */
  verdicts: Verdict[] | null
  /** How it is kept from now on. Null: it is not held. */
  hold: Hold | null
  /** Whether the conversation is owed word of it. */
  tell: boolean
  alert: NewAlert | null
  audit: AuditEntry
}

/**
 * Decides what becomes of an attachment. One that becomes refused loses its key: its bytes are of no use from then on. Null: it
 * is not, or no longer, in a state to be decided on, so nothing was changed. Else as it is now.
 */
export async function decide(db: Kysely<Schema>, decision: Decision): Promise<Attachment | null> {
  const { id, at, become } = decision
  const { numUpdatedRows } = await db
    .updateTable('attachments')
    .set({
      state: become,
      code: decision.code,
      detail: decision.detail,
      ...(decision.verdicts && { verdicts: JSON.stringify(decision.verdicts) }),
    })
    .where('id', '=', id)
    .where('state', 'in', decision.from)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return null
  if (become === 'refused') await db.deleteFrom('data_keys').where('attachment_id', '=', id).execute()
  if (decision.hold) await hold(db, { id, hold: decision.hold, at })
  // What a person let through stays known, so that the next signatures do not call it back.
  else if (become === 'accepted')
    await db
      .updateTable('quarantine')
      .set({ waits_for: 'nobody', asked_by: null, asked_at: null })
      .where('attachment_id', '=', id)
      .where('waits_for', '=', 'person')
      .execute()
  if (!decision.hold)
    await db.deleteFrom('quarantine').where('attachment_id', '=', id).where('waits_for', '!=', 'nobody').execute()
  if (decision.tell) await oweAgain(db, { id, at })
  if (decision.alert) await oweAlert(db, { alert: decision.alert, attachmentId: id, at })
  await audit(db, decision.audit)
  return attachment(db, id)
}

/** One that waits for a decision. */
export interface Held {
  attachment: Attachment
  waitsFor: WaitedFor
  since: Date
  until: Date
  /** Who would let it through, where a second person must agree. */
  asked: { by: string; at: Date } | null
}

/** What waits, the longest first; after the one that was the last of the page before. */
export async function listHeld(
  db: Kysely<Schema>,
  { waitsFor, limit, after }: { waitsFor: WaitedFor | null; limit: number; after: { since: Date; id: string } | null },
): Promise<Held[]> {
  let rows = heldRows(db).orderBy('since').orderBy('attachment_id').limit(limit)
  if (waitsFor !== null) rows = rows.where('waits_for', '=', waitsFor)
  if (after)
    rows = rows.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('since', 'attachment_id'), '>', tuple(after.since.getTime(), after.id)),
    )
  const found = await Promise.all((await rows.execute()).map((row) => toHeld(db, row)))
  return found.filter((one) => one !== null)
}

/** Null: it does not wait. */
export async function heldOne(db: Kysely<Schema>, id: AttachmentId): Promise<Held | null> {
  const row = await heldRows(db).where('attachment_id', '=', id).executeTakeFirst()
  return row ? toHeld(db, row) : null
}

function heldRows(db: Kysely<Schema>) {
  return db.selectFrom('quarantine').selectAll().where('waits_for', 'in', waitedFor)
}

async function toHeld(db: Kysely<Schema>, row: Schema['quarantine']): Promise<Held | null> {
  const held = await attachment(db, row.attachment_id)
  return (
    held && {
      attachment: held,
      waitsFor: row.waits_for as WaitedFor,
      since: new Date(row.since),
      until: new Date(row.until),
      asked: row.asked_by === null ? null : { by: row.asked_by, at: new Date(row.asked_at!) },
    }
  )
}

/** How many wait, for whom. */
export async function heldState(db: Kysely<Schema>): Promise<Record<WaitedFor, number>> {
  const rows = await db
    .selectFrom('quarantine')
    .where('waits_for', 'in', waitedFor)
    .groupBy('waits_for')
    .select(({ fn }) => ['waits_for', fn.countAll<number>().as('count')])
    .execute()
  const of = (waitsFor: WaitedFor) => Number(rows.find((row) => row.waits_for === waitsFor)?.count ?? 0)
  return { person: of('person'), engine: of('engine') }
}

/** Whose time is over. */
export async function heldTooLong(
  db: Kysely<Schema>,
  { now, limit }: { now: Date; limit: number },
): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('quarantine')
    .select('attachment_id')
    .where('waits_for', 'in', waitedFor)
    .where('until', '<=', now.getTime())
    .limit(limit)
    .execute()
  return rows.map(({ attachment_id }) => attachment_id as AttachmentId)
}

/**
 * Somebody would let a file through, where a second person must agree. `asked`: that is on record now, or was, by the same person.
 * `agreed`: by another. Null: it does not wait for a person.
 */
export async function askRelease(
  db: Kysely<Schema>,
  { id, by, at, audit: entry }: { id: AttachmentId; by: string; at: Date; audit: AuditEntry },
): Promise<'asked' | 'agreed' | null> {
  const row = await heldRows(db).where('attachment_id', '=', id).where('waits_for', '=', 'person').executeTakeFirst()
  if (!row) return null
  if (row.asked_by !== null) return row.asked_by === by ? 'asked' : 'agreed'
  await db
    .updateTable('quarantine')
    .set({ asked_by: by, asked_at: at.getTime() })
    .where('attachment_id', '=', id)
    .execute()
  await audit(db, entry)
  return 'asked'
}

/** Takes what waits for an engine and is due: nobody else takes it until then. */
export async function leaseHeld(
  db: Kysely<Schema>,
  { now, until, limit }: { now: Date; until: Date; limit: number },
): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('quarantine')
    .select('attachment_id')
    .where('waits_for', '=', 'engine')
    .where('next_at', '<=', now.getTime())
    .orderBy('next_at')
    .limit(limit)
    .execute()
  const ids = rows.map(({ attachment_id }) => attachment_id as AttachmentId)
  if (ids.length > 0)
    await db.updateTable('quarantine').set({ next_at: until.getTime() }).where('attachment_id', 'in', ids).execute()
  return ids
}
