import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'

/** Lets an attachment be found by the words of its name. The same again changes nothing. */
export async function keepWords(
  db: Kysely<Schema>,
  { id, filename, receivedAt }: { id: string; filename: string; receivedAt: number },
): Promise<void> {
  const words = wordsOf(filename)
  if (words.length === 0) return
  await db
    .insertInto('attachment_words')
    .values(words.map((word) => ({ word, received_at: receivedAt, attachment_id: id })))
    .onConflict((conflict) => conflict.columns(['word', 'received_at', 'attachment_id']).doNothing())
    .execute()
}

export async function forgetWords(db: Kysely<Schema>, id: string): Promise<void> {
  await db.deleteFrom('attachment_words').where('attachment_id', '=', id).execute()
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
