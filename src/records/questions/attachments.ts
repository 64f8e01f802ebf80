import { type Kysely, type Selectable, sql } from 'kysely'
import {
  type Attachment,
  type AttachmentId,
  type AttachmentState,
  type Confirmation,
  type Door,
  type Sender,
  sentAndSeen,
  type Verdict,
  type Way,
} from '../../attachment.ts'
import type { RefusalCode } from '../../errors.ts'
import type { AttachmentRow, ConfirmationRow, FetchRow, Schema } from '../schema.ts'
import { beginsManyNames, type ListPart, named, newestNamed } from './words.ts'

/** Which attachments, newest first. */
export interface AttachmentQuery extends ListPart {
  conversationId?: string | undefined
  state?: AttachmentState | undefined
  type?: string | undefined
  door?: Door | undefined
  /** The beginning of a word in the name, or a whole id or digest. */
  q?: string | undefined
}

/** Null: there is no such attachment. One that turned out to be another is that one. */
export async function attachment(db: Kysely<Schema>, id: string): Promise<Attachment | null> {
  const row = await withConfirmation(db).where('attachments.id', '=', id).executeTakeFirst()
  if (row) return toAttachment(row)
  const fetch = await notHere(db).where('fetches.attachment_id', '=', id).executeTakeFirst()
  if (fetch) return toFetch(fetch)
  const became = await db
    .selectFrom('fetches')
    .select('became')
    .where('attachment_id', '=', id)
    .where('became', 'is not', null)
    .where('became', '!=', id)
    .executeTakeFirst()
  return became?.became ? attachment(db, became.became) : null
}

export async function listAttachments(db: Kysely<Schema>, query: AttachmentQuery): Promise<Attachment[]> {
  // In this order: one that comes in between the two questions is in both, and is taken as what it is now.
  const away: Attachment[] = []
  for (const state of ['fetching', 'unfetched'] as const) away.push(...(await listNotHere(db, state, query)))
  const here = await listHere(db, query)
  const ids = new Set(here.map(({ id }) => id))
  return [...here, ...away.filter(({ id }) => !ids.has(id))]
    .sort((a, b) => Date.parse(b.receivedAt) - Date.parse(a.receivedAt) || (a.id < b.id ? 1 : -1))
    .slice(0, query.limit)
}

async function listNotHere(
  db: Kysely<Schema>,
  listed: 'fetching' | 'unfetched',
  query: AttachmentQuery,
): Promise<Attachment[]> {
  const { conversationId, state, type, door, from, to, q, after } = query
  if ((state ?? listed) !== listed || type !== undefined || (door !== undefined && door !== 'pull')) return []
  let rows = withNames(db)
    .where('fetches.state', '=', listed)
    .orderBy('fetches.learned_at', 'desc')
    .orderBy('fetches.attachment_id', 'desc')
    .limit(query.limit)
  if (conversationId !== undefined) rows = rows.where('fetches.conversation_id', '=', conversationId)
  if (from) rows = rows.where('fetches.learned_at', '>=', from.getTime())
  if (to) rows = rows.where('fetches.learned_at', '<', to.getTime())
  if (after)
    rows = rows.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('fetches.learned_at', 'fetches.attachment_id'), '<', tuple(after.receivedAt, after.id)),
    )
  if (q !== undefined)
    rows = rows.where(({ eb, or }) =>
      or([eb('fetches.attachment_id', '=', q), eb('fetches.attachment_id', 'in', named(db, q))]),
    )
  return (await rows.execute()).map(toFetch)
}

async function listHere(db: Kysely<Schema>, query: AttachmentQuery): Promise<Attachment[]> {
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
    // What is asked for by `q` alone: the words are in the order of lists, too.
    const isNarrowed = [query.conversationId, query.state, query.type, query.door].some((one) => one !== undefined)
    const newest = isNarrowed ? null : await newestNamed(db, q, query)
    if (newest !== null) rows = rows.where('attachments.id', 'in', withIdOrDigest(db, q, newest))
    else if (await beginsManyNames(db, q))
      // Newest first until the page is full: one of so many is soon met. No id or digest begins so many names.
      rows = rows.where(({ exists }) =>
        exists(named(db, q).where('attachment_words.attachment_id', '=', sql.ref<string>('attachments.id'))),
      )
    else rows = rows.where('attachments.id', 'in', foundBy(db, q))
  }
  return (await rows.execute()).map(toAttachment)
}

