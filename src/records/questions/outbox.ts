import type { Kysely } from 'kysely'
import type { AttachmentId, Way } from '../../attachment.ts'
import type { ConfirmationRow, Schema } from '../schema.ts'
import { retryAlerts } from './alerts.ts'
import { type AuditEntry, audit } from './audit.ts'
import { insertRow } from './compiled.ts'
import { together } from './together.ts'

/** A confirmation that is ours to deliver until its lease runs out. */
export interface Leased {
  attachmentId: AttachmentId
  conversationId: string
  language: string
  /** How often the conversation was owed word of it before: what became of it later is told too. */
  round: number
  /** Attempts that began before this one. */
  attempts: number
  /** An earlier attempt began and its answer is not known. */
  uncertain: boolean
  lease: string
}

/**
 * Takes up to `limit` confirmations that are due, at most one a conversation, oldest first. One whose lease ran out is
 * taken again as uncertain, unless its conversation is `busy`: what runs here runs on though the clock was set forward.
 */
export async function leaseConfirmations(
  db: Kysely<Schema>,
  { lease, now, until, limit, busy = [] }: { lease: string; now: Date; until: Date; limit: number; busy?: string[] },
): Promise<Leased[]> {
  const due = await db
    .selectFrom('confirmations')
    .select(['attachment_id', 'conversation_id', 'language', 'attempts', 'uncertain', 'lease', 'round'])
    .where('state', '=', 'pending')
    .where('next_at', '<=', now.getTime())
    .$if(busy.length > 0, (rows) => rows.where('conversation_id', 'not in', busy))
    // Of the few that are leased, and so asked once: not once for each that is due.
    .where('conversation_id', 'not in', ({ selectFrom }) =>
      selectFrom('confirmations as leased')
        .select('leased.conversation_id')
        .where('leased.lease', 'is not', null)
        .where('leased.next_at', '>', now.getTime()),
    )
    .orderBy('next_at')
    .limit(limit * 4)
    .execute()
  const taken = new Map<string, Leased>()
  for (const row of due) {
    if (taken.size === limit) break
    if (taken.has(row.conversation_id)) continue
    taken.set(row.conversation_id, {
      attachmentId: row.attachment_id as AttachmentId,
      conversationId: row.conversation_id,
      language: row.language,
      round: row.round,
      attempts: row.attempts,
      uncertain: row.uncertain === 1 || row.lease !== null,
      lease,
    })
  }
  const leased = [...taken.values()]
  await together(
    ...leased.map(({ attachmentId, uncertain }) =>
      db
        .updateTable('confirmations')
        .set(({ eb }) => ({
          lease,
          next_at: until.getTime(),
          uncertain: uncertain ? 1 : 0,
          attempts: eb('attempts', '+', 1),
        }))
        .where('attachment_id', '=', attachmentId)
        .execute(),
    ),
  )
  return leased
}

/** How an attempt ended. `uncertain`: the platform may have taken it although we do not know. */
export type Delivered =
  | { kind: 'delivered'; way: Way; at: Date; possiblyRepeated: boolean }
  | { kind: 'retry'; nextAt: Date; uncertain: boolean; reason: string }
  | { kind: 'parked'; at: Date; uncertain: boolean; reason: string }

/** Settles an attempt, only if its lease is still held. Tells whether it was. */
export async function settleConfirmation(
  db: Kysely<Schema>,
  { attachmentId, lease, outcome }: { attachmentId: AttachmentId; lease: string; outcome: Delivered },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('confirmations')
    .set(
      outcome.kind === 'delivered'
        ? {
            state: 'delivered',
            way: outcome.way,
            settled_at: outcome.at.getTime(),
            possibly_repeated: outcome.possiblyRepeated ? 1 : 0,
            reason: null,
            lease: null,
          }
        : outcome.kind === 'retry'
          ? {
              next_at: outcome.nextAt.getTime(),
              uncertain: outcome.uncertain ? 1 : 0,
              reason: outcome.reason,
              lease: null,
            }
          : {
              state: 'parked',
              settled_at: outcome.at.getTime(),
              uncertain: outcome.uncertain ? 1 : 0,
              reason: outcome.reason,
              lease: null,
            },
    )
    .where('attachment_id', '=', attachmentId)
    .where('state', '=', 'pending')
    .where('lease', '=', lease)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** A conversation is owed word of an attachment, for the first time. */
export async function oweConfirmation(
  db: Kysely<Schema>,
  {
    attachmentId,
    conversationId,
    language,
    at,
  }: { attachmentId: AttachmentId; conversationId: string; language: string; at: Date },
): Promise<void> {
  await insertRow(db, 'confirmations', {
    attachment_id: attachmentId,
    conversation_id: conversationId,
    language,
    state: 'pending',
    way: null,
    attempts: 0,
    next_at: at.getTime(),
    lease: null,
    uncertain: 0,
    possibly_repeated: 0,
    reason: null,
    created_at: at.getTime(),
    settled_at: null,
    round: 0,
  })
}

/**
 * Something else became of an attachment: its conversation is owed word of that too. What is still owed tells it anyway; what is
 * being said now may tell what was, so it is said again. Where nothing was ever owed, nothing is.
 */
export async function oweAgain(db: Kysely<Schema>, { id, at }: { id: AttachmentId; at: Date }): Promise<void> {
  await db
    .updateTable('confirmations')
    .set(({ eb }) => ({
      state: 'pending',
      round: eb('round', '+', 1),
      way: null,
      attempts: 0,
      next_at: at.getTime(),
      lease: null,
      uncertain: 0,
      possibly_repeated: 0,
      reason: null,
      settled_at: null,
    }))
    .where('attachment_id', '=', id)
    .where(({ or, and, eb }) =>
      or([eb('state', '!=', 'pending'), and([eb('state', '=', 'pending'), eb('lease', 'is not', null)])]),
    )
    .execute()
}

/** After a start of the only process: leases of the one before run out at once, and what they did is uncertain. */
export async function releaseLeases(db: Kysely<Schema>, now: Date): Promise<void> {
  await db
    .updateTable('confirmations')
    .set({ lease: null, uncertain: 1, next_at: now.getTime() })
    .where('lease', 'is not', null)
    .execute()
}

export interface OutboxEntry {
  attachmentId: string
  conversationId: string
  state: string
  way: string | null
  attempts: number
  nextAt: Date
  reason: string | null
  createdAt: Date
}

/** What becomes of what is owed. */
export const owedStates = ['pending', 'parked', 'delivered', 'dropped'] as const

/** The oldest first, after the one that was the last of the page before. */
export async function listOutbox(
  db: Kysely<Schema>,
  {
    state,
    limit,
    after = null,
  }: { state: string | null; limit: number; after?: { createdAt: Date; attachmentId: string } | null },
): Promise<OutboxEntry[]> {
  const found: OutboxEntry[] = []
  // Each state by its index: all of them in one order would go through all that was ever owed.
  for (const one of state === null ? owedStates : [state]) {
    let rows = db
      .selectFrom('confirmations')
      .selectAll()
      .where('state', '=', one)
      .orderBy('created_at')
      .orderBy('attachment_id')
      .limit(limit)
    if (after)
      rows = rows.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('created_at', 'attachment_id'), '>', tuple(after.createdAt.getTime(), after.attachmentId)),
      )
    found.push(...(await rows.execute()).map(toEntry))
  }
  return found
    .sort((a, b) => a.createdAt.getTime() - b.createdAt.getTime() || (a.attachmentId < b.attachmentId ? -1 : 1))
    .slice(0, limit)
}

