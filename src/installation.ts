import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Clock } from './clock.ts'
import type { Config, Secrets } from './config.ts'
import { makeFolder } from './durable.ts'
import { ConfigError } from './errors.ts'
import type { Records } from './records/records.ts'
import { migrate } from './records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from './records/sqlite/sqlite.ts'
import { fsStorage } from './storage/fs.ts'
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

/** Folders that a process which opens customers' files must not see: data and keys. */
export function hiddenFolders({ dataDir, masterKeys }: Config): string[] {
  return [dataDir, ...(masterKeys.from === 'file' ? [dirname(masterKeys.path)] : [])]
}

const migrations = join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'dist', 'migrations')

/** Whose records: their place, and how they may be changed. */
export interface RecordsPlace {
  config: Config
  secrets: Pick<Secrets, 'databaseUrl'>
}

/** Opens the records with their schema up to date. Throws `ConfigError` when it may not or cannot be brought there. */
export async function openRecords({ config, secrets }: RecordsPlace, clock: Clock): Promise<Records> {
  await migrateRecords({ config, secrets }, clock, config.migrate === 'auto')
  if (secrets.databaseUrl === null) return sqliteRecords(dataPaths(config.dataDir).database)
  const { postgresRecords } = await import('./records/postgres/postgres.ts')
  return postgresRecords(secrets.databaseUrl)
}

/** Opens what keeps the sealed files. An S3 store is not asked anything yet, and its client is loaded only for it. */
export async function openStorage({ storage, dataDir }: Config, clock: Clock): Promise<Storage> {
  const { objects, spool } = dataPaths(dataDir)
  if (storage.kind === 'fs') return fsStorage(objects, spool)
  await makeFolder(spool)
  const { s3Storage } = await import('./storage/s3/s3.ts')
  return s3Storage(storage, spool, { clock })
}

/** Returns the names of the steps that were made. */
export async function migrateRecords(
  { config, secrets }: RecordsPlace,
  clock: Clock,
  apply: boolean,
): Promise<string[]> {
  if (secrets.databaseUrl !== null) {
    const { migratePostgres } = await import('./records/postgres/migrate.ts')
    return migratePostgres(secrets.databaseUrl, join(migrations, 'postgres'), clock.now(), apply)
  }
  const { database } = dataPaths(config.dataDir)
  await makeFolder(config.dataDir)
  await createDatabaseFile(database)
  return migrate(database, join(migrations, 'sqlite'), clock.now(), apply)
}

/** Brings an empty PostgreSQL database, which records are moved into, to the schema of this program. */
export async function prepareMove(url: string, clock: Clock): Promise<void> {
  const { migratePostgres } = await import('./records/postgres/migrate.ts')
  await migratePostgres(url, join(migrations, 'postgres'), clock.now(), true, { moving: true })
}

/** Opens a database file that does not lie where the installation's does, with its schema up to date. Throws as `openRecords`. */
export async function openDatabaseFile(path: string, clock: Clock): Promise<Records> {
  migrate(path, join(migrations, 'sqlite'), clock.now(), true)
  return sqliteRecords(path)
}

/** Whether there are records at all: a file that is not there is not made by a command that only looks. */
export function hasRecords(config: Config): boolean {
  return config.database === 'postgres' || existsSync(dataPaths(config.dataDir).database)
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
