import { type Kysely, sql } from 'kysely'
import type { Schema } from '../schema.ts'
import { insertRow } from './compiled.ts'
import { together } from './together.ts'

/** Which part of a list that begins with the newest. */
export interface ListPart {
  from?: Date | undefined
  to?: Date | undefined
  /** 1 to 200. */
  limit: number
  /** The last one of the page before. */
  after?: { receivedAt: number; id: string } | undefined
}

/** Lets an attachment be found by the words of its name. The same again changes nothing. */
export async function keepWords(
  db: Kysely<Schema>,
  { id, filename, receivedAt }: { id: string; filename: string; receivedAt: number },
): Promise<void> {
  await together(
    ...wordsOf(filename).map((word) =>
      insertRow(db, 'attachment_words', { word, received_at: receivedAt, attachment_id: id }, 'if new'),
    ),
  )
}

export async function forgetWords(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom('attachment_words').where('attachment_id', '=', id).execute()
}

/** Ids of what has a word in its name that begins so. */
export function named(db: Kysely<Schema>, beginning: string) {
  const first = wordOf(beginning)
  return db
    .selectFrom('attachment_words')
    .select('attachment_words.attachment_id')
    .where('attachment_words.word', '>=', first)
    .where('attachment_words.word', '<', `${first}\u{10ffff}`)
}

/** So many are no few any more: then searching goes through what there is, newest first, and not through the words. */
const many = 2000

/** Whether many names have a word that begins so. Counts no further than it must. */
export async function beginsManyNames(db: Kysely<Schema>, beginning: string): Promise<boolean> {
  const { count } = await db
    .selectFrom(named(db, beginning).limit(many).as('found'))
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count) === many
}

/** So many words are asked for one by one. */
const mostWords = 100

/**
 * The newest that have a word in their name that begins so, in the order of lists, each once: each word's newest lie side by side in the index.
 * Null: too many words begin so.
 */
export async function newestNamed(
  db: Kysely<Schema>,
  beginning: string,
  { after, from, to, limit }: ListPart,
): Promise<string[] | null> {
  const words = await wordsBeginning(db, beginning)
  if (words === null) return null
  const newestOf = (word: string) => {
    let rows = db
      .selectFrom('attachment_words')
      .select(['received_at', 'attachment_id'])
      .where('word', '=', word)
      .orderBy('received_at', 'desc')
      .orderBy('attachment_id', 'desc')
      .limit(limit)
    if (from) rows = rows.where('received_at', '>=', from.getTime())
    if (to) rows = rows.where('received_at', '<', to.getTime())
    if (after)
      rows = rows.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('received_at', 'attachment_id'), '<', tuple(after.receivedAt, after.id)),
      )
    // Within a select of its own: SQLite takes no limit in a part of a union.
    return db.selectFrom(rows.as('newest')).select(['received_at', 'attachment_id'])
  }
  const [first, ...others] = words.map(newestOf)
  if (!first) return []
  const found = others.reduce((all, one) => all.union(one), first)
  const newest = await db
    .selectFrom(found.as('found'))
    .select('attachment_id')
    .orderBy('received_at', 'desc')
    .orderBy('attachment_id', 'desc')
    .limit(limit)
    .execute()
  return newest.map(({ attachment_id }) => attachment_id)
}

/** From each word to the next in the index, however many names have it. Null: there are more than `mostWords`. */
async function wordsBeginning(db: Kysely<Schema>, beginning: string): Promise<string[] | null> {
  const first = wordOf(beginning)
  const last = `${first}\u{10ffff}`
  const { rows } = await sql<{ word: string }>`
    WITH RECURSIVE beginning(word) AS (
      SELECT min(word) FROM attachment_words WHERE word >= ${first} AND word < ${last}
      UNION ALL
      SELECT (SELECT min(word) FROM attachment_words WHERE word > beginning.word AND word < ${last})
      FROM beginning WHERE beginning.word IS NOT NULL
    )
    SELECT word FROM beginning WHERE word IS NOT NULL LIMIT ${mostWords + 1}`.execute(db)
  return rows.length > mostWords ? null : rows.map(({ word }) => word)
}

/** The words by which a name is found: runs of letters, digits and marks, the first 32 of them. */
export function wordsOf(filename: string): string[] {
  const words = filename.normalize('NFC').match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  return [...new Set(words.map(wordOf))].slice(0, 32)
}

/** A word as it is compared: lower case, composed (macOS sends names decomposed), at most 64 whole characters. */
export function wordOf(text: string): string {
  return [...text.normalize('NFC').toLowerCase()].slice(0, 64).join('')
}
