import type { Kysely } from 'kysely'
import type { Attachment, AttachmentId } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { attachment } from './attachments.ts'
import type { GatewayKey } from './gateway.ts'
import { askLookups } from './lookups.ts'
import { oweConfirmation } from './outbox.ts'
import type { Delivery } from './settle.ts'
import { together } from './together.ts'

/** One whose conversation is to be found. */
export interface SentFile extends GatewayKey {
  /** The platform's id of it, by which the pull door would know it. */
  platformId: string
  attachmentId: AttachmentId
  messageId: string
  language: string | null
  /** Attempts that began before this one. */
  attempts: number
}

/** Takes what is due: nobody else takes it until then. */
export async function leaseSentFiles(
  db: Kysely<Schema>,
  { now, until, limit }: { now: Date; until: Date; limit: number },
): Promise<SentFile[]> {
  const rows = await db
    .selectFrom('gateway_files')
    .select(['session', 'source_id', 'platform_id', 'attachment_id', 'message_id', 'language', 'attempts'])
    .where('state', '=', 'sent')
    .where('next_at', '<=', now.getTime())
    .orderBy('next_at')
    .limit(limit)
    .execute()
  await together(
    ...rows.map(({ session, source_id }) =>
      db
        .updateTable('gateway_files')
        .set(({ eb }) => ({ next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
        .where('session', '=', session)
        .where('source_id', '=', source_id)
        .execute(),
    ),
  )
  return rows.map((row) => ({
    session: row.session,
    sourceId: row.source_id,
    platformId: row.platform_id ?? row.source_id,
    attachmentId: row.attachment_id as AttachmentId,
    messageId: row.message_id!,
    language: row.language,
    attempts: row.attempts,
  }))
}

/** It could not be found now. Null: it is not looked for any more. */
export async function retrySentFile(
  db: Kysely<Schema>,
  { session, sourceId, nextAt, reason }: GatewayKey & { nextAt: Date | null; reason: string },
): Promise<void> {
  await db
    .updateTable('gateway_files')
    .set({ next_at: nextAt?.getTime() ?? null, reason })
    .where('session', '=', session)
    .where('source_id', '=', sourceId)
    .where('state', '=', 'sent')
    .execute()
}

/**
 * The record gets its conversation and its message, the conversation is owed a confirmation, and the file is known by its message from
 * now on, so that no other door takes it again. Null: it was erased, or completed before, so nothing was changed.
 */
export async function completeFile(
  db: Kysely<Schema>,
  done: GatewayKey & {
    platformId: string
    attachmentId: AttachmentId
    conversationId: string
    messageId: string
    delivery: Delivery | null
    /** Null: nothing is confirmed. */
    confirmation: { language: string } | null
    at: Date
  },
): Promise<Attachment | null> {
  const { session, sourceId, attachmentId, conversationId, messageId, delivery, confirmation } = done
  const at = done.at.getTime()
  const { numUpdatedRows } = await db
    .updateTable('gateway_files')
    .set({ state: 'completed', next_at: null, reason: null, at })
    .where('session', '=', session)
    .where('source_id', '=', sourceId)
    .where('state', '=', 'sent')
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return null
  const named = await db
    .updateTable('attachments')
    .set({ conversation_id: conversationId, message_id: messageId })
    .where('id', '=', attachmentId)
    .where('conversation_id', 'is', null)
    .where('state', '!=', 'erased')
    .executeTakeFirst()
  if (named.numUpdatedRows === 0n) return null
  if (confirmation) await oweConfirmation(db, { attachmentId, conversationId, ...confirmation, at: done.at })
  await knownByMessage(db, done)
  const completed = await attachment(db, attachmentId)
  if (delivery && completed)
    await db
      .insertInto('deliveries')
      .values({ ...delivery, attachment_id: attachmentId, answer: JSON.stringify(completed), at })
      .onConflict((conflict) => conflict.doNothing())
      .execute()
  return completed
}

/** The pull door, if it hears of the message, finds that the file is here; if it was first and still fetches, it need not. */
async function knownByMessage(
  db: Kysely<Schema>,
  {
    attachmentId,
    conversationId,
    messageId,
    platformId,
    at,
  }: { attachmentId: AttachmentId; conversationId: string; messageId: string; platformId: string; at: Date },
): Promise<void> {
  const here = { state: 'done', became: attachmentId, lease: null, reason: null, settled_at: at.getTime() }
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('fetches')
    .values({
      attachment_id: attachmentId,
      conversation_id: conversationId,
      message_id: messageId,
      source_id: platformId,
      language: null,
      backfill: null,
      scan: 'required',
      attempts: 0,
      next_at: at.getTime(),
      learned_at: at.getTime(),
      sent_by: null,
      ...here,
    })
    .onConflict((conflict) => conflict.columns(['conversation_id', 'message_id', 'source_id']).doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows) return
  await db
    .updateTable('fetches')
    .set(here)
    .where('conversation_id', '=', conversationId)
    .where('message_id', '=', messageId)
    .where('source_id', '=', platformId)
    .where('state', 'in', ['fetching', 'unfetched'])
    .execute()
}

/** Keeps that a message with files of our side passed: its conversation is to be found. */
export async function noteMessage(
  db: Kysely<Schema>,
  { messageId, at }: { messageId: string; at: Date },
): Promise<void> {
  await db
    .insertInto('gateway_messages')
    .values({ message_id: messageId, attempts: 0, next_at: at.getTime(), at: at.getTime() })
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

/** A message whose conversation is to be found, and the attempts that began before this one. */
export interface NotedMessage {
  messageId: string
  attempts: number
}

/** Takes what is due: nobody else takes it until then. */
export async function leaseMessages(
  db: Kysely<Schema>,
  { now, until, limit }: { now: Date; until: Date; limit: number },
): Promise<NotedMessage[]> {
  const rows = await db
    .selectFrom('gateway_messages')
    .select(['message_id', 'attempts'])
    .where('next_at', '<=', now.getTime())
    .orderBy('next_at')
    .limit(limit)
    .execute()
  await together(
    ...rows.map(({ message_id }) =>
      db
        .updateTable('gateway_messages')
        .set(({ eb }) => ({ next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
        .where('message_id', '=', message_id)
        .execute(),
    ),
  )
  return rows.map(({ message_id, attempts }) => ({ messageId: message_id, attempts }))
}

/** It could not be found now. Null: it is not looked for any more. */
export async function retryMessage(
  db: Kysely<Schema>,
  { messageId, nextAt }: { messageId: string; nextAt: Date | null },
): Promise<void> {
  await db
    .updateTable('gateway_messages')
    .set({ next_at: nextAt?.getTime() ?? null })
    .where('message_id', '=', messageId)
    .execute()
}

/** Its conversation is found: the pull door looks at it. */
export async function foundMessage(
  db: Kysely<Schema>,
  { messageId, conversationId, at }: { messageId: string; conversationId: string; at: Date },
): Promise<void> {
  await askLookups(db, { asks: [{ conversationId, messageId, language: null }], at })
  await db.deleteFrom('gateway_messages').where('message_id', '=', messageId).execute()
}

/** How many are sent and belong to no conversation yet. */
export async function gatewayState(db: Kysely<Schema>): Promise<{ incomplete: number }> {
  const { count } = await db
    .selectFrom('gateway_files')
    .where('state', '=', 'sent')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return { incomplete: Number(count) }
}
