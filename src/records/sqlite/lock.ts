import { ConfigError } from '../../errors.ts'
import { DatabaseSync } from './database.ts'
import { createDatabaseFile } from './sqlite.ts'

/**
 * Holds a data folder for one serving process, until released or the process ends in whatever way: a lock of the
 * operating system on an empty database file. Throws `ConfigError` when another process has it.
 */
export async function lockFolder(path: string): Promise<{ release(): void }> {
  await createDatabaseFile(path)
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch {
    database.close()
    throw new ConfigError([`Another clipgate process serves from this data folder (${path} is locked).`])
  }
  return { release: () => database.close() }
}
