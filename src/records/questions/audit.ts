import { createHash } from 'node:crypto'
import { type Kysely, type Selectable, sql } from 'kysely'
import type { AuditRow, Schema } from '../schema.ts'
import { fixedQuery, insertRow } from './compiled.ts'

/** All that the audit trail is about, and what each row says. The list is closed: what is not here is not audited. */
export const auditKinds = {
  take: 'a file was judged: accepted, or refused with its code',
  list: 'attachments were listed, with these filters',
  see: 'the record of one was read',
  read: 'the bytes of one are being read',
  release: 'a held file was let through, with its reason',
  release_ask: 'somebody would let a held file through, where a second person must agree',
  hold: 'an accepted file was taken back until somebody decides, with the reason',
  destroy: 'a held file was refused for good, with the reason',
  judge_late: 'a file that waited for an engine was judged',
  recall: 'something was found in a file that had been accepted',
  erase: 'one was erased',
  outbox_retry: 'parked confirmations were made due again',
  outbox_drop: 'what was owed about one was given up',
  ticket_issue: 'a ticket was issued, for this conversation and so many files',
  link_make: 'an address was made by which one is fetched for a while, its safe copy or as it came',
  link_revoke: 'such an address holds no more',
  pull_retry: 'files that could not be fetched were made due again',
  pull_backfill: 'old conversations are to be looked at, in this run',
  policy_push: 'a supported content profile of Genesys Cloud is to let in what we take',
  sign_in: 'a person signed in, and has a session',
  sign_out: 'a session was ended before its time, and why',
  account_change: 'a local account was made or removed, or has another password',
  user_sign_in: 'a service user signed in, whose token sends messages',
  user_sign_out: 'the service user was forgotten',
  request_refuse: 'somebody known asked for what they may not have, or cannot have as things stand',
  credential_refuse: 'no, wrong, spent or expired credentials',
  key_make: 'a master key was made',
  key_use: 'a master key became the one that new files are sealed under',
  key_announce: 'a master key is to become current once every process has it',
  key_rewrap: 'every stored file is under the current master key, so many of them anew',
  key_retire: 'a master key is needed no more',
  key_export: 'the master keys are being copied to a file',
  backup: 'a copy of the whole installation is being made',
  restore: 'the installation was made from a copy, and what was erased since is erased again',
  move_storage: 'the sealed files are being copied to another storage',
  move_database: 'the records are being copied to another database',
  scrub_find: 'stored bytes of one are damaged or missing, as they were read to be proved',
  service_start: 'the service starts, with these settings',
  service_stop: 'the service has stopped taking in',
} as const
export type AuditKind = keyof typeof auditKinds

/**
 * Who did what to which object, and how it ended. Rows are never changed nor removed, so nothing that an erasure must
 * reach may stand in them: no file's name, no digest of content, nothing that was searched for. And no secret.
 */
export interface AuditEntry {
  at: Date
  /** An API key's name, `user:` or `account:` and a person, `anyone` at an open door, `cli`, `sweep`; in brackets what is none of these. */
  who: string
  what: AuditKind
  /** The id of an attachment, a master key or a session, or an account's name; null when it was about none. */
  object: string | null
  outcome: string
  requestId: string | null
  detail: string | null
}

/** A row of the trail, in the chain of its node. */
export interface AuditLink extends AuditEntry {
  node: string
  /** Its place in the chain: from 1, without gaps. */
  seq: number
  /** The digest of the row before; of the first, 64 zeros. */
  previous: string
  digest: string
}

/** The end of a chain, kept elsewhere, proves later that nothing before it was touched. */
export type AuditHead = Pick<AuditLink, 'node' | 'seq' | 'digest'>

const nothingBefore = '0'.repeat(64)

/**
 * The digest of a row, in lower-case hex: SHA-256 over the UTF-8 of this JSON array, as `JSON.stringify` writes it,
 * without white space:
 *
 *     ["clipgate audit",1,node,seq,at,who,what,object,outcome,request_id,detail,previous]
 *
 * `seq` and `at` (milliseconds since 1970, UTC) are numbers, the others strings or null. 1 is the version of this form.
 */
