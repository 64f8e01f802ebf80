import type { Kysely } from 'kysely'
import type { AttachmentId } from '../../attachment.ts'
import type { Schema } from '../schema.ts'

/** A file whose bytes the storage must have. */
export interface StoredFile {
  id: AttachmentId
  receivedAt: Date
  /** Bytes of plaintext. */
  size: number
}

/** The place of the last one of a page. */
export type StoredAfter = Pick<StoredFile, 'id' | 'receivedAt'>

/** Files whose bytes must be there, the newest first: a page of them. Not those whose key is destroyed. */
export async function storedPage(
  db: Kysely<Schema>,
  { after, limit }: { after: StoredAfter | null; limit: number },
): Promise<StoredFile[]> {
  const rows = await storedFiles(db)
    .select(['id', 'received_at', 'size'])
    .$if(after !== null, (some) =>
      some.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('received_at', 'id'), '<', tuple(after!.receivedAt.getTime(), after!.id as string)),
      ),
    )
    .orderBy('received_at', 'desc')
    .orderBy('id', 'desc')
    .limit(limit)
    .execute()
  return rows.map(({ id, received_at, size }) => ({
    id: id as AttachmentId,
    receivedAt: new Date(received_at),
    size: size ?? 0,
  }))
}

/** How many there are. NOTE: it goes through all records. */
export async function storedCount(db: Kysely<Schema>): Promise<number> {
  const { count } = await storedFiles(db)
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .executeTakeFirstOrThrow()
  return Number(count)
}

/** Of erased and refused ones bytes may still be there, and nothing can open them. */
export function storedFiles(db: Kysely<Schema>) {
  return db.selectFrom('attachments').where('stored', '=', 1).where('state', 'not in', ['erased', 'refused'])
}

/** Every one of them, page by page, as `page` gives them. */
export async function* allStored(
  page: (asked: { after: StoredAfter | null; limit: number }) => Promise<StoredFile[]>,
): AsyncGenerator<StoredFile> {
  const limit = 500
  for (let after: StoredAfter | null = null; ; ) {
    const files: StoredFile[] = await page({ after, limit })
    yield* files
    if (files.length < limit) return
    after = files.at(-1)!
  }
}
