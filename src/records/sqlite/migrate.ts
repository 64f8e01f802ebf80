import { createHash } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '../../errors.ts'
import { abandon, openDatabase } from './database.ts'

interface Migration {
  number: number
  name: string
  sql: string
  sha256: string
}

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
      .all() as unknown as Omit<Migration, 'sql'>[]
    const known = readMigrations(folder)
    for (const step of made) {
      const same = known.find(({ number }) => number === step.number)
      if (!same)
        throw new ConfigError([
          `The database is newer than this program: it has ${step.name}. Run the program that made it, or a later one.`,
        ])
      if (same.sha256 !== step.sha256)
        throw new ConfigError([`The schema step ${step.name} is not the one that this database was made with.`])
    }
    const missing = known.filter(({ number }) => !made.some((step) => step.number === number))
    if (missing.length > 0 && !apply)
      throw new ConfigError([`The database lacks ${missing.map(({ name }) => name).join(', ')}. Run: clipgate migrate`])
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

function readMigrations(folder: string): Migration[] {
  return readdirSync(folder)
    .filter((file) => /^\d{4}_.*\.sql$/.test(file))
    .sort()
    .map((file) => {
      const sql = readFileSync(join(folder, file), 'utf8')
      return {
        number: Number(file.slice(0, 4)),
        name: file.slice(0, -'.sql'.length),
        sql,
        sha256: sha256Hex(sql),
      }
    })
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}
