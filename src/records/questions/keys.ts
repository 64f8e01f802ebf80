import type { Kysely } from 'kysely'
import type { WrappedKey } from '../../seal/keys.ts'
import type { Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'

/** Null: there is no key, so the file cannot be opened. */
export async function dataKey(db: Kysely<Schema>, attachmentId: string): Promise<WrappedKey | null> {
  const row = await db
    .selectFrom('data_keys')
    .select(['master_key_id', 'wrapped'])
    .where('attachment_id', '=', attachmentId)
    .executeTakeFirst()
  return row ? { masterKeyId: row.master_key_id, wrapped: Buffer.from(row.wrapped) } : null
}

/** Every master key that this installation has ever wrapped with, and how many files still need it. */
export async function masterKeys(db: Kysely<Schema>): Promise<{ id: string; firstUsedAt: Date; files: number }[]> {
  const rows = await db
    .selectFrom('master_keys')
    .leftJoin('data_keys', 'data_keys.master_key_id', 'master_keys.id')
    .select(({ fn }) => ['master_keys.id', 'first_used_at', fn.count<number>('data_keys.attachment_id').as('files')])
    .groupBy(['master_keys.id', 'first_used_at'])
    .orderBy('first_used_at')
    .execute()
  return rows.map((row) => ({ id: row.id, firstUsedAt: new Date(row.first_used_at), files: Number(row.files) }))
}

/** The ids alone, without counting. */
export async function masterKeyIds(db: Kysely<Schema>): Promise<string[]> {
  return (await db.selectFrom('master_keys').select('id').execute()).map(({ id }) => id)
}

/** From now on the records need this master key. The same again changes nothing. */
export async function nameMasterKey(
  db: Kysely<Schema>,
  { id, at, audit: entry }: { id: string; at: Date; audit: AuditEntry },
): Promise<void> {
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('master_keys')
    .values({ id, first_used_at: at.getTime() })
    .onConflict((conflict) => conflict.column('id').doNothing())
    .executeTakeFirstOrThrow()
  if (numInsertedOrUpdatedRows) await audit(db, entry)
}
