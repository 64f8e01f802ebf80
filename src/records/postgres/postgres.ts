import type { Kysely } from 'kysely'
import { type Clock, systemClock } from '../../clock.ts'
import { Unavailable } from '../../errors.ts'
import { chainEnd } from '../questions/audit.ts'
import { changes, type Records, reads } from '../records.ts'
import type { Schema } from '../schema.ts'
import { ConnectionFault, clientConfig, connect, readingPool } from './connection.ts'
import { toError } from './faults.ts'
import { createNotices, owing } from './notices.ts'
import { createSharedTime } from './time.ts'
import { createWriter } from './writer.ts'

/** With the one that writes and the one that listens: so many connections a process. */
const readers = 4

/**
 * Changes of which each statement decides for itself: by a unique index, or by a condition that the server looks at again when it
 * has waited for a row. They are most of all changes, and none of them is in another's way. NOTE: what reads first and writes by
 * what it has read does not belong here.
 */
const guarded = new Set<string>([
  'settle',
  'settleConfirmation',
  'settleFetch',
  'settleLookup',
  'settleAlert',
  'askLookups',
  'takeEvents',
  'keepTicket',
  'keepLink',
  'endLink',
  'bytesRemoved',
  'rewrapKeys',
  // It looks after it has written, at what others have committed by then.
  'retireMasterKey',
  'audit',
] satisfies (keyof typeof changes)[])

type Ask = (db: Kysely<Schema>, ...args: unknown[]) => Promise<unknown>

/** Writes, though it changes nothing: whether the server takes a commit is not known before one was tried. */
const touch = (db: Kysely<Schema>) =>
  db
    .updateTable('audit_nodes')
    .set(({ ref }) => ({ node: ref('node') }))
    .where('node', '=', chainEnd(db)!.node)
    .execute()

/**
 * Records in a PostgreSQL database, which other processes may share. The schema must be up to date (`migrate.ts`). Nothing is
 * connected before it is needed, and what breaks is connected anew: a database that is away for a while only delays, or makes
 * what is asked `Unavailable`.
 */
export function postgresRecords(url: string, clock: Clock = systemClock): Records {
  const config = clientConfig(url)
  const time = createSharedTime()
  const writer = createWriter(() => connect(config), clock, time.keep)
  const pool = readingPool(config, readers)
  const notices = createNotices(() => connect(config), clock)
  const asked = new Set<Promise<unknown>>()
  let closing: Promise<void> | null = null

  async function read(question: Ask, args: unknown[]): Promise<unknown> {
    for (let again = true; ; again = false) {
      try {
        return await question(pool.db, ...args)
      } catch (error) {
        // An idle connection may have died long ago: reading does no harm, so it is tried once more.
        if (!again || !(error instanceof ConnectionFault)) throw toError(error, 'read')
      }
    }
  }

  async function close(): Promise<void> {
    await notices.close()
    await Promise.allSettled(asked)
    await writer.close()
    await pool.end()
  }

  const methods: Record<string, unknown> = {
    alone: false,
    clock: time.clock,
    onWork: (listener: () => void) => notices.listen(listener),
    // What is deleted is gone for every question; the server's files and backups are the operator's (docs/postgresql.md).
    truncateLog: async () => {},
    check: async () => {
      await Promise.all([read(reads.masterKeyIds as Ask, []), writer.ask(touch, 'READ COMMITTED')])
    },
    close: () => (closing ??= close()),
  }
  for (const [name, question] of Object.entries(reads))
    methods[name] = (...args: unknown[]) => {
      if (closing) return Promise.reject(new Unavailable('the records are closed'))
      const answer = read(question as Ask, args)
      asked.add(answer)
      void answer.catch(() => {}).finally(() => asked.delete(answer))
      return answer
    }
  for (const [name, change] of Object.entries(changes))
    methods[name] = async (...args: unknown[]) => {
      const answer = await writer.ask(
        (db) => (change as Ask)(db, ...args),
        guarded.has(name) ? 'READ COMMITTED' : 'SERIALIZABLE',
      )
      if (owing.has(name)) notices.tell()
      return answer
    }
  return methods as unknown as Records
}
