import { type Kysely, sql } from 'kysely'
import type { Attachment, AttachmentId, AttachmentState } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { attachment } from './attachments.ts'
import { askLookups } from './lookups.ts'
import { oweConfirmation } from './outbox.ts'
import type { Delivery } from './settle.ts'

/**
 * What is known of a file that came, or is to come, through the gateway. `announced`: its bytes are on the way or nothing became of
 * them. `cleared`: it was judged clean and the platform has it, so it may be sent. `sending`: a message with it was passed on, and its
 * echo has not come. `sent`: it is in a conversation that is not known yet; `completed`: that is known.
 */
export type GatewayState = 'announced' | 'cleared' | 'sending' | 'sent' | 'completed' | 'refused' | 'failed' | 'deleted'

/** `session`: a keyed digest of its token. `sourceId`: the id under which the customer's client announced the file. */
export interface GatewayKey {
  session: string
  sourceId: string
}

/** Keeps that a file was announced. False: this session has one of that id already, with its client or with the platform. */
export async function announceFile(
  db: Kysely<Schema>,
  {
    session,
    sourceId,
    deploymentId,
    language,
    at,
  }: GatewayKey & { deploymentId: string; language: string | null; at: Date },
): Promise<boolean> {
  if (await gatewayFile(db, { session, id: sourceId })) return false
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('gateway_files')
    .values({
      session,
      source_id: sourceId,
      deployment_id: deploymentId,
      state: 'announced',
      attachment_id: null,
      language,
      message_id: null,
      attempts: 0,
      next_at: null,
      reason: null,
      at: at.getTime(),
      platform_id: null,
    })
    .onConflict((conflict) => conflict.doNothing())
    .executeTakeFirstOrThrow()
  return (numInsertedOrUpdatedRows ?? 0n) > 0n
}

export interface GatewayFile {
  sourceId: string
  /** The platform's id of it: another than its client's, if it was announced anew. */
  platformId: string
  state: GatewayState
  attachmentId: AttachmentId | null
  attachmentState: AttachmentState | null
}

/** By its client's id of it, or the platform's. Null: this session has announced no such file. */
export async function gatewayFile(
  db: Kysely<Schema>,
  { session, id }: { session: string; id: string },
): Promise<GatewayFile | null> {
  const row = await db
    .selectFrom('gateway_files')
    .leftJoin('attachments', 'attachments.id', 'gateway_files.attachment_id')
    .select([
      'source_id',
      'platform_id',
      'gateway_files.state',
      'gateway_files.attachment_id',
      'attachments.state as attachment_state',
    ])
    .where('session', '=', session)
    .where(({ eb, or }) => or([eb('source_id', '=', id), eb('platform_id', '=', id)]))
    .executeTakeFirst()
  return row
    ? {
        sourceId: row.source_id,
        platformId: row.platform_id ?? row.source_id,
        state: row.state as GatewayState,
        attachmentId: row.attachment_id as AttachmentId | null,
        attachmentState: row.attachment_state as AttachmentState | null,
      }
    : null
}

/** The platform has its bytes, and it was not called back, held or erased since. */
export function isSendable({ state, attachmentState }: Pick<GatewayFile, 'state' | 'attachmentState'>): boolean {
  return ['cleared', 'sending', 'sent', 'completed'].includes(state) && attachmentState === 'accepted'
}

/** A message with it is about to be passed on, if it may be sent. Null: this session has announced no such file. */
export async function beginSending(
  db: Kysely<Schema>,
  { session, id, at }: { session: string; id: string; at: Date },
): Promise<GatewayFile | null> {
  const found = await gatewayFile(db, { session, id })
  if (found && isSendable(found))
    await moveFile(db, { session, sourceId: found.sourceId, from: ['cleared', 'sending'], to: 'sending', at })
  return found
}

