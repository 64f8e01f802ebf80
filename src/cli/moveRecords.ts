import { systemClock } from '../clock.ts'
import { databaseUrl } from '../config/kinds.ts'
import { readConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { dataPaths, hasRecords, openRecords, prepareMove } from '../installation.ts'
import { moveDatabase } from '../moving/moveDatabase.ts'
import type { Records } from '../records/records.ts'
import { lockFolder } from '../records/sqlite/lock.ts'
import type { Io } from './io.ts'
import { progressOf } from './progress.ts'

/** `clipgate move database` */
export async function moveRecords(to: string, io: Io): Promise<void> {
  const { config, secrets } = readConfig(io.env)
  if (!databaseUrl.safeParse(to).success)
    throw new ConfigError(['The address must read as CLIPGATE_DATABASE_URL does.'])
  if (secrets.databaseUrl !== null)
    throw new ConfigError(['The records are in PostgreSQL already: CLIPGATE_DATABASE_URL is set.'])
  if (!hasRecords(config))
    throw new ConfigError([`There is no installation in ${config.dataDir}. Set CLIPGATE_DATA_DIR to its folder.`])
  const lock = await lockFolder(dataPaths(config.dataDir).lock)
  try {
    const records = await openRecords({ config, secrets }, systemClock)
    try {
      await beginMove(records)
    } finally {
      await records.close()
    }
    await prepareMove(to, systemClock)
    const { movingInto, over } = await import('../records/postgres/moving.ts')
    const { database } = dataPaths(config.dataDir)
    const rows = await over(to, (connection) => moveDatabase(database, movingInto(connection), progressOf(io)))
    io.out(`${rows} rows are there, and are the same. Before the service is started again, set CLIPGATE_DATABASE_URL`)
    io.out('(or CLIPGATE_DATABASE_URL_FILE), keep the settings of the master keys as they are,')
    io.out(`and put ${database} aside: a service that is started with it would go on from today.`)
  } finally {
    lock.release()
  }
}

/** Nothing is leased, and the trail says what is done, once: by its end a move that goes on knows that nothing has changed. */
async function beginMove(records: Records): Promise<void> {
  const [head] = await records.findAudit({ limit: 1 })
  if (head?.what === 'move_database') return
  const now = systemClock.now()
  await records.releaseLeases(now)
  await records.releasePulls(now)
  await records.releaseAlerts(now)
  await records.releaseRescan()
  await records.releaseScrub()
  const entry = { at: now, who: 'cli', what: 'move_database', object: null, requestId: null } as const
  await records.audit({ ...entry, outcome: 'to PostgreSQL', detail: null })
}