function toEntry(row: ConfirmationRow): OutboxEntry {
  return {
    attachmentId: row.attachment_id,
    conversationId: row.conversation_id,
    state: row.state,
    way: row.way,
    attempts: row.attempts,
    nextAt: new Date(row.next_at),
    reason: row.reason,
    createdAt: new Date(row.created_at),
  }
}

/** Makes parked confirmations, and alerts, due again, from the first step of the timetable. Returns how many. */
export async function retryConfirmations(
  db: Kysely<Schema>,
  { attachmentId, at, audit: entry }: { attachmentId: string | null; at: Date; audit: AuditEntry },
): Promise<number> {
  let rows = db
    .updateTable('confirmations')
    .set({ state: 'pending', attempts: 0, next_at: at.getTime(), settled_at: null, lease: null })
    .where('state', '=', 'parked')
  if (attachmentId !== null) rows = rows.where('attachment_id', '=', attachmentId)
  const { numUpdatedRows } = await rows.executeTakeFirst()
  const count = Number(numUpdatedRows) + (await retryAlerts(db, { attachmentId, at }))
  await audit(db, { ...entry, outcome: `${count} due again` })
  return count
}

/** Gives up what is owed. Returns how many. */
export async function dropConfirmations(
  db: Kysely<Schema>,
  { attachmentId, at, audit: entry }: { attachmentId: string; at: Date; audit: AuditEntry },
): Promise<number> {
  const { numUpdatedRows } = await db
    .updateTable('confirmations')
    .set({ state: 'dropped', reason: 'dropped by the operator', settled_at: at.getTime(), lease: null })
    .where('state', 'in', ['pending', 'parked'])
    .where('attachment_id', '=', attachmentId)
    .executeTakeFirst()
  await audit(db, { ...entry, outcome: `${numUpdatedRows} dropped` })
  return Number(numUpdatedRows)
}

/** How the outbox stands: for health and metrics. */
export interface OutboxState {
  pending: number
  parked: number
  /** When the oldest that is pending was owed; null when none is. */
  oldestPendingAt: Date | null
  /** When the next becomes due; null when none is pending. */
  nextDueAt: Date | null
}

export async function outboxState(db: Kysely<Schema>): Promise<OutboxState> {
  const owed = await db
    .selectFrom('confirmations')
    .where('state', '=', 'pending')
    .select(({ fn }) => [
      fn.countAll<number>().as('count'),
      fn.min('created_at').as('oldest'),
      fn.min('next_at').as('next'),
    ])
    .executeTakeFirstOrThrow()
  const parked = await db
    .selectFrom('confirmations')
    .where('state', '=', 'parked')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  const date = (ms: number | null) => (ms === null ? null : new Date(Number(ms)))
  return {
    pending: Number(owed.count),
    parked: Number(parked.count),
    oldestPendingAt: date(owed.oldest),
    nextDueAt: date(owed.next),
  }
}

/** By which ways the last 1,000 confirmations were delivered. */
export async function deliveredByWay(db: Kysely<Schema>): Promise<{ way: string; count: number }[]> {
  const rows = await db
    .selectFrom(
      db
        .selectFrom('confirmations')
        .select('way')
        .where('state', '=', 'delivered')
        .orderBy('created_at', 'desc')
        .limit(1000)
        .as('last'),
    )
    .select(({ fn }) => ['way', fn.countAll<number>().as('count')])
    .groupBy('way')
    .execute()
  return rows.map(({ way, count }) => ({ way: way ?? '', count: Number(count) }))
}
