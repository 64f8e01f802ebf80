import { type Kysely, PostgresAdapter } from 'kysely'
import type { WrappedKey } from '../../seal/keys.ts'
import type { Schema } from '../schema.ts'
import { type AuditEntry, audit } from './audit.ts'
import { askCompiled, changeCompiled } from './compiled.ts'
import { masterKeys } from './keys.ts'
import { together } from './together.ts'
import { Undo } from './undo.ts'

/** A process that was not seen for so long is gone. */
export const goneAfterMs = 120_000
/** Nothing that a ticket, or a file of the gateway that was not sent, was kept under lives longer. */
const dayMs = 24 * 60 * 60 * 1000

type AuditedBy = Pick<AuditEntry, 'at' | 'who' | 'requestId'>

/** What one process has of the master keys, and which it wraps with. */
export interface KeyHolder {
  process: string
  ids: string[]
  wrapsWith: string
}

/** The processes that serve, as they were seen last. Empty where there is one alone. */
export async function keyHolders(db: Kysely<Schema>, { at }: { at: Date }): Promise<KeyHolder[]> {
  const rows = await db
    .selectFrom('key_holders')
    .selectAll()
    .where('seen_at', '>=', at.getTime() - goneAfterMs)
    .orderBy('process')
    .execute()
  return rows.map(({ process, holds, wraps_with }) => ({ process, ids: JSON.parse(holds), wrapsWith: wraps_with }))
}

/**
 * `held`: which is current now, and whether this process is the first of those that serve. `lacks`: it has not what the records need,
 * so nothing was changed.
 */
export type Held = { kind: 'held'; current: string; first: boolean } | { kind: 'lacks'; ids: string[] }

/** `process`: null where it is the only one. `wrapsWith`: null before it has begun, with what is current then. */
export interface Holding {
  process: string | null
  ids: string[]
  wrapsWith: string | null
}

/**
 * Says that a process has these keys. `newest`: the last of where it has them from, announced unless the records know it. A key
 * that waits becomes current as soon as every process that serves has it: never before, since what is wrapped with it must open at
 * all of them. `made`: this process has just made the key by itself.
 */
export async function holdMasterKeys(
  db: Kysely<Schema>,
  { holder, newest, made, by }: { holder: Holding; newest: string; made: boolean; by: AuditedBy },
): Promise<Held> {
  const at = by.at.getTime()
  const known = await masterKeys(db)
  const lacking = known
    .filter(({ id, state }) => (state === 'current' || state === 'old') && !holder.ids.includes(id))
    .map(({ id }) => id)
  if (lacking.length > 0) return { kind: 'lacks', ids: lacking }
  const isNew = !known.some(({ id }) => id === newest)
  if (isNew) await wait(db, { id: newest, at })

  const { process } = holder
  const others = process === null ? [] : (await keyHolders(db, { at: by.at })).filter((one) => one.process !== process)
  const waiting = known.filter(({ state }) => state === 'waiting').map(({ id }) => id)
  const become = [...waiting, ...(isNew ? [newest] : [])].filter((id) =>
    [holder, ...others].every(({ ids }) => ids.includes(id)),
  )
  let current = known.find(({ state }) => state === 'current')?.id ?? null
  // One after the other, also by clocks that do not agree.
  let since = Math.max(at, ...known.filter(({ state }) => state !== 'waiting').map((key) => key.since.getTime() + 1))
  for (const id of become) {
    await db.updateTable('master_keys').set({ waits: null, first_used_at: since++ }).where('id', '=', id).execute()
    current = id
    await audit(db, { ...by, what: made ? 'key_make' : 'key_use', object: id, outcome: 'current', detail: null })
  }
  if (isNew && !become.includes(newest)) await audit(db, announced(newest, by))
  // The first process that ever holds a key is the only one that does: so there is a current one from then on.
  if (current === null) throw new Error('no master key is current')
  if (process !== null) await keepHolder(db, { process, ids: holder.ids, wrapsWith: holder.wrapsWith ?? current }, at)
  return { kind: 'held', current, first: others.every((one) => process !== null && process < one.process) }
}

