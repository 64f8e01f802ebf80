import type { Kysely } from 'kysely'
import type { AttachmentId, Verdict } from '../../attachment.ts'
import type { Schema } from '../schema.ts'

/** One that is to be judged again. */
export interface Rescanned {
  id: AttachmentId
  receivedAt: Date
}

const one = 1

/**
 * Goes on with the walk through accepted attachments, or begins one when the last was by other signatures: the newest first, none
 * older than `oldest`, none that a person let through, none that came in since it began. Empty: there is nothing to do now, or
 * somebody else does it.
 */
export async function leaseRescan(
  db: Kysely<Schema>,
  asked: { lease: string; signatures: string; now: Date; until: Date; oldest: Date; limit: number },
): Promise<Rescanned[]> {
  const now = asked.now.getTime()
  let walk = await db.selectFrom('rescan').selectAll().where('one', '=', one).executeTakeFirst()
  if (walk?.lease && walk.lease !== asked.lease && walk.leased_until > now) return []
  if (walk?.ended_at && walk.signatures === asked.signatures) return []
  if (!walk || walk.ended_at !== null) {
    walk = {
      one,
      signatures: asked.signatures,
      began_at: now,
      ended_at: null,
      reached_at: null,
      reached_id: null,
      lease: asked.lease,
      leased_until: now,
    }
    const { one: _, ...begun } = walk
    await db
      .insertInto('rescan')
      .values(walk)
      .onConflict((conflict) => conflict.column('one').doUpdateSet(begun))
      .execute()
  }
  const reached = walk.reached_at === null ? null : { at: walk.reached_at, id: walk.reached_id! }
  const rows = await db
    .selectFrom('attachments')
    .select(['id', 'received_at'])
    .where('state', '=', 'accepted')
    .where('received_at', '>=', asked.oldest.getTime())
    .where('received_at', '<', walk.began_at)
    .where(({ not, exists, selectFrom, ref }) =>
      not(exists(selectFrom('quarantine').select('attachment_id').where('attachment_id', '=', ref('attachments.id')))),
    )
    .$if(reached !== null, (some) =>
      some.where(({ eb, refTuple, tuple }) => eb(refTuple('received_at', 'id'), '<', tuple(reached!.at, reached!.id))),
    )
    .orderBy('received_at', 'desc')
    .orderBy('id', 'desc')
    .limit(asked.limit)
    .execute()
  await db
    .updateTable('rescan')
    .set(
      rows.length === 0 ? { ended_at: now, lease: null } : { lease: asked.lease, leased_until: asked.until.getTime() },
    )
    .where('one', '=', one)
    .execute()
  return rows.map(({ id, received_at }) => ({ id: id as AttachmentId, receivedAt: new Date(received_at) }))
}

/** Keeps what engines say now of one that stays accepted, and that the walk has come so far; only while its lease is held. */
export async function settleRescan(
  db: Kysely<Schema>,
  { lease, reached, verdicts }: { lease: string; reached: Rescanned; verdicts: Verdict[] | null },
): Promise<void> {
  const { numUpdatedRows } = await db
    .updateTable('rescan')
    .set({ reached_at: reached.receivedAt.getTime(), reached_id: reached.id })
    .where('one', '=', one)
    .where('lease', '=', lease)
    .executeTakeFirst()
  if (numUpdatedRows === 0n || verdicts === null) return
  await db
    .updateTable('attachments')
    .set({ verdicts: JSON.stringify(verdicts) })
    .where('id', '=', reached.id)
    .where('state', '=', 'accepted')
    .execute()
}

/** After a start of the only process: the walk is nobody's. */
export async function releaseRescan(db: Kysely<Schema>): Promise<void> {
  await db.updateTable('rescan').set({ lease: null, leased_until: 0 }).execute()
}

/** Null: none was ever made. */
export async function rescanState(
  db: Kysely<Schema>,
): Promise<{ signatures: string; beganAt: Date; endedAt: Date | null } | null> {
  const walk = await db.selectFrom('rescan').selectAll().where('one', '=', one).executeTakeFirst()
  return walk
    ? {
        signatures: walk.signatures,
        beganAt: new Date(walk.began_at),
        endedAt: walk.ended_at === null ? null : new Date(walk.ended_at),
      }
    : null
}
