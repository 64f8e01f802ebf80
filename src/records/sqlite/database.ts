import { createRequire, isBuiltin } from 'node:module'
import type { DatabaseSyncInstance as Database } from '@photostructure/sqlite'

const require = createRequire(import.meta.url)

/** Node's own SQLite where it has one (22 and later), else a package of the same interface. */
export const { DatabaseSync } = (
  isBuiltin('node:sqlite') ? require('node:sqlite') : require('@photostructure/sqlite')
) as {
  DatabaseSync: new (path: string) => Database
}

export type { Database }

/** The log's size, 16 MiB, at which it is written back to the file. At SQLite's own, 4, every page is written back many times. */
const logPages = 4000

/**
 * Opens a database file, which must exist. FULL: WAL's default, NORMAL, loses the last commits at power loss.
 * `secure_delete`: what is deleted is overwritten, since erasing a file means that its key is nowhere. `temp_store`: the pages
 * that a savepoint may bring back are kept in memory. By default they go to files in /var/tmp, which leave wrapped keys and
 * names behind on that disk, and their making and removing slows down everybody who makes files there.
 */
export function openDatabase(path: string): Database {
  const database = new DatabaseSync(path)
  database.exec(
    `PRAGMA busy_timeout = 5000; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;
     PRAGMA secure_delete = ON; PRAGMA temp_store = MEMORY; PRAGMA wal_autocheckpoint = ${logPages};`,
  )
  return database
}

/**
 * Closes a database and gives up what was not committed. NOTE: closing alone does not: while a statement of it lives,
 * which is until the garbage collector comes, SQLite closes a connection in name only, and its transaction goes on.
 */
export function abandon(database: Database): void {
  try {
    database.exec('ROLLBACK')
  } catch {
    // Nothing was open, or SQLite has rolled back by itself.
  }
  try {
    database.close()
  } catch {
    // It is not used again either way.
  }
}