export function digestOf(row: Omit<AuditRow, 'digest'>): string {
  const { node, seq, at, who, what, object, outcome, request_id, detail, previous } = row
  const form = ['clipgate audit', 1, node, seq, at, who, what, object, outcome, request_id, detail, previous]
  return createHash('sha256').update(JSON.stringify(form)).digest('hex')
}

/** The end of the chain that a writer goes on with, where nobody else writes to it: then it need not be asked for. */
const ends = new WeakMap<Kysely<Schema>, AuditHead>()

/** Null: it is not known, and asked for each time. */
export function chainEnd(db: Kysely<Schema>): AuditHead | null {
  return ends.get(db) ?? null
}

/** The row after it is the next one that `audit` adds by this connection. Also after a change that was undone. */
export function goOnFrom(db: Kysely<Schema>, end: AuditHead): void {
  ends.set(db, end)
}

/** Of a node that has written nothing yet. */
export function emptyChain(node: string): AuditHead {
  return { node, seq: 0, digest: nothingBefore }
}

/**
 * Adds a row to the chain, in the transaction of the change that it tells of: undone together, they leave no gap.
 * NOTE: this goes on from the chain's end, so a node has one writer. On SQLite there is one node, and one writer at a time; on
 * PostgreSQL each process has a chain of its own, and knows its end.
 */
export async function audit(db: Kysely<Schema>, entry: AuditEntry): Promise<void> {
  const known = ends.get(db)
  const last = known ?? (await endOfChain(db)).rows[0]
  const row = {
    node: last?.node ?? (await db.selectFrom('audit_nodes').select('node').executeTakeFirstOrThrow()).node,
    seq: Number(last?.seq ?? 0) + 1,
    at: entry.at.getTime(),
    who: asKept(entry.who),
    what: entry.what,
    object: entry.object === null ? null : asKept(entry.object),
    outcome: asKept(entry.outcome),
    request_id: entry.requestId === null ? null : asKept(entry.requestId),
    detail: entry.detail === null ? null : asKept(entry.detail),
    previous: last?.digest ?? nothingBefore,
  }
  const digest = digestOf(row)
  if (known) ends.set(db, { node: row.node, seq: row.seq, digest })
  await insertRow(db, 'audit', { ...row, digest })
}

const endOfChain = fixedQuery('end of the audit chain', (db) =>
  db
    .selectFrom('audit')
    .select(['node', 'seq', 'digest'])
    .where('node', '=', db.selectFrom('audit_nodes').select('node'))
    .orderBy('seq', 'desc')
    .limit(1),
)

/** No database's text has NUL or half characters, and the digest is of what is kept. */
function asKept(text: string): string {
  return text.replaceAll('\0', '\ufffd').toWellFormed()
}

/** The trail from its beginning, or from after a row: node by node, each in the order of its chain. */
export async function listAudit(
  db: Kysely<Schema>,
  { limit, after }: { limit: number; after?: { node: string; seq: number } | undefined },
): Promise<AuditLink[]> {
  let rows = db.selectFrom('audit').selectAll().orderBy('node').orderBy('seq').limit(limit)
  if (after)
    rows = rows.where(({ eb, refTuple, tuple }) => eb(refTuple('node', 'seq'), '>', tuple(after.node, after.seq)))
  return (await rows.execute()).map(toLink)
}

/** Which rows, newest first. */
export interface AuditQuery {
  object?: string | undefined
  who?: string | undefined
  what?: AuditKind | undefined
  from?: Date | undefined
  to?: Date | undefined
  limit: number
  /** The last one of the page before. */
  before?: { at: Date; node: string; seq: number } | undefined
}

export async function findAudit(db: Kysely<Schema>, query: AuditQuery): Promise<AuditLink[]> {
  const { object, who, what, from, to, limit, before } = query
  let rows = db
    .selectFrom('audit')
    .selectAll()
    .orderBy('at', 'desc')
    .orderBy('node', 'desc')
    .orderBy('seq', 'desc')
    .limit(limit)
  if (object !== undefined) rows = rows.where('object', '=', object)
  if (who !== undefined) rows = rows.where('who', '=', who)
  if (what !== undefined) rows = rows.where('what', '=', what)
  if (from) rows = rows.where('at', '>=', from.getTime())
  if (to) rows = rows.where('at', '<', to.getTime())
  if (before)
    rows = rows.where(({ eb, refTuple, tuple }) =>
      eb(refTuple('at', 'node', 'seq'), '<', tuple(before.at.getTime(), before.node, before.seq)),
    )
  return (await rows.execute()).map(toLink)
}

