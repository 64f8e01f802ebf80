import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import type { AttachmentId } from '../attachment.ts'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { dataPaths, openDatabaseFile, openStorage } from '../installation.ts'
import { keySource } from '../keys/source.ts'
import { type Manifest, readManifest } from '../moving/manifest.ts'
import {
  erasedIn,
  finishRestore,
  repeatErasures,
  requireEmpty,
  restoreFiles,
  unfinishedDatabase,
} from '../moving/restore.ts'
import { lockFolder } from '../records/sqlite/lock.ts'
import { type KeyRing, keyRing } from '../seal/keys.ts'
import type { Io } from './io.ts'
import { progressOf } from './progress.ts'
import { proveAll, tellProofs } from './proofs.ts'
import { verifyChains } from './verifyChains.ts'

/** clipgate restore --from FOLDER [--erased FILE] [--verify] */
export function restore(program: Command, io: Io): void {
  program
    .command('restore')
    .description('make an installation from a backup, in an empty data folder')
    .requiredOption('--from <folder>', 'the backup')
    .option('--erased <file>', 'what was erased since: ids, receipts, or rows of `audit list --what erase --json`')
    .option('--verify', 'open every file with the master keys, and compare it with its record')
    .action(async (options: { from: string; erased?: string; verify?: true }) => {
      const { config, secrets } = readConfig(io.env)
      if (secrets.databaseUrl !== null)
        throw new ConfigError(['A backup is restored to SQLite in a data folder: leave CLIPGATE_DATABASE_URL unset.'])
      const from = resolve(options.from)
      const manifest = await readManifest(from)
      if (manifest.storage !== config.storage.kind)
        throw new ConfigError([
          manifest.storage === 's3'
            ? 'The files of this backup are in their S3 store: set CLIPGATE_STORAGE_URL to it, or to its copy.'
            : 'The files of this backup belong into the data folder: leave CLIPGATE_STORAGE_URL unset.',
        ])
      const erased = options.erased === undefined ? [] : await readErased(options.erased)
      const keys = await keysFor(manifest, { config, secrets }, options.verify === true, io)
      const place = { dataDir: config.dataDir, ...dataPaths(config.dataDir) }
      await requireEmpty(place)
      const progress = progressOf(io)
      const damaged = await restoreFiles(from, manifest, place, progress)
      for (const problem of damaged) io.err(problem)
      const lock = await lockFolder(place.lock)
      let isWhole = damaged.length === 0
      try {
        const settled = await settle({ from, manifest, config, erased, keys: options.verify ? keys : null }, io)
        // Also when a file is damaged: the others are wanted, and it is told.
        await finishRestore(place)
        io.out(`Restored to ${config.dataDir}, as of ${manifest.began}.`)
        isWhole &&= settled
      } finally {
        lock.release()
      }
      if (!isWhole) io.exitWith(1)
    })
}

interface Settled {
  from: string
  manifest: Manifest
  config: Config
  erased: AttachmentId[]
  /** Null: it is not to be verified. */
  keys: KeyRing | null
}

/** What is done to the records before anything can be served from them. False: something is damaged. */
async function settle({ from, manifest, config, erased, keys }: Settled, io: Io): Promise<boolean> {
  const clock = systemClock
  const progress = progressOf(io)
  const place = { dataDir: config.dataDir, ...dataPaths(config.dataDir) }
  const records = await openDatabaseFile(unfinishedDatabase(place), clock)
  const storage = await openStorage(config, clock)
  try {
    const detail = JSON.stringify({ from, began: manifest.began, auditHead: manifest.auditHead })
    const entry = { at: clock.now(), who: 'cli', what: 'restore', object: null, requestId: null } as const
    await records.audit({ ...entry, outcome: `${manifest.list.count} files`, detail })
    // Who has signed out since is not to be signed in again.
    await records.endAllSessions()
    const again = [...erased, ...(manifest.gone as AttachmentId[])]
    const repeated = await repeatErasures(again, { records, storage, clock, progress })
    if (again.length > 0) io.out(`${repeated} files that were erased since are erased again.`)
    for (const id of manifest.missing) io.err(`${id} had no bytes when the backup was made.`)
    if (!keys) return manifest.missing.length === 0
    const proofs = await proveAll({ records, storage, keys, progress })
    const chained = await verifyChains(records, io)
    return tellProofs(proofs, io) && chained
  } finally {
    await storage.close()
    await records.close()
  }
}

async function readErased(file: string): Promise<AttachmentId[]> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new ConfigError([`${file} cannot be read: ${error.message}`])
  })
  return erasedIn(text.split('\n'))
}

/** The keys that the backup needs. Throws `ConfigError` when one is missing and files are to be opened. */
async function keysFor(
  { masterKeys }: Manifest,
  { config, secrets }: { config: Config; secrets: Secrets },
  needed: boolean,
  io: Io,
): Promise<KeyRing | null> {
  const source = keySource(config.masterKeys, secrets.masterKey, systemClock)
  const found = await source.read()
  const ring = found && keyRing(found)
  const missing = masterKeys.filter((id) => !ring?.ids.includes(id))
  if (missing.length === 0) return ring
  const problem = `${source.name} has not ${missing.join(', ')}, without which no file of this backup can be opened.`
  if (needed) throw new ConfigError([problem])
  io.err(`${problem} Put it there before the service is started.`)
  return ring
}
