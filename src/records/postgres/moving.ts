import { ConfigError, Unavailable } from '../../errors.ts'
import { type Connection, clientConfig, connect } from './connection.ts'
import { toError } from './faults.ts'

/** While it is there, the database is being moved into, and nothing may be served from it. */
const marker = 'clipgate_move'

/** How far a table has come. */
export interface MovedTable {
  lastKey: unknown[] | null
  done: boolean
}

/** Throws `ConfigError` where records are being moved into the database. */
export async function refuseWhileMoving(run: Connection['run']): Promise<void> {
  if (await isMarked(run))
    throw new ConfigError([
      'Records are being moved into this database, and not all are there. End that first: clipgate move database',
    ])
}

async function isMarked(run: Connection['run']): Promise<boolean> {
  const { rows } = await run(`SELECT to_regclass('${marker}') IS NOT NULL AS marked`)
  return (rows[0] as { marked: boolean }).marked
}

/** How many other processes of ours are connected to the database. */
export async function countProcesses(url: string): Promise<number> {
  return over(url, async ({ run }) => {
    const { rows } = await run(
      "SELECT count(*)::int AS count FROM pg_stat_activity WHERE application_name = 'clipgate' AND datname = current_database() AND pid <> pg_backend_pid()",
    )
    return (rows[0] as { count: number }).count
  })
}

/** Does something over a connection that may take its time, and ends it. Throws `Unavailable` as records do. */
export async function over<T>(url: string, work: (connection: Connection) => Promise<T>): Promise<T> {
  try {
    const unhurried = { statement_timeout: 0, query_timeout: 0, idle_in_transaction_session_timeout: 0 }
    const connection = await connect({ ...clientConfig(url), ...unhurried })
    try {
      return await work(connection)
    } finally {
      await connection.end()
    }
  } catch (error) {
    throw error instanceof ConfigError || error instanceof Unavailable ? error : toError(error, 'written')
  }
}

/** The database that records are moved into, whose schema is up to date. */
export function movingInto({ run }: Connection) {
  return {
    /**
     * Begins a move of these tables, or goes on with one, of which it tells how far it has come. Throws `ConfigError` when there are
     * other records, or the source has changed since it began.
     */
    async begin(tables: string[], source: string): Promise<Map<string, MovedTable>> {
      if (!(await isMarked(run))) {
        for (const table of tables) {
          const { rows } = await run(`SELECT EXISTS (SELECT FROM ${table}) AS filled`)
          if ((rows[0] as { filled: boolean }).filled)
            throw new ConfigError([`The database has records already (${table}). Move into an empty one.`])
        }
        await run('BEGIN')
        await run(`CREATE TABLE ${marker} (name TEXT PRIMARY KEY, last_key TEXT, done BOOLEAN NOT NULL)`)
        await run(`INSERT INTO ${marker} VALUES ('', $1, true)`, [source])
        await run('COMMIT')
      }
      const { rows } = await run(`SELECT name, last_key, done FROM ${marker}`)
      const found = rows as { name: string; last_key: string | null; done: boolean }[]
      if (found.find(({ name }) => name === '')?.last_key !== source)
        throw new ConfigError([
          'The records have changed since this move began (was the service started in between?). Move into another, empty database.',
        ])
      return new Map(
        found.map(({ name, last_key, done }) => [
          name,
          { lastKey: last_key === null || name === '' ? null : (JSON.parse(last_key) as unknown[]), done },
        ]),
      )
    },
    /** The columns of a table and their types. */
    async columns(table: string): Promise<Map<string, string>> {
      const { rows } = await run(
        'SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = current_schema() AND table_name = $1',
        [table],
      )
      return new Map(
        (rows as { column_name: string; data_type: string }[]).map((row) => [row.column_name, row.data_type]),
      )
    },
    /** Adds rows, column by column, and keeps that the table has come so far: one transaction. */
    async add(table: string, columns: [name: string, type: string, values: unknown[]][], moved: MovedTable) {
      await run('BEGIN')
      try {
        if ((columns[0]?.[2].length ?? 0) > 0)
          await run(
            `INSERT INTO ${table} (${columns.map(([name]) => `"${name}"`).join(', ')}) ` +
              `SELECT * FROM unnest(${columns.map(([, type], i) => `$${i + 1}::${type}[]`).join(', ')})`,
            columns.map(([, , values]) => values),
          )
        await run(
          `INSERT INTO ${marker} VALUES ($1, $2, $3) ON CONFLICT (name) DO UPDATE SET last_key = excluded.last_key, done = excluded.done`,
          [table, moved.lastKey && JSON.stringify(moved.lastKey), moved.done],
        )
        await run('COMMIT')
      } catch (error) {
        await run('ROLLBACK').catch(() => {})
        throw error
      }
    },
    async rows(query: string, parameters: unknown[]): Promise<Record<string, unknown>[]> {
      return (await run(query, parameters)).rows as Record<string, unknown>[]
    },
    /** From now on it can be served from. */
    async end(): Promise<void> {
      await run('ANALYZE')
      await run(`DROP TABLE ${marker}`)
    },
  }
}

export type MovingInto = ReturnType<typeof movingInto>
