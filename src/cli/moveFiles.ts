import { createHash } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { makeFolder } from '../durable.ts'
import { ConfigError } from '../errors.ts'
import { dataPaths, openStorage } from '../installation.ts'
import { openJournal } from '../moving/journal.ts'
import { copyStored, type MoveStorageParts, settleStored } from '../moving/moveStorage.ts'
import type { Records } from '../records/records.ts'
import { lockFolder } from '../records/sqlite/lock.ts'
import { readS3Address } from '../storage/s3/address.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'
import { progressOf } from './progress.ts'

/** `clipgate move storage` */
export async function moveFiles(to: string, final: boolean, io: Io): Promise<void> {
  const { config, secrets } = readConfig(io.env)
  const place = placeOf(to)
  if (place.kind === 'fs' && config.storage.kind === 'fs') throw new ConfigError(['The files are in the data folder.'])
  const lock = await whenNothingRuns(config, secrets, final)
  let isWhole = true
  try {
    await withRecords(io, async ({ records }) => {
      await audit(records, to, lock ? 'last pass' : 'copying')
      const folder = join(config.dataDir, 'moving')
      await makeFolder(folder)
      const name = createHash('sha256').update(JSON.stringify(place)).digest('hex').slice(0, 16)
      const journalFile = join(folder, `${name}.ndjson`)
      const source = await openStorage(config, systemClock)
      const target = await openStorage({ ...config, storage: place }, systemClock)
      const journal = await openJournal(journalFile)
      try {
        const ids = await records.masterKeyIds()
        if (ids.length > 0 && !(await target.isOwnedBy(ids)))
          throw new ConfigError([`${to} belongs to another installation. Move to a place of its own.`])
        const parts = { source, target, records, journal, folder, progress: progressOf(io) }
        isWhole = await copyAll(parts, { to, isLast: lock !== null }, io)
      } finally {
        await journal.close()
        await target.close()
        await source.close()
      }
      if (lock) await rm(journalFile)
    })
  } finally {
    lock?.release()
  }
  if (!isWhole) io.exitWith(1)
}

/** False: something was lost before. */
async function copyAll(
  parts: MoveStorageParts,
  { to, isLast }: { to: string; isLast: boolean },
  io: Io,
): Promise<boolean> {
  const { copied, missing } = await copyStored(parts)
  io.out(`${copied} files copied and compared.`)
  for (const id of missing) io.err(`${id} has no bytes in the storage: it was lost before.`)
  if (!isLast) {
    io.out('The service runs, and files still come. Stop it and run this again with --final: that copies what is left.')
    return missing.length === 0
  }
  const files = await settleStored(parts, missing)
  await audit(parts.records as Records, to, 'moved')
  io.out(`All ${files} files are there. Before the service is started again, ${settingOf(to)}.`)
  return missing.length === 0
}

function settingOf(to: string): string {
  return to === 'fs' ? 'remove CLIPGATE_STORAGE_URL' : `set CLIPGATE_STORAGE_URL='${to}'`
}

function audit(records: Records, to: string, outcome: string): Promise<void> {
  const entry = { at: systemClock.now(), who: 'cli', what: 'move_storage', object: null, requestId: null } as const
  return records.audit({ ...entry, outcome, detail: JSON.stringify({ to }) })
}

function placeOf(to: string): Config['storage'] {
  if (to === 'fs') return { kind: 'fs' }
  try {
    return { kind: 's3', ...readS3Address(to) }
  } catch (error) {
    throw new ConfigError([`--to must be fs, or ${(error as Error).message}.`])
  }
}

/** Holds the data folder when nothing runs. Null: something does, and it need not be the last pass. */
async function whenNothingRuns(config: Config, secrets: Secrets, final: boolean) {
  try {
    await makeFolder(config.dataDir)
    const lock = await lockFolder(dataPaths(config.dataDir).lock)
    if (secrets.databaseUrl === null) return lock
    const { countProcesses } = await import('../records/postgres/moving.ts')
    const others = await countProcesses(secrets.databaseUrl)
    if (others === 0) return lock
    lock.release()
    throw new ConfigError([
      `Processes of Clipgate are connected to the database (${others} connections). Stop them all.`,
    ])
  } catch (error) {
    if (final || !(error instanceof ConfigError)) throw error
    return null
  }
}
