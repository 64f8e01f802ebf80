import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { hasRecords, openRecords } from '../installation.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import type { Io } from './io.ts'

export interface Opened {
  config: Config
  secrets: Secrets
  records: Records
}

/** Opens the records for a command that works beside, or without, a running service, and closes them after it. */
export async function withRecords<T>(io: Io, work: (opened: Opened) => Promise<T>): Promise<T> {
  const { config, secrets } = readConfig(io.env)
  if (!hasRecords(config))
    throw new ConfigError([`There is no installation in ${config.dataDir}. Set CLIPGATE_DATA_DIR to its folder.`])
  const records = await openRecords({ config, secrets }, systemClock)
  try {
    return await work({ config, secrets, records })
  } finally {
    await records.close()
  }
}

/** Where there is an installation, what a command does beside its records is in its audit trail. */
export async function auditedByCli(
  io: Io,
  entry: Pick<AuditEntry, 'what' | 'object' | 'outcome' | 'detail'>,
): Promise<void> {
  const { config } = readConfig(io.env)
  if (!hasRecords(config)) return
  await withRecords(io, ({ records }) =>
    records.audit({ ...entry, at: systemClock.now(), who: 'cli', requestId: null }),
  )
}
