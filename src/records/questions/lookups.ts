import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { type Learned, learn } from './fetches.ts'
import { together } from './together.ts'

/** A conversation, or one message of it, that is to be looked at. */
export interface Ask {
  conversationId: string
  /** Null: every message of the conversation. */
  messageId: string | null
  /** Of the sentence that the customer gets; null: not said. */
  language: string | null
}

/** Keeps that these are to be looked at. Asked for again, they are looked at again, but for what a backfill has done. */
export async function askLookups(
  db: Kysely<Schema>,
  { asks, at, backfill = null }: { asks: Ask[]; at: Date; backfill?: string | null },
): Promise<void> {
  for (const { conversationId, messageId, language } of asks) {
    const asked = { asked_at: at.getTime(), next_at: at.getTime() }
    await db
      .insertInto('lookups')
      .values({
        conversation_id: conversationId,
        message_id: messageId ?? '',
        language,
        backfill,
        asks: 1,
        state: 'pending',
        attempts: 0,
        lease: null,
        reason: null,
        ...asked,
      })
      .onConflict((conflict) =>
        backfill === null
          ? conflict
              .columns(['conversation_id', 'message_id'])
              .doUpdateSet(({ eb, ref, fn }) => ({
                asks: eb(ref('lookups.asks'), '+', 1),
                language: fn.coalesce('excluded.language', 'lookups.language'),
                backfill: null,
                asked_at: asked.asked_at,
                // One that is leased comes again when it is settled; one that waits by the timetable goes on waiting there.
                attempts: eb.case().when('lookups.state', '=', 'pending').then(ref('lookups.attempts')).else(0).end(),
                next_at: eb
                  .case()
                  .when('lookups.state', '=', 'pending')
                  .then(ref('lookups.next_at'))
                  .else(asked.next_at)
                  .end(),
                state: 'pending',
              }))
              // A message does not change: what was found with it once is all that came with it.
              .where(({ eb, or }) =>
                or([eb('lookups.message_id', '=', ''), eb('lookups.state', 'in', ['missing', 'parked'])]),
              )
          : conflict
              .columns(['conversation_id', 'message_id'])
              .doUpdateSet(({ eb, ref }) => ({
                backfill,
                // What is due anyhow is looked at anyhow; what failed for good is tried again.
                state: eb
                  .case()
                  .when(eb.and([eb('lookups.state', '=', 'done'), eb('lookups.backfill', 'is not', null)]))
                  .then('done')
                  .else('pending')
                  .end(),
                attempts: 0,
                next_at: eb
                  .case()
                  .when('lookups.state', '=', 'pending')
                  .then(ref('lookups.next_at'))
                  .else(asked.next_at)
                  .end(),
                asked_at: asked.asked_at,
              }))
              // What runs for somebody who waits is left to them.
              .where(({ eb, or }) =>
                or([eb('lookups.state', '!=', 'pending'), eb('lookups.backfill', 'is not', null)]),
              ),
      )
      .execute()
  }
}

/** An event from outside, by an id of its own, and what it asks for. */
export interface TakenEvent {
  id: string
  asks: Ask[]
}

/** Takes events in that were not taken before. Returns how many were new. */
export async function takeEvents(
  db: Kysely<Schema>,
  { events, at }: { events: TakenEvent[]; at: Date },
): Promise<number> {
  let taken = 0
  for (const { id, asks } of events) {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('seen_events')
      .values({ id, at: at.getTime() })
      .onConflict((conflict) => conflict.column('id').doNothing())
      .executeTakeFirstOrThrow()
    if (!numInsertedOrUpdatedRows) continue
    taken++
    await askLookups(db, { asks, at })
  }
  return taken
}

/** A look-up that is ours to make until its lease runs out. */
export interface LeasedLookup extends Ask {
  backfill: string | null
  /** Attempts that began before this one. */
  attempts: number
  asks: number
  lease: string
}

