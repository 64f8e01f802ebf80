import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Who did what to which object, and how it ended. Rows are never changed. */
export interface AuditEntry {
  at: Date
  /** An API key's name, `anyone` at an open door, `cli`, `sweep`; never a secret. */
  who: string
  what: 'take' | 'list' | 'see' | 'read' | 'erase' | 'outbox_retry' | 'outbox_drop'
  /** An attachment's id, or null when it was about none. */
  object: string | null
  outcome: string
  requestId: string | null
  detail: string | null
}

export async function audit(db: Kysely<Schema>, entry: AuditEntry): Promise<void> {
  await db
    .insertInto('audit')
    .values({
      at: entry.at.getTime(),
      who: entry.who,
      what: entry.what,
      object: entry.object,
      outcome: entry.outcome,
      request_id: entry.requestId,
      detail: entry.detail,
    })
    .execute()
}

/** The trail from its beginning, or from after `afterSeq`. */
export async function listAudit(
  db: Kysely<Schema>,
  { limit, afterSeq = 0 }: { limit: number; afterSeq?: number },
): Promise<(AuditEntry & { seq: number })[]> {
  const rows = await db
    .selectFrom('audit')
    .selectAll()
    .where('seq', '>', afterSeq)
    .orderBy('seq')
    .limit(limit)
    .execute()
  return rows.map((row) => ({
    seq: Number(row.seq),
    at: new Date(row.at),
    who: row.who,
    what: row.what as AuditEntry['what'],
    object: row.object,
    outcome: row.outcome,
    requestId: row.request_id,
    detail: row.detail,
  }))
}
