import { open } from 'node:fs/promises'
import { storedCount, storedPage } from '../questions/stored.ts'
import { DatabaseSync } from './database.ts'
import { queriesOver } from './queries.ts'
import { createDatabaseFile } from './sqlite.ts'

/**
 * Copies the database at `from`, as it is at one moment, to a file that must not be there, while others write to it. Written anew
 * (`VACUUM INTO`), so that nothing of what was deleted is in it. Durable when resolved. NOTE: it blocks, and what was erased
 * meanwhile cannot be wiped from the log: such an erasure ends as `Unavailable`, and the sweep finishes it.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  await createDatabaseFile(to)
  const database = new DatabaseSync(from)
  try {
    database.exec('PRAGMA busy_timeout = 5000')
    database.prepare('VACUUM INTO ?').run(to)
  } finally {
    database.close()
  }
  // SQLite does not: what it makes here it takes for something that can be made again.
  const file = await open(to, 'r+')
  try {
    await file.sync()
  } finally {
    await file.close()
  }
}

/** What a copied database says of its files; it is not changed by being asked. */
export function openSnapshot(path: string) {
  const database = new DatabaseSync(path)
  database.exec('PRAGMA query_only = ON')
  const db = queriesOver(database)
  const step = database.prepare('SELECT name FROM migrations ORDER BY number DESC LIMIT 1').get() as { name: string }
  return {
    /** The newest step of its schema. */
    schema: step.name,
    masterKeyIds: (database.prepare('SELECT id FROM master_keys ORDER BY first_used_at').all() as { id: string }[]).map(
      ({ id }) => id,
    ),
    storedPage: (asked: Parameters<typeof storedPage>[1]) => storedPage(db, asked),
    storedCount: () => storedCount(db),
    /** The end of its audit trail. */
    auditHead: database.prepare('SELECT node, seq, digest FROM audit ORDER BY seq DESC LIMIT 1').get() as
      | { node: string; seq: number; digest: string }
      | undefined,
    close: () => database.close(),
  }
}
