import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'

/** A ticket as it is kept: by a keyed digest. */
export interface KeptTicket {
  digest: string
  conversationId: string
  messageId: string | null
  language: string | null
  maxFiles: number
  issuedBy: string
  issuedAt: Date
  expiresAt: Date
}

export interface FoundTicket {
  digest: string
  conversationId: string
  messageId: string | null
  language: string | null
}

/** What the commit of a record uses up. */
export type Spend =
  | { kind: 'ticket'; digest: string; now: Date }
  /** `until`: how long it must be remembered. */
  | { kind: 'signature'; digest: string; until: Date }

export async function keepTicket(db: Kysely<Schema>, ticket: KeptTicket & { audit: AuditEntry }): Promise<void> {
  await audit(db, ticket.audit)
  await db
    .insertInto('tickets')
    .values({
      digest: ticket.digest,
      conversation_id: ticket.conversationId,
      message_id: ticket.messageId,
      language: ticket.language,
      files_left: ticket.maxFiles,
      issued_by: ticket.issuedBy,
      issued_at: ticket.issuedAt.getTime(),
      expires_at: ticket.expiresAt.getTime(),
    })
    .execute()
}

/** Null: there is none by any of these digests that may still be used. */
export async function ticket(
  db: Kysely<Schema>,
  { digests, now }: { digests: string[]; now: Date },
): Promise<FoundTicket | null> {
  const row = await db
    .selectFrom('tickets')
    .select(['digest', 'conversation_id', 'message_id', 'language'])
    .where('digest', 'in', digests)
    .where('files_left', '>', 0)
    .where('expires_at', '>', now.getTime())
    .executeTakeFirst()
  return row
    ? { digest: row.digest, conversationId: row.conversation_id, messageId: row.message_id, language: row.language }
    : null
}

/** Whether this signature was used. */
export async function signatureUsed(db: Kysely<Schema>, digest: string): Promise<boolean> {
  return (
    (await db.selectFrom('used_signatures').select('digest').where('digest', '=', digest).executeTakeFirst()) !==
    undefined
  )
}

/** Uses up one use. False: there is none left, and nothing was changed. */
export async function spend(db: Kysely<Schema>, use: Spend): Promise<boolean> {
  if (use.kind === 'ticket') {
    const { numUpdatedRows } = await db
      .updateTable('tickets')
      .set(({ eb }) => ({ files_left: eb('files_left', '-', 1) }))
      .where('digest', '=', use.digest)
      .where('files_left', '>', 0)
      .where('expires_at', '>', use.now.getTime())
      .executeTakeFirst()
    return numUpdatedRows > 0n
  }
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('used_signatures')
    .values({ digest: use.digest, until: use.until.getTime() })
    .onConflict((conflict) => conflict.column('digest').doNothing())
    .executeTakeFirstOrThrow()
  return Boolean(numInsertedOrUpdatedRows)
}

/** Forgets what can be used no more, whoever asks. */
export async function forgetSpent(db: Kysely<Schema>, now: Date): Promise<void> {
  await db.deleteFrom('used_signatures').where('until', '<=', now.getTime()).execute()
  await db.deleteFrom('tickets').where('expires_at', '<=', now.getTime()).execute()
  await db.deleteFrom('links').where('expires_at', '<=', now.getTime()).execute()
}