async function keepHolder(db: Kysely<Schema>, { process, ids, wrapsWith }: KeyHolder, at: number): Promise<void> {
  await db
    .deleteFrom('key_holders')
    .where('seen_at', '<', at - goneAfterMs)
    .execute()
  const row = { holds: JSON.stringify(ids), wraps_with: wrapsWith, seen_at: at }
  await db
    .insertInto('key_holders')
    .values({ process, ...row })
    .onConflict((conflict) => conflict.column('process').doUpdateSet(row))
    .execute()
}

const announced = (id: string, by: AuditedBy): AuditEntry => ({
  ...by,
  what: 'key_announce',
  object: id,
  outcome: 'waits until every process has it',
  detail: null,
})

async function wait(db: Kysely<Schema>, { id, at }: { id: string; at: number }): Promise<void> {
  await db.insertInto('master_keys').values({ id, first_used_at: at, waits: 1, retired_at: null }).execute()
}

/** A key is to become current. False: the records know it already, so nothing was changed. */
export async function announceMasterKey(
  db: Kysely<Schema>,
  { id, by }: { id: string; by: AuditedBy },
): Promise<boolean> {
  if ((await masterKeys(db)).some((key) => key.id === id)) return false
  await wait(db, { id, at: by.at.getTime() })
  await audit(db, announced(id, by))
  return true
}

/** A process ends: nothing waits for it any more. */
export async function leaveMasterKeys(db: Kysely<Schema>, { process }: { process: string }): Promise<void> {
  await db.deleteFrom('key_holders').where('process', '=', process).execute()
}

export interface KeyOf {
  attachmentId: string
  wrapped: Uint8Array
}

/** Data keys that this master key wraps, by their attachments' ids. */
export async function keysUnder(
  db: Kysely<Schema>,
  { masterKeyId, after, limit }: { masterKeyId: string; after: string | null; limit: number },
): Promise<KeyOf[]> {
  const rows = await db
    .selectFrom('data_keys')
    .select(['attachment_id', 'wrapped'])
    .where('master_key_id', '=', masterKeyId)
    .$if(after !== null, (some) => some.where('attachment_id', '>', after!))
    .orderBy('attachment_id')
    .limit(limit)
    .execute()
  return rows.map(({ attachment_id, wrapped }) => ({ attachmentId: attachment_id, wrapped: Buffer.from(wrapped) }))
}

export interface Rewrapped {
  attachmentId: string
  from: WrappedKey
  to: WrappedKey
}

/**
 * Puts data keys that are wrapped anew in the place of what they were: only where it stands as it was read, so that what was erased
 * stays erased. Tells how many. All are to be wrapped with the same master key; if that is retired, nothing is changed.
 */
export async function rewrapKeys(db: Kysely<Schema>, { keys }: { keys: Rewrapped[] }): Promise<number> {
  const [first] = keys
  if (!first || (await isRetired(db, first.to.masterKeyId))) return 0
  const changed = keys.map(({ attachmentId, from, to }) =>
    changeCompiled(
      db,
      'rewrap a key',
      () =>
        db
          .updateTable('data_keys')
          .set({ master_key_id: to.masterKeyId, wrapped: to.wrapped })
          .where('attachment_id', '=', attachmentId)
          .where('master_key_id', '=', from.masterKeyId)
          .where('wrapped', '=', from.wrapped),
      [to.masterKeyId, to.wrapped, attachmentId, from.masterKeyId, from.wrapped],
    ),
  )
  await together(...changed)
  return (await Promise.all(changed)).reduce((all, one) => all + one, 0)
}

/**
 * Whether nothing may be wrapped with this master key any more. What is written in the same transaction stands before a retirement
 * that comes at the same time, and is counted by it, or after it: PostgreSQL holds the row for that, and SQLite has one writer.
 */
export async function isRetired(db: Kysely<Schema>, masterKeyId: string): Promise<boolean> {
  const rows = await askCompiled(
    db,
    'whether a master key is retired',
    () =>
      db
        .selectFrom('master_keys')
        .select('retired_at')
        .where('id', '=', masterKeyId)
        .$if(db.getExecutor().adapter instanceof PostgresAdapter, (asked) => asked.forShare()),
    [masterKeyId],
  )
  return rows[0] !== undefined && rows[0].retired_at !== null
}

