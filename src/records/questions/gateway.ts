import type { Kysely } from 'kysely'
import type { AttachmentId, AttachmentState } from '../../attachment.ts'
import type { Schema } from '../schema.ts'

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