/** And `others`. As a union: PostgreSQL reads every row for an `or` over several columns. */
function withIdOrDigest(db: Kysely<Schema>, q: string, others: string[] = []) {
  const ids = db.selectFrom('attachments').select('attachments.id')
  return ids.where('attachments.id', 'in', [q, ...others]).union(ids.where('sha256', '=', q.toLowerCase()))
}

function foundBy(db: Kysely<Schema>, q: string) {
  return withIdOrDigest(db, q).union(named(db, q).clearSelect().select('attachment_words.attachment_id as id'))
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

/**
 * What the customer sent that was pulled of a conversation, or of one message of it, and how it stands, newest first; also what came
 * through another door before.
 */
export async function pulledOf(
  db: Kysely<Schema>,
  { conversationId, messageId, limit }: { conversationId: string; messageId: string | null; limit: number },
): Promise<Attachment[]> {
  const rows = await db
    .selectFrom('fetches')
    .select(({ fn }) => fn.coalesce('became', 'attachment_id').as('id'))
    .where('conversation_id', '=', conversationId)
    .where('sent_by', 'is', null)
    .$if(messageId !== null, (some) => some.where('message_id', '=', messageId!))
    .orderBy('learned_at', 'desc')
    .orderBy('attachment_id', 'desc')
    .limit(limit)
    .execute()
  const found = await Promise.all([...new Set(rows.map(({ id }) => id))].map((id) => attachment(db, id)))
  return found.filter((one) => one !== null)
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
  const away = await db
    .selectFrom('fetches')
    .select('attachment_id')
    .where('learned_at', '<', before.getTime())
    .where('state', 'in', ['fetching', 'unfetched'])
    .orderBy('learned_at')
    .limit(limit)
    .execute()
  return [...rows.map(({ id }) => id), ...away.map(({ attachment_id }) => attachment_id)].slice(
    0,
    limit,
  ) as AttachmentId[]
}

export async function idsOfConversation(db: Kysely<Schema>, conversationId: string): Promise<AttachmentId[]> {
  const rows = await db
    .selectFrom('attachments')
    .select('id')
    .where('conversation_id', '=', conversationId)
    .where('state', '!=', 'erased')
    .execute()
  const away = await db
    .selectFrom('fetches')
    .select('attachment_id')
    .where('conversation_id', '=', conversationId)
    .where('state', 'in', ['fetching', 'unfetched'])
    .execute()
  return [...rows.map(({ id }) => id), ...away.map(({ attachment_id }) => attachment_id)] as AttachmentId[]
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
    ...sentAndSeen(row.door as Door, row.sent_by as Sender | null),
  }
}

/** Known, and not here. */
function notHere(db: Kysely<Schema>) {
  return withNames(db).where('fetches.state', 'in', ['fetching', 'unfetched'])
}

function withNames(db: Kysely<Schema>) {
  return db
    .selectFrom('fetches')
    .innerJoin('fetch_names', 'fetch_names.attachment_id', 'fetches.attachment_id')
    .selectAll('fetches')
    .select(['fetch_names.filename', 'fetch_names.declared_type'])
}

function toFetch(row: Selectable<FetchRow> & { filename: string; declared_type: string }): Attachment {
  return {
    id: row.attachment_id as AttachmentId,
    state: row.state as AttachmentState,
    code: null,
    detail: row.reason,
    door: 'pull',
    conversationId: row.conversation_id,
    messageId: row.message_id,
    filename: row.filename,
    type: null,
    declaredType: row.declared_type,
    size: null,
    sha256: null,
    scan: row.scan as Attachment['scan'],
    verdicts: [],
    confirmation: null,
    receivedAt: new Date(row.learned_at).toISOString(),
    ...sentAndSeen('pull', row.sent_by as Sender | null),
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