/** Why a master key cannot be retired yet. */
export interface NeededBy {
  files: number
  /** Processes that wrap with it. */
  processes: string[]
  /** Tickets that may have been issued under it; the last of them runs out then. */
  tickets: { count: number; until: Date } | null
  /** Files of gateway sessions that were announced under it, and not sent yet: for a day at most. */
  gatewayFiles: number
}

export type Retired =
  | { kind: 'retired' }
  | { kind: 'unknown' }
  | { kind: 'already' }
  | { kind: 'current' }
  | { kind: 'needed'; by: NeededBy }

/**
 * Retires a master key that nothing needs any more; sessions that were begun under it end. It writes before it looks, and looks at what the others have committed by then:
 * a file that is settled under it meanwhile is waited for, or finds it retired (`isRetired`). NOTE: on PostgreSQL this must not be
 * serializable: what is looked at would be as it was when this began.
 */
export async function retireMasterKey(db: Kysely<Schema>, { id, by }: { id: string; by: AuditedBy }): Promise<Retired> {
  const row = await db
    .updateTable('master_keys')
    .set({ retired_at: by.at.getTime() })
    .where('id', '=', id)
    .where('retired_at', 'is', null)
    .returning('waits')
    .executeTakeFirst()
  const key = (await masterKeys(db)).find((one) => one.id === id)
  if (!key) return { kind: 'unknown' }
  if (!row) return { kind: 'already' }
  // Under one that waits nothing was ever kept.
  const waited = row.waits !== null
  if (!waited && key.until === null) throw new Undo<Retired>({ kind: 'current' })
  const needed = await neededBy(db, { id, until: key.until, now: by.at })
  if (needed) throw new Undo<Retired>({ kind: 'needed', by: needed })
  const ended = await endSessionsUnder(db, id)
  const detail = ended === 0 ? null : JSON.stringify({ sessionsEnded: ended })
  await audit(db, { ...by, what: 'key_retire', object: id, outcome: 'retired', detail })
  return { kind: 'retired' }
}

/** People who signed in under it sign in again: a session is not worth waiting for, and is known by no other key. */
async function endSessionsUnder(db: Kysely<Schema>, masterKeyId: string): Promise<number> {
  const { numDeletedRows } = await db.deleteFrom('sessions').where('master_key_id', '=', masterKeyId).executeTakeFirst()
  return Number(numDeletedRows)
}

/** `until`: when another became current. A process may have gone on with it for a while. */
async function neededBy(
  db: Kysely<Schema>,
  { id, until, now }: { id: string; until: Date | null; now: Date },
): Promise<NeededBy | null> {
  const { files } = await db
    .selectFrom('data_keys')
    .select(({ fn }) => fn.countAll<number>().as('files'))
    .where('master_key_id', '=', id)
    .executeTakeFirstOrThrow()
  const holders = await keyHolders(db, { at: now })
  const processes = holders.filter(({ wrapsWith }) => wrapsWith === id).map(({ process }) => process)
  const ended = until && until.getTime() + goneAfterMs
  const tickets = ended === null ? null : await ticketsUntil(db, { ended, now: now.getTime() })
  const gatewayFiles = ended === null ? 0 : await unsentUntil(db, { ended, now: now.getTime() })
  const needed = Number(files) > 0 || processes.length > 0 || tickets !== null || gatewayFiles > 0
  return needed ? { files: Number(files), processes, tickets, gatewayFiles } : null
}

async function ticketsUntil(db: Kysely<Schema>, { ended, now }: { ended: number; now: number }) {
  const { count, last } = await db
    .selectFrom('tickets')
    .select(({ fn }) => [fn.countAll<number>().as('count'), fn.max('expires_at').as('last')])
    .where('issued_at', '<=', ended)
    .where('expires_at', '>', now)
    .where('files_left', '>', 0)
    .executeTakeFirstOrThrow()
  return Number(count) === 0 ? null : { count: Number(count), until: new Date(Number(last)) }
}

async function unsentUntil(db: Kysely<Schema>, { ended, now }: { ended: number; now: number }): Promise<number> {
  const { count } = await db
    .selectFrom('gateway_files')
    .select(({ fn }) => fn.countAll<number>().as('count'))
    .where('state', 'in', ['announced', 'cleared', 'sending'])
    .where('at', '<=', ended)
    .where('at', '>=', now - dayMs)
    .executeTakeFirstOrThrow()
  return Number(count)
}
