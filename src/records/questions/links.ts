import type { Kysely, Selectable } from 'kysely'
import type { AttachmentId } from '../../attachment.ts'
import type { LinkRow, Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'

/** What a link gives: a copy without what is hidden in the file, or the file as it came. */
export const linked = ['safe_copy', 'original'] as const
export type Linked = (typeof linked)[number]

/** An address by which one file is fetched for a while. */
export interface Link {
  /** `lnk_…`: names it, and opens nothing. */
  id: string
  attachmentId: AttachmentId
  of: Linked
  /** Who made it. */
  who: string
  /** The session that it ends with. Null: an API key made it. */
  session: string | null
  madeAt: Date
  expiresAt: Date
}

/** `digest`: keyed, of the secret in its address, which is not kept. */
export async function keepLink(
  db: Kysely<Schema>,
  { digest, link, audit: entry }: { digest: string; link: Link; audit: AuditEntry },
): Promise<void> {
  await audit(db, entry)
  await db
    .insertInto('links')
    .values({
      digest,
      id: link.id,
      attachment_id: link.attachmentId,
      gives: link.of,
      who: link.who,
      session_id: link.session,
      made_at: link.madeAt.getTime(),
      expires_at: link.expiresAt.getTime(),
    })
    .execute()
}

/** Null: there is none by any of these digests that still holds. */
export async function link(
  db: Kysely<Schema>,
  { digests, now }: { digests: string[]; now: Date },
): Promise<Link | null> {
  const row = await db
    .selectFrom('links')
    .selectAll()
    .where('digest', 'in', digests)
    .where('expires_at', '>', now.getTime())
    .executeTakeFirst()
  return row ? toLink(row) : null
}

/** Those of an attachment that still hold, the newest first. */
export async function linksOf(
  db: Kysely<Schema>,
  { attachmentId, now, limit }: { attachmentId: AttachmentId; now: Date; limit: number },
): Promise<Link[]> {
  const rows = await db
    .selectFrom('links')
    .selectAll()
    .where('attachment_id', '=', attachmentId)
    .where('expires_at', '>', now.getTime())
    .orderBy('made_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toLink)
}

/** Ends one before its time. False: there is none such, or none any more, so nothing was changed. */
export async function endLink(
  db: Kysely<Schema>,
  { attachmentId, id, audit: entry }: { attachmentId: AttachmentId; id: string; audit: AuditEntry },
): Promise<boolean> {
  const { numDeletedRows } = await db
    .deleteFrom('links')
    .where('attachment_id', '=', attachmentId)
    .where('id', '=', id)
    .executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await audit(db, entry)
  return true
}

function toLink(row: Selectable<LinkRow>): Link {
  return {
    id: row.id,
    attachmentId: row.attachment_id as AttachmentId,
    of: row.gives as Linked,
    who: row.who,
    session: row.session_id,
    madeAt: new Date(row.made_at),
    expiresAt: new Date(row.expires_at),
  }
}
