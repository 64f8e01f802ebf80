import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Kysely } from 'kysely'
import type { Clock } from '../../clock.ts'
import { Unavailable } from '../../errors.ts'
import { chainEnd, goOnFrom } from '../questions/audit.ts'
import { Undo } from '../questions/undo.ts'
import type { Schema } from '../schema.ts'
import { leaveChain, takeChain } from './chain.ts'
import { type Connection, ConnectionFault } from './connection.ts'
import { CommitUnknown, fateOf, isRefusedCommit, toError } from './faults.ts'

/** A change: its statements over a connection, in a transaction that is ours. */
export type Change = (db: Kysely<Schema>) => Promise<unknown>

/**
 * How a change is kept apart from what others do at the same time. `SERIALIZABLE`: it reads and then writes as if it were alone.
 * `READ COMMITTED`: each of its statements guards itself, so that it need not be.
 */
export type Isolation = 'SERIALIZABLE' | 'READ COMMITTED'

export interface Writer {
  /** Resolves with the change's answer once it has committed. Throws as the port says. */
  ask(change: Change, isolation: Isolation): Promise<unknown>
  /** Resolves when what was asked is answered. */
  close(): Promise<void>
}

interface Asked {
  change: Change
  isolation: Isolation
  resolve(answer: unknown): void
  reject(error: Error): void
}

type Outcome = { value: unknown } | { error: unknown }

/** More would hold the first of them up for longer than they save. */
const mostTogether = 64

/** For so long a server may be gone, or others be in the way, before those who wait are told. */
const patienceMs = 10_000

/**
 * Changes over one connection. All that waits becomes one transaction, or one of each isolation: on a network a commit costs more
 * than a change. What was in the way of another process is made again. `begins` may ask the connection before each transaction.
 */
export function createWriter(
  open: () => Promise<Connection>,
  clock: Clock,
  begins: (connection: Connection) => Promise<void> = async () => {},
): Writer {
  let waiting: Asked[] = []
  let working: Promise<void> | null = null
  let closed = false
  let connection: Connection | null = null
  /** Since when no connection holds; null: the last one did. */
  let lostAt: number | null = null

  const now = () => clock.now().getTime()

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const batch = nextBatch()
      const outcomes = await commit(batch)
      for (const [i, { resolve, reject }] of batch.entries()) {
        const outcome = outcomes[i]!
        if ('error' in outcome) reject(toError(outcome.error, 'written'))
        else resolve(outcome.value)
      }
      // Lets in what was asked meanwhile, so that it is committed together.
      await nextTurn()
    }
    working = null
  }

  /** Those of the first one's isolation, in their order. */
  function nextBatch(): Asked[] {
    const alike = waiting.filter(({ isolation }) => isolation === waiting[0]!.isolation).slice(0, mostTogether)
    waiting = waiting.filter((one) => !alike.includes(one))
    return alike
  }

  async function commit(batch: Asked[]): Promise<Outcome[]> {
    const begunAt = now()
    for (let attempt = 0; ; attempt++) {
      try {
        const open = await connected()
        await begins(open)
        const outcomes = await transaction(open, batch)
        lostAt = null
        return outcomes
      } catch (error) {
        if (error instanceof CommitUnknown) {
          await drop()
          return batch.map(() => ({ error }))
        }
        const fate = fateOf(error)
        if (fate === 'reconnect') {
          await drop()
          lostAt ??= now()
        }
        const since = fate === 'reconnect' ? lostAt! : begunAt
        if (fate === 'fault' || now() - since > patienceMs) {
          // One that fails must not fail its neighbours: each alone.
          if (fate === 'fault' && batch.length > 1) return alone(batch)
          return batch.map(() => ({ error }))
        }
        // The first time at once: what was in the way is over, or a new connection is to be had.
        if (attempt > 0) await clock.wait(Math.random() * Math.min(500, 10 * 2 ** attempt))
      }
    }
  }

  async function alone(batch: Asked[]): Promise<Outcome[]> {
    const outcomes: Outcome[] = []
    for (const one of batch) outcomes.push(...(await commit([one])))
    return outcomes
  }

  async function connected(): Promise<Connection> {
    if (connection?.isBroken()) await drop()
    if (!connection) {
      const opened = await open()
      try {
        goOnFrom(opened.db, await takeChain(opened))
      } catch (error) {
        void opened.end()
        throw error
      }
      connection = opened
    }
    return connection
  }

  async function drop(): Promise<void> {
    const last = connection
    connection = null
    if (!last) return
    if (!last.isBroken()) await leaveChain(last)
    void last.end()
  }

  return {
    ask(change, isolation) {
      if (closed) return Promise.reject(new Unavailable('the records are closed'))
      return new Promise((resolve, reject) => {
        waiting.push({ change, isolation, resolve, reject })
        working ??= work()
      })
    },
    async close() {
      closed = true
      await working
      await drop()
    },
  }
}

/**
 * Changes that guard themselves are made side by side, and their statements travel together: they are to each other what those of
 * another process are. The others one after the other.
 */
async function answersOf(batch: Asked[], db: Kysely<Schema>): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  if (batch[0]!.isolation === 'SERIALIZABLE') {
    for (const { change } of batch) outcomes.push({ value: await change(db) })
    return outcomes
  }
  // All have ended before it goes on, so that nothing of them comes after the transaction.
  for (const outcome of await Promise.allSettled(batch.map(({ change }) => change(db)))) {
    if (outcome.status === 'rejected') throw outcome.reason
    outcomes.push({ value: outcome.value })
  }
  return outcomes
}

/** Throws what a change has thrown, and then nothing stands; `CommitUnknown` when all of it may. */
async function transaction({ db, run }: Connection, batch: Asked[]): Promise<Outcome[]> {
  const end = chainEnd(db)!
  const outcomes: Outcome[] = []
  try {
    await run(`BEGIN ISOLATION LEVEL ${batch[0]!.isolation}`)
    outcomes.push(...(await answersOf(batch, db)))
  } catch (error) {
    goOnFrom(db, end)
    // If it cannot be asked any more, nothing stands either.
    await run('ROLLBACK').catch(() => {})
    if (error instanceof Undo && batch.length === 1) return [{ value: error.answer }]
    throw error
  }
  let command: string
  try {
    command = (await run('COMMIT')).command
  } catch (error) {
    goOnFrom(db, end)
    if (isRefusedCommit(error)) throw error
    throw new CommitUnknown('a commit was not answered', { cause: error })
  }
  if (command === 'COMMIT') return outcomes
  // A statement had failed, and its change has said nothing of it: the server gave all of it up.
  goOnFrom(db, end)
  throw new ConnectionFault('a transaction was given up')
}
