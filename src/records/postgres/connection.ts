import { Kysely, PostgresDialect, type PostgresPoolClient } from 'kysely'
import pg, { type Client, type ClientConfig, type CustomTypesConfig, type QueryConfig, type QueryResult } from 'pg'
import type { Schema } from '../schema.ts'
import { readAddress } from './address.ts'

/** The oldest that has what is used here. */
const oldestVersion = 140_000

/** A server that does not answer must not hold anybody up for ever. Locks are held for as long as a batch takes. */
const connectWithinMs = 5000
const lockWithinMs = 10_000
const statementWithinMs = 30_000

const mostNames = 300

/** The connection is of no use any more: what was asked may not have arrived, or its answer not have come. */
export class ConnectionFault extends Error {}

/** This is not a database that we can work with, now or ever. */
export class WrongServer extends Error {}

/** Numbers of 64 bits are read as numbers: times, sizes and counts are far below 2^53. */
const int8 = 20
const types: CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') =>
    oid === int8 && format !== 'binary' ? Number : pg.types.getTypeParser(oid, format)) as never,
}

export function clientConfig(url: string): ClientConfig {
  return {
    ...readAddress(url),
    types,
    application_name: 'clipgate',
    connectionTimeoutMillis: connectWithinMs,
    lock_timeout: lockWithinMs,
    statement_timeout: statementWithinMs,
    // A process that hangs in mid-transaction must not hold its locks for ever.
    idle_in_transaction_session_timeout: statementWithinMs,
    // A server that is gone without a word is noticed in any case.
    query_timeout: statementWithinMs + 5000,
    keepAlive: true,
  }
}

/** One connection, and questions over it. What is asked without waiting travels together. */
export interface Connection {
  db: Kysely<Schema>
  client: Client
  run(sql: string, parameters?: unknown[]): Promise<QueryResult>
  /** It broke: nothing more can be asked. */
  isBroken(): boolean
  end(): Promise<void>
}

/** Throws `ConnectionFault` when it cannot be had now; `WrongServer` when the server is too old. */
export async function connect(config: ClientConfig): Promise<Connection> {
  const client = new pg.Client({ ...config, pipeline: true })
  let broken = false
  // Without a listener it would end the process.
  client.on('error', () => (broken = true))
  client.on('end', () => (broken = true))
  const ask = (query: QueryConfig) =>
    client.query(query).catch((error: unknown) => {
      const fault = toFault(error)
      if (fault instanceof ConnectionFault) broken = true
      throw fault
    })
  const run = (text: string, values: unknown[] = []) => ask({ text, values: values.map(toPostgres) })
  // The server reads and plans a statement that has a name once. Lists make statements of many shapes: not all have one.
  const names = new Map<string, string>()
  const nameOf = (text: string) => {
    const name = names.get(text) ?? (names.size < mostNames ? `clipgate_${names.size}` : undefined)
    if (name !== undefined) names.set(text, name)
    return name
  }
  const query = (text: string, values: unknown[]) => {
    const name = nameOf(text)
    return ask({ text, values: values.map(toPostgres), ...(name !== undefined && { name }) })
  }
  const end = () => client.end().catch(() => {})
  try {
    await client.connect()
    await greet(run)
  } catch (error) {
    // One that never connected does not end by itself.
    void end()
    throw toFault(error)
  }
  const shared: PostgresPoolClient = { query: query as never, release: () => {} }
  return {
    db: queriesOver({ connect: async () => shared, end: async () => {} }),
    client,
    run,
    isBroken: () => broken,
    end,
  }
}

/** Makes sure that it takes writes, and that a commit is on its disk when it answers. */
async function greet(run: Connection['run']): Promise<void> {
  const { rows } = await run(
    `SELECT current_setting('server_version_num')::int AS version,
            pg_is_in_recovery() OR current_setting('transaction_read_only')::boolean AS standby,
            CASE current_setting('synchronous_commit') WHEN 'off' THEN set_config('synchronous_commit', 'on', false) END`,
  )
  const { version, standby } = rows[0] as { version: number; standby: boolean }
  if (version < oldestVersion)
    throw new WrongServer(`the PostgreSQL server is of version ${Math.floor(version / 10_000)}: 14 or later is needed`)
  if (standby) throw new ConnectionFault('the PostgreSQL server takes no writes: it is a standby, or read-only')
}

/** Several connections that only read, so that a long question holds up no other. */
export function readingPool(config: ClientConfig, max: number): { db: Kysely<Schema>; end(): Promise<void> } {
  const pool = new pg.Pool({ ...config, max, allowExitOnIdle: true })
  // Connections that break are replaced; without listeners they would end the process, idle or not.
  pool.on('error', () => {})
  pool.on('connect', (client) => client.on('error', () => {}))
  const db = queriesOver({
    async connect() {
      const client = await pool.connect().catch((error: unknown) => {
        throw toFault(error)
      })
      let broken = false
      return {
        query: ((sql: string, parameters: readonly unknown[]) =>
          client.query(sql, parameters.map(toPostgres)).catch((error: unknown) => {
            const fault = toFault(error)
            broken ||= fault instanceof ConnectionFault
            throw fault
          })) as never,
        release: () => client.release(broken),
      }
    },
    end: async () => {},
  })
  return { db, end: () => pool.end() }
}

function queriesOver(pool: { connect(): Promise<PostgresPoolClient>; end(): Promise<void> }): Kysely<Schema> {
  return new Kysely<Schema>({ dialect: new PostgresDialect({ pool }) })
}

/** No text of PostgreSQL may have a NUL: as on SQLite, it is replaced. */
function toPostgres(value: unknown): unknown {
  if (typeof value === 'string') return value.includes('\0') ? value.replaceAll('\0', '\ufffd') : value
  return value
}

/** connection_exception, admin_shutdown and its kin, read_only_sql_transaction: it was a primary, and is none now. */
const ofTheConnection = /^(08|57P)|^25006$/

/** What the server says of a statement stays as it is; all else is of the connection. */
function toFault(error: unknown): unknown {
  if (error instanceof ConnectionFault || error instanceof WrongServer) return error
  if (error instanceof pg.DatabaseError && !ofTheConnection.test(error.code ?? '')) return error
  return new ConnectionFault((error as Error).message || 'no connection', { cause: error })
}
