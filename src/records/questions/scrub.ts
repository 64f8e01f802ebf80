import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'
import { type StoredAfter, type StoredFile, storedPage } from './stored.ts'

const one = 1

/** A walk through all stored files. */
export interface ScrubWalk {
  beganAt: Date
  /** Null: it goes on. */
  endedAt: Date | null
  /** Files when it began, and how many were read since. */
  total: number
  done: number
}

/** Null: none was ever made. */
export async function scrubState(db: Kysely<Schema>): Promise<ScrubWalk | null> {
  const walk = await db.selectFrom('scrub').selectAll().where('one', '=', one).executeTakeFirst()
  if (!walk) return null
  const { began_at, ended_at, total, done } = walk
  return { beganAt: new Date(began_at), endedAt: ended_at === null ? null : new Date(ended_at), total, done }
}

/** Begins a walk through so many files, unless one goes on or has begun since `before`. */
export async function beginScrub(
  db: Kysely<Schema>,
  { total, now, before }: { total: number; now: Date; before: Date },
): Promise<void> {
  const walk = await db.selectFrom('scrub').selectAll().where('one', '=', one).executeTakeFirst()
  if (walk && (walk.ended_at === null || walk.began_at > before.getTime())) return
  const begun = {
    began_at: now.getTime(),
    ended_at: null,
    total,
    done: 0,
    reached_at: null,
    reached_id: null,
    lease: null,
    leased_until: 0,
  }
  await db
    .insertInto('scrub')
    .values({ one, ...begun })
    .onConflict((conflict) => conflict.column('one').doUpdateSet(begun))
    .execute()
}

/**
 * The next files of the walk, the newest first, as many as are due now when all are to be read within `withinMs`, and at most
 * `limit`. Empty: none is due, there is no walk, or somebody else does it.
 */
export async function leaseScrub(
  db: Kysely<Schema>,
  asked: { lease: string; now: Date; until: Date; withinMs: number; limit: number },
): Promise<StoredFile[]> {
  const now = asked.now.getTime()
  const walk = await db.selectFrom('scrub').selectAll().where('one', '=', one).executeTakeFirst()
  if (!walk || walk.ended_at !== null) return []
  if (walk.lease && walk.lease !== asked.lease && walk.leased_until > now) return []
  // One more than whole ones, so that the last is asked for, and the end is found.
  const due = Math.floor((walk.total * (now - walk.began_at)) / asked.withinMs) + 1 - walk.done
  if (due <= 0) return []
  const after = walk.reached_at === null ? firstOf(walk.began_at) : afterOf(walk.reached_at, walk.reached_id!)
  const files = await storedPage(db, { after, limit: Math.min(due, asked.limit) })
  await db
    .updateTable('scrub')
    .set(
      files.length === 0 ? { ended_at: now, lease: null } : { lease: asked.lease, leased_until: asked.until.getTime() },
    )
    .where('one', '=', one)
    .execute()
  return files
}

/** What came in since a walk began is for the next one. */
function firstOf(beganAt: number): StoredAfter {
  return afterOf(beganAt, '')
}

function afterOf(at: number, id: string): StoredAfter {
  return { receivedAt: new Date(at), id: id as StoredAfter['id'] }
}

/** Keeps that the walk has come so far, and what was found there; only while its lease is held. */
export async function settleScrub(
  db: Kysely<Schema>,
  { lease, reached, found }: { lease: string; reached: StoredAfter; found: AuditEntry | null },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('scrub')
    .set(({ eb }) => ({
      reached_at: reached.receivedAt.getTime(),
      reached_id: reached.id,
      done: eb('done', '+', 1),
    }))
    .where('one', '=', one)
    .where('lease', '=', lease)
    .executeTakeFirst()
  if (numUpdatedRows > 0n && found) await audit(db, found)
}

/** After a start of the only process: the walk is nobody's. */
export async function releaseScrub(db: Kysely<Schema>): Promise<void> {
  await db.updateTable('scrub').set({ lease: null, leased_until: 0 }).execute()
}