/** Only from one of these states. Tells whether it was. */
export async function moveFile(
  db: Kysely<Schema>,
  {
    session,
    sourceId,
    from,
    to,
    at,
    attachmentId,
    platformId,
  }: GatewayKey & {
    from: GatewayState[]
    to: GatewayState
    at: Date
    attachmentId?: AttachmentId
    platformId?: string
  },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('gateway_files')
    .set({
      state: to,
      at: at.getTime(),
      ...(attachmentId && { attachment_id: attachmentId }),
      ...(platformId !== undefined && platformId !== sourceId && { platform_id: platformId }),
    })
    .where('session', '=', session)
    .where('source_id', '=', sourceId)
    .where('state', 'in', from)
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** The echo of its message has come: its conversation is to be found. Tells whether that is new. */
export async function fileSent(
  db: Kysely<Schema>,
  { session, sourceId, messageId, at }: GatewayKey & { messageId: string; at: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('gateway_files')
    .set({ state: 'sent', message_id: messageId, next_at: at.getTime(), attempts: 0, at: at.getTime() })
    .where('session', '=', session)
    .where('source_id', '=', sourceId)
    .where('state', 'in', ['cleared', 'sending'])
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

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
  for (const { session, source_id } of rows)
    await db
      .updateTable('gateway_files')
      .set(({ eb }) => ({ next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
      .where('session', '=', session)
      .where('source_id', '=', source_id)
      .execute()
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

/** States of what nobody will ever see any more, once it has been so for a while. */
const unsent = ['announced', 'cleared', 'deleted', 'failed']
/** A refused file that is accepted now was held, and let go by a person or an engine: it stays, as they said. */
const cameToNothing = [...unsent, 'refused']

/**
 * The delivery by which intake knew a file of the gateway: it commits with the file, so that also what was cut off, or deleted,
 * between its judgement and its clearing is found.
 */
export function gatewayDelivery({ session, sourceId }: GatewayKey): { scope: string; key: string } {
  return { scope: 'gateway', key: `${session}:${sourceId}` }
}

const keyOfRow = sql<string>`gateway_files.session || ':' || gateway_files.source_id`

/** Files that came, were accepted and never sent, and nothing has happened to them since `before`: nobody will ever see them. */
export async function unsentFiles(
  db: Kysely<Schema>,
  { before, limit }: { before: Date; limit: number },
): Promise<AttachmentId[]> {
  const rows = await unsentSince(db, before).select('attachments.id').limit(limit).execute()
  return rows.map(({ id }) => id as AttachmentId)
}

/** Whether it is one of those still. */
export async function isUnsent(
  db: Kysely<Schema>,
  { id, before }: { id: AttachmentId; before: Date },
): Promise<boolean> {
  const row = await unsentSince(db, before).select('attachments.id').where('attachments.id', '=', id).executeTakeFirst()
  return row !== undefined
}

function unsentSince(db: Kysely<Schema>, before: Date) {
  return withDeliveries(db)
    .innerJoin('attachments', 'attachments.id', 'deliveries.attachment_id')
    .where('gateway_files.state', 'in', unsent)
    .where('gateway_files.at', '<', before.getTime())
    .where('attachments.state', '=', 'accepted')
    .where('attachments.conversation_id', 'is', null)
}

function withDeliveries(db: Kysely<Schema>) {
  return db
    .selectFrom('gateway_files')
    .innerJoin('deliveries', (join) => join.on('deliveries.scope', '=', 'gateway').on('deliveries.key', '=', keyOfRow))
}

/** A file whose outcome may not have been told, since the process ended that knew of it. */
export interface UntoldFile {
  sourceId: string
  platformId: string
  deploymentId: string
  language: string | null
  state: 'announced' | 'cleared' | 'failed' | 'refused'
  attachment: Attachment
}

/** Files of a session that were judged since then, and with which its client has not done anything. */
export async function untoldFiles(
  db: Kysely<Schema>,
  { session, since }: { session: string; since: Date },
): Promise<UntoldFile[]> {
  const rows = await withDeliveries(db)
    .select([
      'source_id',
      'platform_id',
      'deployment_id',
      'language',
      'gateway_files.state',
      'deliveries.attachment_id',
    ])
    .where('session', '=', session)
    .where('gateway_files.state', 'in', ['announced', 'cleared', 'failed', 'refused'])
    .where('gateway_files.at', '>=', since.getTime())
    .execute()
  const found = []
  for (const row of rows) {
    const known = await attachment(db, row.attachment_id)
    if (known)
      found.push({
        sourceId: row.source_id,
        platformId: row.platform_id ?? row.source_id,
        deploymentId: row.deployment_id,
        language: row.language,
        state: row.state as UntoldFile['state'],
        attachment: known,
      })
  }
  return found
}

/** What came to nothing, or is completed, need not be known any more. */
export async function forgetGatewayFiles(
  db: Kysely<Schema>,
  { before, completedBefore }: { before: Date; completedBefore: Date },
): Promise<void> {
  await db
    .deleteFrom('gateway_files')
    .where('state', 'in', cameToNothing)
    .where('at', '<', before.getTime())
    // What could not be erased now is erased the next time.
    .where(({ not, exists }) =>
      not(
        exists(
          db
            .selectFrom('deliveries')
            .innerJoin('attachments', 'attachments.id', 'deliveries.attachment_id')
            .select('attachments.id')
            .where('deliveries.scope', '=', 'gateway')
            .where('deliveries.key', '=', keyOfRow)
            .where('attachments.state', '=', 'accepted')
            .where('attachments.conversation_id', 'is', null),
        ),
      ),
    )
    .execute()
  await db
    .deleteFrom('gateway_files')
    .where('state', 'in', ['completed', 'sent', 'sending'])
    .where('at', '<', completedBefore.getTime())
    .execute()
  await db.deleteFrom('gateway_messages').where('at', '<', completedBefore.getTime()).execute()
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
  for (const { message_id } of rows)
    await db
      .updateTable('gateway_messages')
      .set(({ eb }) => ({ next_at: until.getTime(), attempts: eb('attempts', '+', 1) }))
      .where('message_id', '=', message_id)
      .execute()
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
