import type { Kysely } from 'kysely'
import type { Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'

/** What a person with a password of ours may do. */
export const accountRoles = ['reader', 'admin'] as const
export type AccountRole = (typeof accountRoles)[number]

export interface Account {
  name: string
  role: AccountRole
  madeAt: Date
  /** When its password was set last. */
  setAt: Date
}

/** All, by name. */
export async function accounts(db: Kysely<Schema>): Promise<Account[]> {
  const rows = await db.selectFrom('accounts').select(['name', 'role', 'made_at', 'set_at']).orderBy('name').execute()
  return rows.map((row) => ({
    name: row.name,
    role: row.role as AccountRole,
    madeAt: new Date(Number(row.made_at)),
    setAt: new Date(Number(row.set_at)),
  }))
}

/** Whether there is one at all. */
export async function hasAccounts(db: Kysely<Schema>): Promise<boolean> {
  return (await db.selectFrom('accounts').select('name').limit(1).executeTakeFirst()) !== undefined
}

/** What a password is compared with. Null: there is no such account. */
export async function accountOf(db: Kysely<Schema>, name: string): Promise<{ role: AccountRole; hash: string } | null> {
  const row = await db.selectFrom('accounts').select(['role', 'hash']).where('name', '=', name).executeTakeFirst()
  return row ? { role: row.role as AccountRole, hash: row.hash } : null
}

/** False: the name is taken, and nothing was changed. */
export async function addAccount(
  db: Kysely<Schema>,
  { name, role, hash, audit: entry }: { name: string; role: AccountRole; hash: string; audit: AuditEntry },
): Promise<boolean> {
  const at = entry.at.getTime()
  const { numInsertedOrUpdatedRows } = await db
    .insertInto('accounts')
    .values({ name, role, hash, made_at: at, set_at: at })
    .onConflict((conflict) => conflict.column('name').doNothing())
    .executeTakeFirstOrThrow()
  if (!numInsertedOrUpdatedRows) return false
  await audit(db, entry)
  return true
}

/** Its sessions end. False: there is no such account. */
export async function setPassword(
  db: Kysely<Schema>,
  { name, hash, audit: entry }: { name: string; hash: string; audit: AuditEntry },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('accounts')
    .set({ hash, set_at: entry.at.getTime() })
    .where('name', '=', name)
    .executeTakeFirst()
  if (numUpdatedRows === 0n) return false
  await endSessionsOf(db, name)
  await audit(db, entry)
  return true
}

/** Its sessions end. False: there is no such account. */
export async function removeAccount(
  db: Kysely<Schema>,
  { name, audit: entry }: { name: string; audit: AuditEntry },
): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('accounts').where('name', '=', name).executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await endSessionsOf(db, name)
  await audit(db, entry)
  return true
}

async function endSessionsOf(db: Kysely<Schema>, name: string): Promise<void> {
  await db.deleteFrom('sessions').where('kind', '=', 'account').where('subject', '=', name).execute()
}
