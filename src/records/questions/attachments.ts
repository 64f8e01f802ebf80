import type { Kysely, Selectable } from 'kysely'
import type { Attachment, AttachmentId, AttachmentState, Confirmation, Door, Verdict, Way } from '../../attachment.ts'
import type { RefusalCode } from '../../errors.ts'
import type { AttachmentRow, ConfirmationRow, Schema } from '../schema.ts'

/** Which attachments, newest first. */
export interface AttachmentQuery {
  conversationId?: string | undefined
  state?: AttachmentState | undefined
  type?: string | undefined
  door?: Door | undefined
  /** The beginning of a word in the name, or a whole id or digest. */
  q?: string | undefined
  from?: Date | undefined
  to?: Date | undefined
  /** 1 to 200. */
  limit: number
  /** The last one of the page before. */
  after?: { receivedAt: number; id: string } | undefined
}

/** Null: there is no such attachment. */
export async function attachment(db: Kysely<Schema>, id: string): Promise<Attachment | null> {
  const row = await withConfirmation(db).where('attachments.id', '=', id).executeTakeFirst()
  return row ? toAttachment(row) : null
}

export async function listAttachments(db: Kysely<Schema>, query: AttachmentQuery): Promise<Attachment[]> {
  let rows = withConfirmation(db)
    .orderBy('attachments.received_at', 'desc')
    .orderBy('attachments.id', 'desc')
    .limit(query.limit)
  if (query.conversationId !== undefined) rows = rows.where('attachments.conversation_id', '=', query.conversationId)
  if (query.state !== undefined) rows = rows.where('attachments.state', '=', query.state)
  if (query.type !== undefined) rows = rows.where('attachments.type', '=', query.type)
  if (query.door !== undefined) rows = rows.where('attachments.door', '=', query.door)
  if (query.from) rows = rows.where('attachments.received_at', '>=', query.from.getTime())
  if (query.to) rows = rows.where('attachments.received_at', '<', query.to.getTime())
  const { q, after } = query
  if (after)
    rows = rows.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('attachments.received_at', 'attachments.id'), '<', tuple(after.receivedAt, after.id)),
    )
  if (q !== undefined) {
    const [first, end] = rangeOf(q)
    const many = await matchesMany(db, first, end)
    rows = rows.where(({ eb, exists, or, selectFrom }) =>
      many
        ? // Newest first until the page is full: one of so many is soon met. No id or digest begins so many names.
          exists(
            selectFrom('attachment_words')
              .select('attachment_words.word')
              .whereRef('attachment_words.attachment_id', '=', 'attachments.id')
              .where('attachment_words.word', '>=', first)
              .where('attachment_words.word', '<', end),
          )
        : or([
            eb('attachments.id', '=', q),
            eb('attachments.sha256', '=', q.toLowerCase()),
            eb(
              'attachments.id',
              'in',
              selectFrom('attachment_words')
                .select('attachment_words.attachment_id')
                .where('attachment_words.word', '>=', first)
                .where('attachment_words.word', '<', end),
            ),
          ]),
    )
  }
  return (await rows.execute()).map(toAttachment)
}

/** From here on search goes through the attachments, newest first, and not through the words. */
const manyMatches = 2000

async function matchesMany(db: Kysely<Schema>, first: string, end: string): Promise<boolean> {
  const { count } = await db
    .selectFrom(
      db
        .selectFrom('attachment_words')
        .select('word')
        .where('word', '>=', first)
        .where('word', '<', end)
        .limit(manyMatches)
        .as('found'),
    )
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count) >= manyMatches
}

/** The words that begin as this text does: from the first to before the end. */
function rangeOf(text: string): [first: string, end: string] {
  const beginning = wordOf(text)
  return [beginning, `${beginning}\u{10ffff}`]
}

