import { createRequire, isBuiltin } from 'node:module'
import type { DatabaseSyncInstance as Database } from '@photostructure/sqlite'
import { Kysely, SqliteDialect } from 'kysely'
import type { Schema } from '../schema.ts'

const require = createRequire(import.meta.url)

/** Node's own SQLite where it has one (22 and later), else a package of the same interface. */
export const { DatabaseSync } = (isBuiltin('node:sqlite') ? require('node:sqlite') : require('@photostructure/sqlite')) as {
  DatabaseSync: new (path: string) => Database
}

export type { Database }

/**
 * Opens a database file, which must exist. FULL: WAL's default, NORMAL, loses the last commits at power loss.
 * `secure_delete`: what is deleted is overwritten, since erasing a file means that its key is nowhere.
 */
export function openDatabase(path: string): Database {
  const database = new DatabaseSync(path)
  database.exec(
    'PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;',
  )
  return database
}

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
  return new Kysely<Schema>({
    dialect: new SqliteDialect({
      database: {
        close: () => database.close(),
        prepare(sql) {
          let statement = statements.get(sql)
          if (!statement) {
            // Lists make statements of many shapes: the map starts anew before it grows without bound.
            if (statements.size > 500) statements.clear()
            statement = prepare(sql)
            statements.set(sql, statement)
          }
          return statement as never
        },
      },
    }),
  })
}

function toSqlite(value: unknown): null | number | bigint | string | Uint8Array {
  if (typeof value === 'boolean') return value ? 1 : 0
  return (value ?? null) as null | number | bigint | string | Uint8Array
}
