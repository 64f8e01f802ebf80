import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { insertRow } from './compiled.ts'
import { together } from './together.ts'

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

/** The words by which a name is found: runs of letters, digits and marks, the first 32 of them. */
export function wordsOf(filename: string): string[] {
  const words = filename.normalize('NFC').match(/[\p{L}\p{N}\p{M}]+/gu) ?? []
  return [...new Set(words.map(wordOf))].slice(0, 32)
}

/** A word as it is compared: lower case, composed (macOS sends names decomposed), at most 64 whole characters. */
export function wordOf(text: string): string {
  return [...text.normalize('NFC').toLowerCase()].slice(0, 64).join('')
}