/** The newest attachments of a conversation that its participants may be told of, newest first. */
export async function newestOfConversation(
  db: Kysely<Schema>,
  { conversationId, limit }: { conversationId: string; limit: number },
): Promise<Attachment[]> {
  const rows = await withConfirmation(db)
    .where('attachments.conversation_id', '=', conversationId)
    .where('attachments.state', '!=', 'erased')
    .orderBy('attachments.received_at', 'desc')
    .orderBy('attachments.id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(toAttachment)
}

/** Of these ids, the ones under which the storage should hold bytes. */
export async function storedAmong(db: Kysely<Schema>, ids: string[]): Promise<string[]> {
  if (ids.length === 0) return []
  const rows = await db.selectFrom('attachments').select('id').where('id', 'in', ids).where('stored', '=', 1).execute()
  return rows.map(({ id }) => id)
}

/** Ids of attachments received before `before` and not yet erased, oldest first. */
export async function receivedBefore(
  db: Kysely<Schema>,
  { before, limit }: { before: Date; limit: number },
): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('attachments')
    .select('id')
    .where('received_at', '<', before.getTime())
    .where('state', '!=', 'erased')
    .orderBy('received_at')
    .limit(limit)
    .execute()
  return rows.map(({ id }) => id as AttachmentId)
}

export async function idsOfConversation(db: Kysely<Schema>, conversationId: string): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('attachments')
    .select('id')
    .where('conversation_id', '=', conversationId)
    .where('state', '!=', 'erased')
    .execute()
  return rows.map(({ id }) => id as AttachmentId)
}

/** The words by which a name is found: runs of letters, digits and marks, the first 32 of them. */
export function wordsOf(filename: string): string[] {
  const words = filename.normalize('NFC').match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  return [...new Set(words.map(wordOf))].slice(0, 32)
}

/** A word as it is compared: lower case, composed (macOS sends names decomposed), at most 64 whole characters. */
function wordOf(text: string): string {
  return [...text.normalize('NFC').toLowerCase()].slice(0, 64).join('')
}

type Row = Selectable<AttachmentRow> & {
  [K in keyof ConfirmationColumns]: ConfirmationColumns[K] | null
}
interface ConfirmationColumns {
  confirmation_state: ConfirmationRow['state']
  confirmation_way: ConfirmationRow['way']
  confirmation_at: ConfirmationRow['settled_at']
  possibly_repeated: ConfirmationRow['possibly_repeated']
}

function withConfirmation(db: Kysely<Schema>) {
  return db
    .selectFrom('attachments')
    .leftJoin('confirmations', 'confirmations.attachment_id', 'attachments.id')
    .selectAll('attachments')
    .select([
      'confirmations.state as confirmation_state',
      'confirmations.way as confirmation_way',
      'confirmations.settled_at as confirmation_at',
      'confirmations.possibly_repeated',
    ])
}

function toAttachment(row: Row): Attachment {
  return {
    id: row.id as AttachmentId,
    state: row.state as AttachmentState,
    code: row.code as RefusalCode | null,
    detail: row.detail,
    door: row.door as Door,
    conversationId: row.conversation_id,
    messageId: row.message_id,
    filename: row.filename,
    type: row.type,
    declaredType: row.declared_type,
    size: row.size,
    sha256: row.sha256,
    scan: row.scan as Attachment['scan'],
    verdicts: JSON.parse(row.verdicts) as Verdict[],
    confirmation: toConfirmation(row),
    receivedAt: new Date(row.received_at).toISOString(),
  }
}

function toConfirmation(row: Row): Confirmation | null {
  if (row.conversation_id === null) return null
  if (row.confirmation_state === null) return { state: 'off', way: null, at: null }
  return {
    state: row.confirmation_state as Confirmation['state'],
    way: row.confirmation_way as Way | null,
    at: row.confirmation_at === null ? null : new Date(row.confirmation_at).toISOString(),
    ...(row.possibly_repeated === 1 && { possiblyRepeated: true }),
  }
}
