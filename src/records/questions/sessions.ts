import type { Kysely, Selectable } from 'kysely'
import type { Schema, SessionRow } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'
import { isRetired } from './rotation.ts'
import { Undo } from './undo.ts'

/** agent: sees the conversations that they take part in. reader: sees all. admin: sees and changes all. */
export const sessionRoles = ['agent', 'reader', 'admin'] as const
export type SessionRole = (typeof sessionRoles)[number]

/** genesys: a user of the organization. account: one of ours. */
export type SessionKind = 'genesys' | 'account'

/** A session as it is kept: by a keyed digest of the secret that is in the cookie. */
export interface KeptSession {
  id: string
  digest: string
  kind: SessionKind
  /** The user's id, or the account's name. */
  subject: string
  /** For people to read. */
  name: string
  role: SessionRole
  /** Under which the digest and the token are. */
  masterKeyId: string
  /** The user's access token, sealed. Null: of an account. */
  token: Uint8Array | null
  beganAt: Date
  /** However much it is used. */
  expiresAt: Date
  /** Unless it is used until then; never after `expiresAt`. */
  liveUntil: Date
}

export type Kept =
  | { kind: 'kept' }
  /** Its master key was given up meanwhile: nothing was changed. */
  | { kind: 'key_retired' }
  /** The account is gone, or has another password: nothing was changed. */
  | { kind: 'account_changed' }

/**
 * `account`: the hash that the password was compared with, so that a session does not outlive a change that came in between.
 * `replaces`: a session that the same browser had, which ends.
 */
export async function keepSession(
  db: Kysely<Schema>,
  {
    session,
    account,
    replaces,
    audit: entry,
  }: { session: KeptSession; account: { hash: string } | null; replaces: string | null; audit: AuditEntry },
): Promise<Kept> {
  if (await isRetired(db, session.masterKeyId)) return { kind: 'key_retired' }
  if (account) {
    const known = await db
      .selectFrom('accounts')
      .select('hash')
      .where('name', '=', session.subject)
      .where('hash', '=', account.hash)
      .executeTakeFirst()
    if (!known) throw new Undo<Kept>({ kind: 'account_changed' })
  }
  if (replaces !== null) await db.deleteFrom('sessions').where('id', '=', replaces).execute()
  await db
    .insertInto('sessions')
    .values({
      id: session.id,
      digest: session.digest,
      kind: session.kind,
      subject: session.subject,
      name: session.name,
      role: session.role,
      master_key_id: session.masterKeyId,
      token: session.token,
      began_at: session.beganAt.getTime(),
      expires_at: session.expiresAt.getTime(),
      live_until: session.liveUntil.getTime(),
    })
    .execute()
  await audit(db, entry)
  return { kind: 'kept' }
}

/** Null: there is none by any of these digests that goes on. */
export async function session(
  db: Kysely<Schema>,
  { digests, now }: { digests: string[]; now: Date },
): Promise<KeptSession | null> {
  const row = await db
    .selectFrom('sessions')
    .selectAll()
    .where('digest', 'in', digests)
    .where('live_until', '>', now.getTime())
    .executeTakeFirst()
  return row ? toSession(row) : null
}

/** Whether this session goes on: nobody has ended it, and its time is not over. */
export async function sessionIsLive(db: Kysely<Schema>, { id, now }: { id: string; now: Date }): Promise<boolean> {
  const row = await db
    .selectFrom('sessions')
    .select('id')
    .where('id', '=', id)
    .where('live_until', '>', now.getTime())
    .executeTakeFirst()
  return row !== undefined
}

/** It is used, by a person who was found to be this. False: it has ended meanwhile, and stays so. */
export async function touchSession(
  db: Kysely<Schema>,
  { id, now, liveUntil, name, role }: Pick<KeptSession, 'id' | 'liveUntil' | 'name' | 'role'> & { now: Date },
): Promise<boolean> {
  const { numUpdatedRows } = await db
    .updateTable('sessions')
    .set({ live_until: liveUntil.getTime(), name, role })
    .where('id', '=', id)
    .where('live_until', '>', now.getTime())
    .executeTakeFirst()
  return numUpdatedRows > 0n
}

/** False: it had ended before, and nothing was changed. */
export async function endSession(
  db: Kysely<Schema>,
  { id, audit: entry }: { id: string; audit: AuditEntry },
): Promise<boolean> {
  const { numDeletedRows } = await db.deleteFrom('sessions').where('id', '=', id).executeTakeFirst()
  if (numDeletedRows === 0n) return false
  await audit(db, entry)
  return true
}

/** Forgets the sessions whose time is over. */
export async function forgetSessions(db: Kysely<Schema>, now: Date): Promise<void> {
  await db.deleteFrom('sessions').where('live_until', '<=', now.getTime()).execute()
}

/** Ends every session, as after a restore, which would bring back what had ended since. */
export async function endAllSessions(db: Kysely<Schema>): Promise<void> {
  await db.deleteFrom('sessions').execute()
}

function toSession(row: Selectable<SessionRow>): KeptSession {
  return {
    id: row.id,
    digest: row.digest,
    kind: row.kind as SessionKind,
    subject: row.subject,
    name: row.name,
    role: row.role as SessionRole,
    masterKeyId: row.master_key_id,
    token: row.token === null ? null : Buffer.from(row.token),
    beganAt: new Date(Number(row.began_at)),
    expiresAt: new Date(Number(row.expires_at)),
    liveUntil: new Date(Number(row.live_until)),
  }
}
