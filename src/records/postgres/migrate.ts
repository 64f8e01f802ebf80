import { systemClock } from '../../clock.ts'
import { ConfigError } from '../../errors.ts'
import { type MadeStep, missingSteps, readSteps, type Step } from '../steps.ts'
import { type Connection, clientConfig, connect } from './connection.ts'
import { fateOf, toError } from './faults.ts'
import { refuseWhileMoving } from './moving.ts'

/** First lines of a step, as comments, that say how it is made. */
const additiveMark = '-- additive'
const aloneMark = '-- without a transaction'

/** Others wait behind one who waits for a table: so it waits briefly, lets them pass, and tries again. */
const lockWithinMs = 2000
const attempts = 30

const betweenTriesMs = 50

/** The lock that who migrates holds: any number that nobody else uses. */
const lock = 6_246_738_115_113

/**
 * Brings the schema of a database up to date and returns the names of the steps that were made. Safe when many processes do
 * it at once: one after the other, and the first does the work. With `apply` false nothing is changed. Throws `ConfigError` as
 * `missingSteps` says, and `Unavailable` when the database cannot be used.
 *
 * Records that are being moved into it are refused too, but for `moving`, by which that is done.
 *
 * A step is one transaction. One whose first lines say `-- without a transaction` is a single statement that cannot be in one
 * (CREATE INDEX CONCURRENTLY), and one that says `-- additive` leaves a program that does not know it working.
 */
export async function migratePostgres(
  url: string,
  folder: string,
  now: Date,
  apply: boolean,
  { moving = false } = {},
): Promise<string[]> {
  try {
    const config = { ...clientConfig(url), lock_timeout: lockWithinMs, statement_timeout: 0, query_timeout: 0 }
    const connection = await connect({ ...config, idle_in_transaction_session_timeout: 0 })
    try {
      if (!moving) await refuseWhileMoving(connection.run)
      return await migrateOver(connection, readSteps(folder), now, apply)
    } finally {
      await connection.end()
    }
  } catch (error) {
    throw error instanceof ConfigError ? error : toError(error, 'written')
  }
}

async function migrateOver({ run }: Connection, known: Step[], now: Date, apply: boolean): Promise<string[]> {
  if (!apply && !(await isBegun(run))) {
    missingSteps(known, [], false)
    return []
  }
  await takeLock(run)
  if (apply)
    await run(
      'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, additive BOOLEAN NOT NULL, applied_at BIGINT NOT NULL)',
    )
  const made = (await run('SELECT number, name, sha256, additive FROM migrations ORDER BY number')).rows as MadeStep[]
  const missing = missingSteps(known, made, apply)
  for (const step of missing) await insist(() => make(run, step, now))
  return missing.map(({ name }) => name)
}

/**
 * NOTE: asked for again and again, not waited for: a statement that waits is a transaction, which an index that is made without one
 * (CONCURRENTLY) waits for, by who holds the lock.
 */
async function takeLock(run: Connection['run']): Promise<void> {
  for (;;) {
    const { rows } = await run('SELECT pg_try_advisory_lock($1) AS taken', [lock])
    if ((rows[0] as { taken: boolean }).taken) return
    await systemClock.wait(betweenTriesMs)
  }
}

async function isBegun(run: Connection['run']): Promise<boolean> {
  const { rows } = await run("SELECT to_regclass('migrations') IS NOT NULL AS begun")
  return (rows[0] as { begun: boolean }).begun
}

async function make(run: Connection['run'], step: Step, now: Date): Promise<void> {
  const marks = step.sql.split('\n').slice(0, 2)
  const note = () =>
    run('INSERT INTO migrations VALUES ($1, $2, $3, $4, $5)', [
      step.number,
      step.name,
      step.sha256,
      marks.includes(additiveMark),
      now.getTime(),
    ])
  if (marks.includes(aloneMark)) {
    // Between the two a process may die: such a step must bear being made again (IF NOT EXISTS).
    await dropUnfinished(run, step)
    await run(step.sql)
    await note()
    return
  }
  await run('BEGIN')
  try {
    await run(step.sql)
    await note()
    await run('COMMIT')
  } catch (error) {
    await run('ROLLBACK').catch(() => {})
    throw error
  }
}

/** An index whose making was cut short is there, serves no query, and would be taken for made. */
async function dropUnfinished(run: Connection['run'], { sql }: Step): Promise<void> {
  const [, index] = /^CREATE (?:UNIQUE )?INDEX CONCURRENTLY IF NOT EXISTS (\w+)/m.exec(sql) ?? []
  if (index === undefined) return
  const unfinished = 'SELECT FROM pg_index WHERE indexrelid = to_regclass($1) AND NOT indisvalid'
  if ((await run(unfinished, [index])).rows.length > 0) await run(`DROP INDEX IF EXISTS ${index}`)
}

async function insist(work: () => Promise<void>): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await work()
    } catch (error) {
      if (attempt === attempts || fateOf(error) !== 'again') throw error
    }
  }
}