/** Takes up to `limit` look-ups that are due, the longest due first: those of backfills, or the others. */
export async function leaseLookups(
  db: Kysely<Schema>,
  { lease, now, until, limit, backfills }: { lease: string; now: Date; until: Date; limit: number; backfills: boolean },
): Promise<LeasedLookup[]> {
  const due = await db
    .selectFrom('lookups')
    .select(['conversation_id', 'message_id', 'language', 'backfill', 'attempts', 'asks'])
    .where('state', '=', 'pending')
    .where('next_at', '<=', now.getTime())
    .where('backfill', backfills ? 'is not' : 'is', null)
    .orderBy('next_at')
    .limit(limit)
    .execute()
  await together(
    ...due.map(({ conversation_id, message_id }) =>
      db
        .updateTable('lookups')
        .set(({ eb }) => ({ lease, next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
        .where('conversation_id', '=', conversation_id)
        .where('message_id', '=', message_id)
        .execute(),
    ),
  )
  return due.map((row) => ({
    conversationId: row.conversation_id,
    messageId: row.message_id || null,
    language: row.language,
    backfill: row.backfill,
    attempts: row.attempts,
    asks: row.asks,
    lease,
  }))
}

/** How a look-up ended. `missing`: the platform knows no such conversation or message. `parked`: given up. */
export type LookedUp =
  | { kind: 'done'; learned: Learned[]; scan: 'required' | 'off' }
  | { kind: 'retry'; nextAt: Date; reason: string }
  | { kind: 'missing' | 'parked'; reason: string }

/**
 * Settles a look-up, only if its lease is still held, together with the attachments that it has found. Null: it was not
 * held, and nothing was changed. Else how many of the attachments were new.
 */
export async function settleLookup(
  db: Kysely<Schema>,
  { leased, outcome, at }: { leased: LeasedLookup; outcome: LookedUp; at: Date },
): Promise<number | null> {
  const { conversationId, messageId, lease, asks } = leased
  const { numUpdatedRows } = await db
    .updateTable('lookups')
    .set(({ eb }) =>
      outcome.kind === 'retry'
        ? { lease: null, next_at: outcome.nextAt.getTime(), reason: outcome.reason }
        : {
            lease: null,
            reason: outcome.kind === 'done' ? null : outcome.reason,
            attempts: 0,
            next_at: at.getTime(),
            // Asked for again meanwhile: there may be more now.
            state: eb.case().when('asks', '>', asks).then('pending').else(outcome.kind).end(),
          },
    )
    .where('conversation_id', '=', conversationId)
    .where('message_id', '=', messageId ?? '')
    .where('state', '=', 'pending')
    .where('lease', '=', lease)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return null
  return outcome.kind === 'done' ? learn(db, { ...leased, ...outcome, at }) : 0
}

export type LookupState = 'pending' | 'done' | 'missing' | 'parked'

/** How what was asked for stands. Null: it was never asked for. */
export async function lookupState(
  db: Kysely<Schema>,
  { conversationId, messageId }: { conversationId: string; messageId: string | null },
): Promise<{ state: LookupState; attempts: number; reason: string | null } | null> {
  const row = await db
    .selectFrom('lookups')
    .select(['state', 'attempts', 'reason'])
    .where('conversation_id', '=', conversationId)
    .where('message_id', '=', messageId ?? '')
    .executeTakeFirst()
  return row ? { ...row, state: row.state as LookupState } : null
}

/** Conversations that were spoken of since then, the last first. */
export async function conversationsSince(
  db: Kysely<Schema>,
  { since, limit }: { since: Date; limit: number },
): Promise<string[]> {
  const rows = await db
    .selectFrom('lookups')
    .select(({ fn }) => ['conversation_id', fn.max('asked_at').as('last')])
    .where('asked_at', '>=', since.getTime())
    .where('backfill', 'is', null)
    .groupBy('conversation_id')
    .orderBy('last', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ conversation_id }) => conversation_id)
}

/** Forgets what was done, and events that were taken, before then. */
export async function forgetLookups(db: Kysely<Schema>, { before }: { before: Date }): Promise<void> {
  await db.deleteFrom('lookups').where('asked_at', '<', before.getTime()).where('state', '!=', 'pending').execute()
  await db.deleteFrom('seen_events').where('at', '<', before.getTime()).execute()
}