/** The newest row of each chain. */
export async function auditHeads(db: Kysely<Schema>): Promise<AuditHead[]> {
  const heads: AuditHead[] = []
  for (let node = ''; ; ) {
    const head = await db
      .selectFrom('audit')
      .select(['node', 'seq', 'digest'])
      .where('node', '=', ({ selectFrom }) =>
        selectFrom('audit')
          .select(({ fn }) => fn.min('node').as('node'))
          .where('node', '>', node),
      )
      .orderBy('seq', 'desc')
      .limit(1)
      .executeTakeFirst()
    if (!head) return heads
    heads.push({ ...head, seq: Number(head.seq) })
    node = head.node
  }
}

/** Whether a chain has this digest at this place. */
export async function auditHas(
  db: Kysely<Schema>,
  { seq, digest }: Pick<AuditHead, 'seq' | 'digest'>,
): Promise<boolean> {
  const row = await db
    .selectFrom('audit')
    .select('seq')
    .where('node', 'in', db.selectFrom('audit_nodes').select('node'))
    .where('seq', '=', seq)
    .where('digest', '=', digest)
    .executeTakeFirst()
  return row !== undefined
}

/** The first row that is not as it was written. */
export interface AuditBreak {
  node: string
  /** Of a row that is missing: the place where it should be. */
  seq: number
  /** ISO 8601, UTC, as far as it can be read; of the row that stands there, or, when one is missing, of the next. */
  at: string
  what: string
  fault: 'missing' | 'edited' | 'moved' | 'unlinked' | 'inserted'
}

/** The next rows of one chain after one that is known to be right: how many are right too, the last of them, and what is not. */
export async function verifyAudit(
  db: Kysely<Schema>,
  { node, after, limit }: { node: string; after: AuditHead | null; limit: number },
): Promise<{ whole: number; last: AuditHead | null; broken: AuditBreak | null }> {
  const known = await db.selectFrom('audit_nodes').select('node').where('node', '=', node).executeTakeFirst()
  let rows = db
    .selectFrom('audit')
    .select(['node', 'who', 'what', 'object', 'outcome', 'request_id', 'detail', 'previous', 'digest'])
    // As text: whatever somebody has put in the place of a number, it can be read and told.
    .select([sql<string>`cast(seq as text)`.as('seq'), sql<string>`cast(at as text)`.as('at')])
    .where('node', '=', node)
    .orderBy('audit.seq')
    .limit(limit)
  if (after) rows = rows.where('audit.seq', '>', after.seq)
  let last = after
  let whole = 0
  for (const found of await rows.execute()) {
    const row = { ...found, seq: Number(found.seq), at: Number(found.at) }
    const broken = known ? breakAt(row, last) : breakOf(row, 'inserted')
    if (broken) return { whole, last, broken }
    last = { node, seq: row.seq, digest: row.digest }
    whole++
  }
  return { whole, last, broken: null }
}

function breakAt(row: Selectable<AuditRow>, before: AuditHead | null): AuditBreak | null {
  const expected = (before?.seq ?? 0) + 1
  if (row.seq > expected) return { ...breakOf(row, 'missing'), seq: expected }
  if (row.seq !== expected) return breakOf(row, 'inserted')
  const follows = row.previous === (before?.digest ?? nothingBefore)
  if (digestOf(row) !== row.digest) return breakOf(row, follows ? 'edited' : 'moved')
  return follows ? null : breakOf(row, 'unlinked')
}

function breakOf({ node, seq, at, what }: Selectable<AuditRow>, fault: AuditBreak['fault']): AuditBreak {
  const time = new Date(at)
  return { node, seq, at: Number.isNaN(time.getTime()) ? String(at) : time.toISOString(), what, fault }
}

function toLink(row: Selectable<AuditRow>): AuditLink {
  return {
    node: row.node,
    seq: Number(row.seq),
    at: new Date(Number(row.at)),
    who: row.who,
    what: row.what as AuditKind,
    object: row.object,
    outcome: row.outcome,
    requestId: row.request_id,
    detail: row.detail,
    previous: row.previous,
    digest: row.digest,
  }
}
