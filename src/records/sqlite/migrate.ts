import { type MadeStep, missingSteps, readSteps, sha256Hex } from '../steps.ts'
import { abandon, openDatabase } from './database.ts'

/**
 * Brings the schema of the database at `path` up to date and returns the names of the steps that were made. Safe when
 * several processes do it at once. With `apply` false nothing is changed: throws `ConfigError` when a step is missing.
 * Throws `ConfigError` too when the database is newer than this program, or a step has changed since it was made.
 * A step may use `sha256(text)`, in hex, beside SQLite's own functions.
 */
export function migrate(path: string, folder: string, now: Date, apply: boolean): string[] {
  const database = openDatabase(path)
  try {
    database.exec('BEGIN IMMEDIATE')
    database.exec(
      'CREATE TABLE IF NOT EXISTS migrations (number INTEGER PRIMARY KEY, name TEXT NOT NULL, sha256 TEXT NOT NULL, applied_at BIGINT NOT NULL)',
    )
    const made = database
      .prepare('SELECT number, name, sha256 FROM migrations ORDER BY number')
      .all() as unknown as Omit<MadeStep, 'additive'>[]
    const missing = missingSteps(
      readSteps(folder),
      made.map((step) => ({ ...step, additive: false })),
      apply,
    )
    database.function('sha256', { deterministic: true }, (text: string) => sha256Hex(text))
    for (const { number, name, sql, sha256 } of missing) {
      database.exec(sql)
      database.prepare('INSERT INTO migrations VALUES (?, ?, ?, ?)').run(number, name, sha256, now.getTime())
    }
    database.exec('COMMIT')
    return missing.map(({ name }) => name)
  } finally {
    abandon(database)
  }
}
