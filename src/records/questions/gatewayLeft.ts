import { type Kysely, sql } from 'kysely'
import type { Attachment, AttachmentId } from '../../attachment.ts'
import type { Schema } from '../schema.ts'
import { attachment } from './attachments.ts'
import type { GatewayKey } from './gateway.ts'

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

/** Under which of its digests a session has files since then, the newest first. Null: it has none. */
export async function sessionAmong(
  db: Kysely<Schema>,
  { digests, since }: { digests: string[]; since: Date },
): Promise<string | null> {
  const row = await db
    .selectFrom('gateway_files')
    .select('session')
    .where('session', 'in', digests)
    .where('at', '>=', since.getTime())
    .orderBy('at', 'desc')
    .limit(1)
    .executeTakeFirst()
  return row?.session ?? null
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
