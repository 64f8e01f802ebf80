import { ConfigError } from '../../errors.ts'
import { type Database, DatabaseSync } from './database.ts'
import { createDatabaseFile } from './sqlite.ts'

/** SQLITE_BUSY */
const busy = 5

/** A lock whose holder has let go of the value would go with the garbage, while the process still serves. */
const held = new Set<Database>()

/**
 * Holds a data folder for one serving process, until released or the process ends in whatever way: a lock of the
 * operating system on an empty database file. Throws `ConfigError` when another process has it.
 */
export async function lockFolder(path: string): Promise<{ release(): void }> {
  await createDatabaseFile(path)
  const database = new DatabaseSync(path)
  try {
    database.exec('PRAGMA busy_timeout = 0; PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE')
  } catch (error) {
    database.close()
    // A disk that fails is not another process.
    if (((error as { errcode?: number }).errcode ?? 0) % 256 !== busy) throw error
    throw new ConfigError([`Another clipgate process serves from this data folder (${path} is locked).`])
  }
  held.add(database)
  return {
    release() {
      held.delete(database)
      database.close()
    },
  }
}
