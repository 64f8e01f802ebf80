import type { Kysely } from 'kysely'
import type { WrappedKey } from '../../seal/keys.ts'
import type { Schema } from '../schema.ts'

/** Null: there is no key, so the file cannot be opened. */
export async function dataKey(db: Kysely<Schema>, attachmentId: string): Promise<WrappedKey | null> {
  const row = await db
    .selectFrom('data_keys')
    .select(['master_key_id', 'wrapped'])
    .where('attachment_id', '=', attachmentId)
    .executeTakeFirst()
  return row ? { masterKeyId: row.master_key_id, wrapped: Buffer.from(row.wrapped) } : null
}

/**
 * A master key, as the records know it. `waiting`: announced, and not current before every process has it. `current`: new files are
 * wrapped with it. `old`: it was, and may be needed. `retired`: nothing needs it, and nothing is wrapped with it again.
 */
export interface MasterKey {
  id: string
  state: 'waiting' | 'current' | 'old' | 'retired'
  /** From when on it was current; of one that waits, when it was announced. */
  since: Date
  /** When another became current. Null: none has. */
  until: Date | null
  retiredAt: Date | null
}

/** Every master key that was ever announced: in the order in which they became current, then those that wait. */
export async function masterKeys(db: Kysely<Schema>): Promise<MasterKey[]> {
  const rows = await db.selectFrom('master_keys').selectAll().orderBy('first_used_at').orderBy('id').execute()
  const used = rows.filter(({ waits }) => waits === null)
  return [...used, ...rows.filter(({ waits }) => waits !== null)].map((row, i) => {
    const next = i < used.length ? used[i + 1] : undefined
    const current = i === used.length - 1
    return {
      id: row.id,
      state: row.retired_at !== null ? 'retired' : row.waits !== null ? 'waiting' : current ? 'current' : 'old',
      since: new Date(row.first_used_at),
      until: next ? new Date(next.first_used_at) : null,
      retiredAt: row.retired_at === null ? null : new Date(row.retired_at),
    }
  })
}

/** Those that no process can do without. */
export async function masterKeyIds(db: Kysely<Schema>): Promise<string[]> {
  const all = await masterKeys(db)
  return all.filter(({ state }) => state === 'current' || state === 'old').map(({ id }) => id)
}

/** How many files each master key wraps the keys of; one that wraps none is not named. */
export async function filesByMasterKey(db: Kysely<Schema>): Promise<{ id: string; files: number }[]> {
  const rows = await db
    .selectFrom('data_keys')
    .select(({ fn }) => ['master_key_id', fn.countAll<number>().as('files')])
    .groupBy('master_key_id')
    .execute()
  return rows.map(({ master_key_id: id, files }) => ({ id, files: Number(files) }))
}

/** How many files any of these master keys wraps the keys of. */
export async function filesUnder(db: Kysely<Schema>, ids: string[]): Promise<number> {
  if (ids.length === 0) return 0
  const { files } = await db
    .selectFrom('data_keys')
    .select(({ fn }) => fn.countAll<number>().as('files'))
    .where('master_key_id', 'in', ids)
    .executeTakeFirstOrThrow()
  return Number(files)
}
