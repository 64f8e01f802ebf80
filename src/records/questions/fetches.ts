import type { Kysely } from 'kysely'
import { type AttachmentId, newAttachmentId, type Sender } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { type NewAlert, oweAlert } from './alerts.ts'
import { type AuditEntry, audit } from './audit.ts'
import { together } from './together.ts'
import { forgetWords, keepWords } from './words.ts'

/** An attachment of a message, as the platform tells of it. */
export interface Learned {
  messageId: string
  /** The platform's own id of it. */
  sourceId: string
  filename: string
  declaredType: string
  /** Null: the customer. */
  sentBy: Sender | null
}

/** Keeps the attachments that are not known yet as to be fetched. Returns how many there were. */
export async function learn(
  db: Kysely<Schema>,
  about: {
    conversationId: string
    language: string | null
    backfill: string | null
    learned: Learned[]
    scan: 'required' | 'off'
    at: Date
  },
): Promise<number> {
  const at = about.at.getTime()
  let count = 0
  for (const { messageId, sourceId, filename, declaredType, sentBy } of about.learned) {
    const id = newAttachmentId()
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('fetches')
      .values({
        attachment_id: id,
        conversation_id: about.conversationId,
        message_id: messageId,
        source_id: sourceId,
        language: about.language,
        backfill: about.backfill,
        scan: about.scan,
        state: 'fetching',
        became: null,
        attempts: 0,
        next_at: at,
        lease: null,
        reason: null,
        learned_at: at,
        settled_at: null,
        sent_by: sentBy,
      })
      .onConflict((conflict) => conflict.columns(['conversation_id', 'message_id', 'source_id']).doNothing())
      .executeTakeFirstOrThrow()
    if (!numInsertedOrUpdatedRows) continue
    count++
    await db.insertInto('fetch_names').values({ attachment_id: id, filename, declared_type: declaredType }).execute()
    await keepWords(db, { id, filename, receivedAt: at })
  }
  return count
}

/** The messages of a conversation whose attachments are known. */
export async function knownMessages(db: Kysely<Schema>, conversationId: string): Promise<string[]> {
  const rows = await db
    .selectFrom('fetches')
    .select('message_id')
    .distinct()
    .where('conversation_id', '=', conversationId)
    .execute()
  return rows.map(({ message_id }) => message_id)
}

/** An attachment that is ours to fetch until the lease runs out. */
export interface LeasedFetch extends Learned {
  attachmentId: AttachmentId
  conversationId: string
  language: string | null
  learnedAt: Date
  /** Attempts that began before this one. */
  attempts: number
  lease: string
}

