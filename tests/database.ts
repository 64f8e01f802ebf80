import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Records } from '../src/records/records.ts'
import { migrate } from '../src/records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from '../src/records/sqlite/sqlite.ts'
import { epoch } from './fixtures/settlements.ts'

export const migrations = fileURLToPath(new URL('../src/records/sqlite/migrations', import.meta.url))

/** A database of this test alone, with its schema up to date. The folder goes when it is closed. */
export async function temporaryRecords(): Promise<{
  records: Records
  path: string
  /** Closes them and opens them anew, as a restart does. */
  reopen(): Promise<Records>
  close(): Promise<void>
}> {
  const path = join(await mkdtemp(join(tmpdir(), 'clipgate-test-')), 'clipgate.db')
  await createDatabaseFile(path)
  migrate(path, migrations, epoch, true)
  const records = await sqliteRecords(path)
  let open = records
  return {
    records,
    path,
    async reopen() {
      await open.close()
      open = await sqliteRecords(path)
      return open
    },
    async close() {
      await open.close()
      await rm(dirname(path), { recursive: true, force: true })
    },
  }
}
