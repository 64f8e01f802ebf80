import { createHash } from 'node:crypto'
import { type Kysely, sql } from 'kysely'
import type { Attachment, AttachmentId } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { dropAlerts } from './alerts.ts'
import { attachment } from './attachments.ts'
import { type AuditEntry, audit } from './audit.ts'
import { isUnsent } from './gatewayLeft.ts'
import { messageScope } from './settle.ts'
import { forgetWords } from './words.ts'

/** What is known of an erased attachment. */
export interface Erased {
  id: AttachmentId
  erasedAt: Date
  /** SHA-256 of the record, as JSON, as it was before. */
  recordDigest: string
  /** The storage may still hold its bytes, which nothing can open any more. */
  stored: boolean
  /** Whether it was this call that erased it. */
  now: boolean
}

/**
 * Destroys the key and all that tells of the content or the customer's name for it; the ids and an audit row stay.
 * The same again changes nothing. Null: there is no such attachment, or, where only what is unsent is meant, it was sent.
 */
export async function erase(
  db: Kysely<Schema>,
  {
    id,
    at,
    audit: entry,
    unsentBefore = null,
  }: { id: AttachmentId; at: Date; audit: AuditEntry; unsentBefore?: Date | null },
): Promise<Erased | null> {
  // Sent since it was found: then it stays.
  if (unsentBefore && !(await isUnsent(db, { id, before: unsentBefore }))) return null
  const before = await attachment(db, id)
  if (!before) return null
  if (before.id !== id) return erase(db, { id: before.id, at, audit: { ...entry, object: before.id } })
  if (before.state !== 'erased') {
    if (before.state === 'fetching' || before.state === 'unfetched') await keepAsRecord(db, before, at)
    await db.deleteFrom('data_keys').where('attachment_id', '=', id).execute()
    await db
      .updateTable('attachments')
      .set({
        state: 'erased',
        code: null,
        detail: null,
        filename: null,
        sha256: null,
        verdicts: '[]',
        erased_at: at.getTime(),
        record_digest: createHash('sha256').update(JSON.stringify(before)).digest('hex'),
      })
      .where('id', '=', id)
      .execute()
    await forgetWords(db, id)
    await db.deleteFrom('quarantine').where('attachment_id', '=', id).execute()
    await db.deleteFrom('verdicts').where('attachment_id', '=', id).execute()
    // A delivery that its sender named is still known, so that a late repetition does not bring the file back.
    await db
      .updateTable('deliveries')
      .set({ fingerprint: null, answer: null })
      .where('attachment_id', '=', id)
      .where('scope', '!=', messageScope)
      .execute()
    await db.deleteFrom('deliveries').where('attachment_id', '=', id).where('scope', '=', messageScope).execute()
    await db
      .updateTable('confirmations')
      .set({ state: 'dropped', reason: 'the attachment was erased', lease: null, settled_at: at.getTime() })
      .where('attachment_id', '=', id)
      .where('state', 'in', ['pending', 'parked'])
      .execute()
    await dropAlerts(db, { attachmentId: id, at })
    await audit(db, entry)
  }
  const row = await db
    .selectFrom('attachments')
    .select(['erased_at', 'record_digest', 'stored'])
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return {
    id,
    erasedAt: new Date(row.erased_at!),
    recordDigest: row.record_digest!,
    stored: row.stored === 1,
    now: before.state !== 'erased',
  }
}

/** What is not here yet, or never was, becomes a record to erase; it stays known, so that it is not fetched again. */
async function keepAsRecord(db: Kysely<Schema>, away: Attachment, at: Date): Promise<void> {
  await db
    .updateTable('fetches')
    .set({ state: 'erased', lease: null, reason: null, became: away.id, settled_at: at.getTime() })
    .where('attachment_id', '=', away.id)
    .execute()
  await db.deleteFrom('fetch_names').where('attachment_id', '=', away.id).execute()
  await db
    .insertInto('attachments')
    .values({
      id: away.id,
      state: away.state,
      code: null,
      detail: null,
      door: away.door,
      conversation_id: away.conversationId,
      message_id: away.messageId,
      filename: null,
      type: null,
      declared_type: null,
      size: null,
      sha256: null,
      scan: away.scan,
      verdicts: '[]',
      received_at: Date.parse(away.receivedAt),
      erased_at: null,
      record_digest: null,
      stored: 0,
      sent_by: away.sentBy ?? null,
    })
    .execute()
}

/** The storage holds nothing under this id any more. */
export async function bytesRemoved(db: Kysely<Schema>, id: AttachmentId): Promise<void> {
  await db.updateTable('attachments').set({ stored: 0 }).where('id', '=', id).execute()
}

/** Attachments whose bytes nothing can open any more and may still be there: an erasure, or a destruction, that was cut short. */
export async function storedInVain(db: Kysely<Schema>, limit: number): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('attachments')
    .select('id')
    // As they stand in the index: by parameters it would not be used.
    .where(sql<boolean>`stored = 1 AND state IN ('erased', 'refused')`)
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id as AttachmentId)
}