/** Takes up to `limit` fetches that are due, those of backfills last, the longest due first, and none that is `busy`. */
export async function leaseFetches(
  db: Kysely<Schema>,
  { lease, now, until, limit, busy = [] }: { lease: string; now: Date; until: Date; limit: number; busy?: string[] },
): Promise<LeasedFetch[]> {
  const due = (backfills: boolean, most: number) =>
    db
      .selectFrom('fetches')
      .innerJoin('fetch_names', 'fetch_names.attachment_id', 'fetches.attachment_id')
      .select([
        'fetches.attachment_id',
        'conversation_id',
        'message_id',
        'source_id',
        'language',
        'learned_at',
        'attempts',
        'sent_by',
        'filename',
        'declared_type',
      ])
      .where('state', '=', 'fetching')
      .where('backfill', backfills ? 'is not' : 'is', null)
      .where('next_at', '<=', now.getTime())
      .$if(busy.length > 0, (rows) => rows.where('fetches.attachment_id', 'not in', busy))
      .orderBy('next_at')
      .limit(most)
      .execute()
  // What is new does not wait for what is old.
  const taken = await due(false, limit)
  if (taken.length < limit) taken.push(...(await due(true, limit - taken.length)))
  await together(
    ...taken.map(({ attachment_id }) =>
      db
        .updateTable('fetches')
        .set(({ eb }) => ({ lease, next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
        .where('attachment_id', '=', attachment_id)
        .execute(),
    ),
  )
  return taken.map((row) => ({
    attachmentId: row.attachment_id as AttachmentId,
    conversationId: row.conversation_id,
    messageId: row.message_id,
    sourceId: row.source_id,
    filename: row.filename,
    declaredType: row.declared_type,
    sentBy: row.sent_by as Sender | null,
    language: row.language,
    learnedAt: new Date(row.learned_at),
    attempts: row.attempts,
    lease,
  }))
}

/**
 * How an attempt ended, other than with a record of its own. `became`: the file is an attachment that came through another
 * door. `unfetched`: given up, with the reason.
 */
export type Fetched =
  | { kind: 'became'; attachmentId: AttachmentId }
  | { kind: 'retry'; nextAt: Date; reason: string }
  | { kind: 'unfetched'; reason: string; alert: NewAlert | null }

export interface HeldFetch {
  attachmentId: AttachmentId
  lease: string
}

/** Settles an attempt, only if its lease is still held. Tells whether it was. */
export async function settleFetch(
  db: Kysely<Schema>,
  { fetch, outcome, at }: { fetch: HeldFetch; outcome: Fetched; at: Date },
): Promise<boolean> {
  if (outcome.kind === 'became') return endFetch(db, { fetch, became: outcome.attachmentId, at })
  const { numUpdatedRows } = await db
    .updateTable('fetches')
    .set(
      outcome.kind === 'retry'
        ? { lease: null, reason: outcome.reason, next_at: outcome.nextAt.getTime() }
        : { lease: null, reason: outcome.reason, state: 'unfetched', settled_at: at.getTime() },
    )
    .where('attachment_id', '=', fetch.attachmentId)
    .where('state', '=', 'fetching')
    .where('lease', '=', fetch.lease)
    .executeTakeFirst()
  if (numUpdatedRows > 0n && outcome.kind === 'unfetched' && outcome.alert)
    await oweAlert(db, { alert: outcome.alert, attachmentId: fetch.attachmentId, at })
  return numUpdatedRows > 0n
}

/** The file is here, as `became`. False: the lease is not held any more, and nothing was changed. */
export async function endFetch(
  db: Kysely<Schema>,
  { fetch, became, at }: { fetch: HeldFetch; became: AttachmentId; at: Date },
): Promise<boolean> {
  const { attachmentId, lease } = fetch
  const { numUpdatedRows } = await db
    .updateTable('fetches')
    .set({ lease: null, reason: null, state: 'done', became, settled_at: at.getTime() })
    .where('attachment_id', '=', attachmentId)
    .where('state', '=', 'fetching')
    .where('lease', '=', lease)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await db.deleteFrom('fetch_names').where('attachment_id', '=', attachmentId).execute()
  if (became !== attachmentId) await forgetWords(db, attachmentId)
  return true
}

/** Makes what was given up due again, from the first step of the timetable: one, or all. Returns how many. */
export async function retryFetches(
  db: Kysely<Schema>,
  { attachmentId, at, audit: entry }: { attachmentId: string | null; at: Date; audit: AuditEntry },
): Promise<number> {
  let rows = db
    .updateTable('fetches')
    .set({ state: 'fetching', attempts: 0, next_at: at.getTime(), settled_at: null, lease: null })
    .where('state', '=', 'unfetched')
  if (attachmentId !== null) rows = rows.where('attachment_id', '=', attachmentId)
  const fetches = (await rows.executeTakeFirst()).numUpdatedRows
  let lookups = 0n
  if (attachmentId === null)
    lookups = (
      await db
        .updateTable('lookups')
        .set({ state: 'pending', attempts: 0, next_at: at.getTime(), lease: null })
        .where('state', '=', 'parked')
        .executeTakeFirst()
    ).numUpdatedRows
  await audit(db, { ...entry, outcome: `${fetches + lookups} due again` })
  return Number(fetches + lookups)
}

/** After a start of the only process: what the one before was at is due at once. */
export async function releasePulls(db: Kysely<Schema>, now: Date): Promise<void> {
  const due = { lease: null, next_at: now.getTime() }
  await db.updateTable('fetches').set(due).where('state', '=', 'fetching').where('lease', 'is not', null).execute()
  await db.updateTable('lookups').set(due).where('state', '=', 'pending').where('lease', 'is not', null).execute()
}

/** How the pull door stands: for health and metrics. */
export interface PullState {
  /** Conversations and messages to be looked at, and given up. */
  lookups: { pending: number; parked: number }
  fetching: number
  unfetched: number
  /** When the next look-up or fetch becomes due; null when none waits. */
  nextDueAt: Date | null
}

export async function pullState(db: Kysely<Schema>): Promise<PullState> {
  const lookups = await db
    .selectFrom('lookups')
    .where('state', 'in', ['pending', 'parked'])
    .select(({ fn }) => ['state', fn.countAll<number>().as('count'), fn.min('next_at').as('next')])
    .groupBy('state')
    .execute()
  const fetches = await db
    .selectFrom('fetches')
    .where('state', 'in', ['fetching', 'unfetched'])
    .select(({ fn }) => ['state', fn.countAll<number>().as('count'), fn.min('next_at').as('next')])
    .groupBy('state')
    .execute()
  const rows = [...lookups, ...fetches]
  const count = (wanted: string) => Number(rows.find(({ state }) => state === wanted)?.count ?? 0)
  const due = rows.filter(({ state }) => state === 'pending' || state === 'fetching').map(({ next }) => Number(next))
  return {
    lookups: { pending: count('pending'), parked: count('parked') },
    fetching: count('fetching'),
    unfetched: count('unfetched'),
    nextDueAt: due.length > 0 ? new Date(Math.min(...due)) : null,
  }
}

/** How a backfill stands: its conversations, and their attachments by what became of them. */
export interface BackfillState {
  conversations: { pending: number; done: number; missing: number; parked: number }
  attachments: { fetching: number; unfetched: number; accepted: number; refused: number; other: number }
}

export async function backfillState(db: Kysely<Schema>, backfill: string): Promise<BackfillState> {
  const lookups = await db
    .selectFrom('lookups')
    .where('backfill', '=', backfill)
    .select(({ fn }) => ['state', fn.countAll<number>().as('count')])
    .groupBy('state')
    .execute()
  const fetches = await db
    .selectFrom('fetches')
    .leftJoin('attachments', 'attachments.id', 'fetches.became')
    .where('fetches.backfill', '=', backfill)
    .select(({ fn }) => [
      fn.coalesce('attachments.state', 'fetches.state').as('state'),
      fn.countAll<number>().as('count'),
    ])
    .groupBy((eb) => eb.fn.coalesce('attachments.state', 'fetches.state'))
    .execute()
  const conversations = { pending: 0, done: 0, missing: 0, parked: 0 }
  for (const { state, count } of lookups) conversations[state as keyof typeof conversations] += Number(count)
  const attachments = { fetching: 0, unfetched: 0, accepted: 0, refused: 0, other: 0 }
  for (const { state, count } of fetches) {
    const known = Object.hasOwn(attachments, state) ? (state as keyof typeof attachments) : 'other'
    attachments[known] += Number(count)
  }
  return { conversations, attachments }
}
