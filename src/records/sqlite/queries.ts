import { Kysely, SqliteDialect } from 'kysely'
import { runDirectly } from '../questions/compiled.ts'
import type { Schema } from '../schema.ts'
import type { Database } from './database.ts'

/** Kysely over a database that is opened, with its statements kept prepared. */
export function queriesOver(database: Database): Kysely<Schema> {
  const statements = new Map<string, ReturnType<typeof prepare>>()
  const prepare = (sql: string) => {
    const statement = database.prepare(sql)
    return {
      reader: statement.columns().length > 0,
      all: (parameters: readonly unknown[]) => statement.all(...parameters.map(toSqlite)),
      run: (parameters: readonly unknown[]) => statement.run(...parameters.map(toSqlite)),
      iterate: (parameters: readonly unknown[]) => statement.iterate(...parameters.map(toSqlite)),
    }
  }
  const prepared = (sql: string) => {
    let statement = statements.get(sql)
    if (!statement) {
      // Lists make statements of many shapes: the map starts anew before it grows without bound.
      if (statements.size > 500) statements.clear()
      statement = prepare(sql)
      statements.set(sql, statement)
    }
    return statement
  }
  const db = new Kysely<Schema>({
    dialect: new SqliteDialect({
      database: { close: () => database.close(), prepare: (sql) => prepared(sql) as never },
    }),
  })
  runDirectly(db, ({ sql, parameters }) => {
    const statement = prepared(sql)
    if (statement.reader) return { rows: statement.all(parameters) }
    return { rows: [], numAffectedRows: BigInt(statement.run(parameters).changes) }
  })
  return db
}

/** A text ends at a NUL for SQLite, and may not have one in PostgreSQL: so that none is taken for another, it is replaced. */
function toSqlite(value: unknown): null | number | bigint | string | Uint8Array {
  if (typeof value === 'string') return value.replaceAll('\0', '\ufffd')
  if (typeof value === 'boolean') return value ? 1 : 0
  return (value ?? null) as null | number | bigint | string | Uint8Array
}
