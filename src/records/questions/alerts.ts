import type { Kysely } from 'kysely'
import type { AttachmentId } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { together } from './together.ts'

export const alertKinds = ['refused', 'accepted', 'unfetched', 'quarantined', 'recalled'] as const
export type AlertKind = (typeof alertKinds)[number]

/** What is owed to the webhook about a file. */
export interface NewAlert {
  /** `alr_` and random characters: the same at each attempt, so that the receiver knows it again. */
  id: string
  kind: AlertKind
}

export async function oweAlert(
  db: Kysely<Schema>,
  { alert, attachmentId, at }: { alert: NewAlert; attachmentId: AttachmentId; at: Date },
): Promise<void> {
  const time = at.getTime()
  await db
    .insertInto('alerts')
    .values({
      ...alert,
      attachment_id: attachmentId,
      state: 'pending',
      attempts: 0,
      next_at: time,
      lease: null,
      reason: null,
      created_at: time,
      settled_at: null,
    })
    .execute()
}

/** An alert that is ours to send until its lease runs out. */
export interface LeasedAlert extends NewAlert {
  attachmentId: AttachmentId
  createdAt: Date
  /** Attempts that began before this one. */
  attempts: number
  lease: string
}

/** Takes up to `limit` alerts that are due, the longest due first. One whose lease ran out is taken again. */
export async function leaseAlerts(
  db: Kysely<Schema>,
  { lease, now, until, limit }: { lease: string; now: Date; until: Date; limit: number },
): Promise<LeasedAlert[]> {
  const due = await db
    .selectFrom('alerts')
    .select(['id', 'kind', 'attachment_id', 'attempts', 'created_at'])
    .where('state', '=', 'pending')
    .where('next_at', '<=', now.getTime())
    .orderBy('next_at')
    .limit(limit)
    .execute()
  await together(
    ...due.map(({ id }) =>
      db
        .updateTable('alerts')
        .set(({ eb }) => ({ lease, next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
        .where('id', '=', id)
        .execute(),
    ),
  )
  return due.map((row) => ({
    id: row.id,
    kind: row.kind as AlertKind,
    attachmentId: row.attachment_id as AttachmentId,
    createdAt: new Date(row.created_at),
    attempts: row.attempts,
    lease,
  }))
}

/** How an attempt ended. `dropped`: there is nothing to tell any more. */
export type AlertOutcome =
  | { kind: 'delivered' | 'dropped' }
  | { kind: 'parked'; reason: string }
  | { kind: 'retry'; nextAt: Date; reason: string }

/** Settles an attempt, only if its lease is still held. Tells whether it was. */
export async function settleAlert(
  db: Kysely<Schema>,
  { id, lease, outcome, at }: { id: string; lease: string; outcome: AlertOutcome; at: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('alerts')
    .set(
      outcome.kind === 'retry'
        ? { lease: null, reason: outcome.reason, next_at: outcome.nextAt.getTime() }
        : {
            lease: null,
            reason: outcome.kind === 'parked' ? outcome.reason : null,
            state: outcome.kind,
            settled_at: at.getTime(),
          },
    )
    .where('id', '=', id)
    .where('state', '=', 'pending')
    .where('lease', '=', lease)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** After a start of the only process: what the one before was sending is due at once. */
export async function releaseAlerts(db: Kysely<Schema>, now: Date): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ lease: null, next_at: now.getTime() })
    .where('state', '=', 'pending')
    .where('lease', 'is not', null)
    .execute()
}

/** Makes parked alerts due again, from the first step of the timetable: of one attachment, or all. */
export async function retryAlerts(
  db: Kysely<Schema>,
  { attachmentId, at }: { attachmentId: string | null; at: Date },
): Promise<number> {
  let rows = db
    .updateTable('alerts')
    .set({ state: 'pending', attempts: 0, next_at: at.getTime(), settled_at: null, lease: null })
    .where('state', '=', 'parked')
  if (attachmentId !== null) rows = rows.where('attachment_id', '=', attachmentId)
  return Number((await rows.executeTakeFirst()).numUpdatedRows)
}

/** What was about an erased file is owed to nobody any more. */
export async function dropAlerts(
  db: Kysely<Schema>,
  { attachmentId, at }: { attachmentId: AttachmentId; at: Date },
): Promise<void> {
  await db
    .updateTable('alerts')
    .set({ state: 'dropped', lease: null, settled_at: at.getTime() })
    .where('attachment_id', '=', attachmentId)
    .where('state', 'in', ['pending', 'parked'])
    .execute()
}

export interface AlertState {
  pending: number
  parked: number
  /** When the next becomes due; null when none is pending. */
  nextDueAt: Date | null
}

export async function alertState(db: Kysely<Schema>): Promise<AlertState> {
  const rows = await db
    .selectFrom('alerts')
    .where('state', 'in', ['pending', 'parked'])
    .select(({ fn }) => ['state', fn.countAll<number>().as('count'), fn.min('next_at').as('next')])
    .groupBy('state')
    .execute()
  const of = (wanted: string) => rows.find(({ state }) => state === wanted)
  const next = of('pending')?.next
  return {
    pending: Number(of('pending')?.count ?? 0),
    parked: Number(of('parked')?.count ?? 0),
    nextDueAt: next === undefined ? null : new Date(Number(next)),
  }
}

/** Forgets what was delivered or dropped before then. */
export async function forgetAlerts(db: Kysely<Schema>, { before }: { before: Date }): Promise<void> {
  await db
    .deleteFrom('alerts')
    .where('settled_at', '<', before.getTime())
    .where('state', 'in', ['delivered', 'dropped'])
    .execute()
}
