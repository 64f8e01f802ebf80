import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { makeFolder } from './durable.ts'
import { ConfigError } from './errors.ts'
import type { Records } from './records/records.ts'
import { migrate } from './records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from './records/sqlite/sqlite.ts'
import { createKeyFile, type KeyRing, keyRing, readKeyFile } from './seal/keys.ts'
import type { Storage } from './storage/storage.ts'

/** Where things lie in the data folder. */
export function dataPaths(dataDir: string) {
  return {
    lock: join(dataDir, 'serve.lock'),
    database: join(dataDir, 'clipgate.db'),
    objects: join(dataDir, 'objects'),
    spool: join(dataDir, 'spool'),
  }
}

const migrations = join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'dist', 'migrations', 'sqlite')

/** Opens the records with their schema up to date. Throws `ConfigError` when it may not or cannot be brought there. */
export async function openRecords(config: Config, clock: Clock): Promise<Records> {
  await migrateRecords(config, clock, config.migrate === 'auto')
  return sqliteRecords(dataPaths(config.dataDir).database)
}

/** Returns the names of the steps that were made. */
export async function migrateRecords(config: Config, clock: Clock, apply: boolean): Promise<string[]> {
  const { database } = dataPaths(config.dataDir)
  await makeFolder(config.dataDir)
  await createDatabaseFile(database)
  return migrate(database, migrations, clock.now(), apply)
}

/**
 * Opens the master keys, and names the current one in the records. A key is made by itself only when the records have
 * never named one: a key file that is lost or another must stop the start, not begin anew.
 */
export async function openKeys(path: string, records: Records, clock: Clock): Promise<KeyRing> {
  const named = await records.masterKeyIds()
  let found = await readKeyFile(path)
  const made = !found
  if (!found) {
    if (named.length > 0)
      throw new ConfigError([
        `The key file ${path} is missing, and stored files are sealed with ${named.join(', ')}. Put back the file that holds it.`,
      ])
    await makeFolder(dirname(path))
    found = await createKeyFile(path)
  }
  const ring = keyRing(found)
  const missing = named.filter((id) => !ring.ids.includes(id))
  if (missing.length > 0)
    throw new ConfigError([
      `The key file ${path} has not the key ${missing.join(', ')} that the records name. Put back the file that holds it.`,
    ])
  if (!named.includes(ring.currentId)) {
    const [at, id, what] = [clock.now(), ring.currentId, made ? 'key_make' : 'key_use'] as const
    const entry = { at, who: '(service)', what, object: id, outcome: 'current', requestId: null, detail: null }
    await records.nameMasterKey({ id, at, audit: entry })
  }
  return ring
}

/**
 * Records that have never sealed a file beside a storage that has files: the database was lost or is another one. A sweep
 * would take every file for an orphan. Throws `ConfigError`.
 */
export async function refuseForeignObjects(records: Records, storage: Storage): Promise<void> {
  if ((await records.masterKeyIds()).length > 0) return
  for await (const _ of storage.list())
    throw new ConfigError([
      'The storage has files, and the database knows of none that was ever kept. Put back the database that belongs to them, or move them away.',
    ])
}
