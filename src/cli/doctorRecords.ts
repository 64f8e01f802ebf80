import { stat } from 'node:fs/promises'
import { systemClock } from '../clock.ts'
import type { Config, Secrets } from '../config.ts'
import { Unavailable } from '../errors.ts'
import { dataPaths, hasRecords, openRecords } from '../installation.ts'
import type { Records } from '../records/records.ts'
import { examineMasterKeys } from './doctorKeys.ts'
import type { Find } from './finding.ts'

/** The records: that they can be used, know the keys that we have (`ids`), and what is left undone in them. */
export async function examineRecords(config: Config, secrets: Secrets, ids: string[], find: Find): Promise<void> {
  if (!hasRecords(config)) return
  try {
    if (secrets.databaseUrl === null) await examineFile(dataPaths(config.dataDir).database, find)
    else await examineDatabaseServer(secrets.databaseUrl, find)
    const records = await openRecords({ config: { ...config, migrate: 'off' }, secrets }, systemClock)
    try {
      await examineContent(records, ids, find)
      find('records', 'ok', 'the schema is up to date')
    } finally {
      await records.close()
    }
  } catch (error) {
    const cause = error instanceof Unavailable && error.cause instanceof Error ? `: ${error.cause.message}` : ''
    find('records', 'failed', (error as Error).message + cause)
  }
}

async function examineFile(path: string, find: Find): Promise<void> {
  const { mode } = await stat(path)
  if ((mode & 0o077) !== 0) find('records', 'warning', `${path} can be read by others. Run: chmod 600 ${path}*`)
}

async function examineDatabaseServer(url: string, find: Find): Promise<void> {
  const { examineServer } = await import('../records/postgres/examine.ts')
  const { version, keepsCommits, tls } = await examineServer(url)
  find('database', 'ok', `PostgreSQL ${version} answers, ${tls === null ? 'without TLS' : `over ${tls}`}`)
  if (!keepsCommits)
    find(
      'database',
      'warning',
      'the server runs with fsync or full_page_writes off: what we have acknowledged can be lost when its machine crashes',
    )
}

async function examineContent(records: Records, ids: string[], find: Find): Promise<void> {
  await examineMasterKeys(records, ids, find)
  const { pending, parked, oldestPendingAt } = await records.outboxState()
  const oldest = oldestPendingAt ? `, the oldest since ${oldestPendingAt.toISOString()}` : ''
  find(
    'outbox',
    parked > 0 ? 'warning' : 'ok',
    `${pending} pending${oldest}, ${parked} parked${parked > 0 ? '. See: clipgate outbox list --state parked' : ''}`,
  )
  const ways = await records.deliveredByWay()
  for (const { way, count } of ways) find('confirmations', 'ok', `${count} of the last 1,000 went by ${way}`)
}
