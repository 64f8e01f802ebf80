import { cp, mkdir, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { migratePostgres } from '../../src/records/postgres/migrate.ts'
import { postgresRecords } from '../../src/records/postgres/postgres.ts'
import type { Records } from '../../src/records/records.ts'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import { migrate } from '../../src/records/sqlite/migrate.ts'
import { createDatabaseFile, sqliteRecords } from '../../src/records/sqlite/sqlite.ts'
import { migrations as sqliteMigrations } from '../database.ts'
import { epoch, later, settlement } from '../fixtures/settlements.ts'
import { temporaryFolder } from '../folder.ts'
import { hasPostgres, postgresForThisFile, postgresMigrations, statement } from '../postgres.ts'

/** Steps up to each, so that every schema that ever was is upgraded to the newest. */
async function schemas(folder: string): Promise<{ name: string; steps: string }[]> {
  const files = (await readdir(folder)).sort()
  const all: { name: string; steps: string }[] = []
  for (const [i, file] of files.entries()) {
    const steps = join(await temporaryFolder(), 'migrations')
    await mkdir(steps)
    for (const one of files.slice(0, i + 1)) await cp(join(folder, one), join(steps, one))
    all.push({ name: file.replace('.sql', ''), steps })
  }
  return all
}

const { attachment } = settlement({ filename: 'old letter.txt', conversationId: 'c' })
/** As a program of that time may have left it: those of the columns that its schema has are filled. */
const rows: [string, Record<string, unknown>][] = [
  [
    'attachments',
    {
      id: attachment.id,
      state: attachment.state,
      door: 'push',
      conversation_id: 'c',
      filename: attachment.filename,
      type: attachment.type,
      declared_type: attachment.declaredType,
      size: attachment.size,
      sha256: attachment.sha256,
      scan: attachment.scan,
      verdicts: '[]',
      received_at: Date.parse(attachment.receivedAt),
      stored: 1,
    },
  ],
  [
    'attachment_words',
    { word: 'letter', received_at: Date.parse(attachment.receivedAt), attachment_id: attachment.id },
  ],
  [
    'confirmations',
    {
      attachment_id: attachment.id,
      conversation_id: 'c',
      language: 'en',
      state: 'pending',
      attempts: 0,
      next_at: epoch.getTime(),
      uncertain: 0,
      possibly_repeated: 0,
      created_at: epoch.getTime(),
    },
  ],
]

/** What an old record is good for after the upgrade, beside new ones. */
async function expectUsable(records: Records): Promise<void> {
  expect((await records.listAttachments({ q: 'lett', limit: 10 })).map(({ id }) => id)).toEqual([attachment.id])
  expect(await records.settle(settlement({ conversationId: 'other' }))).toEqual({ kind: 'settled' })
  expect(await records.filesByDay({ from: epoch, to: epoch })).toMatchObject([{ state: 'accepted', files: 2 }])
  expect(await records.storedFiles()).toEqual({ files: 2, bytes: 2468 })
  const lease = { lease: 'courier', now: later(60), until: later(120), limit: 10 }
  expect((await records.leaseConfirmations(lease)).map(({ conversationId }) => conversationId).sort()).toEqual([
    'c',
    'other',
  ])
  const entry = {
    at: later(61),
    who: 'tests',
    what: 'erase' as const,
    object: attachment.id,
    outcome: 'erased',
    requestId: null,
    detail: null,
  }
  expect(await records.erase({ id: attachment.id, at: later(61), audit: entry })).toMatchObject({ now: true })
  const [head] = await records.auditHeads()
  expect(await records.verifyAudit({ node: head!.node, after: null, limit: 10 })).toMatchObject({
    whole: 2,
    broken: null,
  })
}

describe('an upgrade of SQLite', () => {
  it('leads from every schema that ever was to the newest, and what was there is there', async () => {
    for (const { name, steps } of await schemas(sqliteMigrations)) {
      const path = join(await temporaryFolder(), 'clipgate.db')
      await createDatabaseFile(path)
      migrate(path, steps, epoch, true)
      const database = openDatabase(path)
      for (const [table, row] of rows) {
        const columns = Object.entries(row)
        database
          .prepare(
            `INSERT INTO ${table} (${columns.map(([column]) => column).join()}) VALUES (${columns.map(() => '?').join()})`,
          )
          .run(...columns.map(([, value]) => value as never))
      }
      database.close()
      migrate(path, sqliteMigrations, later(1), true)
      const records = await sqliteRecords(path)
      onTestFinished(() => records.close())
      await expectUsable(records).catch((cause) => {
        throw new Error(`from ${name}`, { cause })
      })
    }
  })
})

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const postgres = postgresForThisFile()

  it('an upgrade of PostgreSQL leads from every schema that ever was to the newest, and what was there is there', async () => {
    for (const { name, steps } of await schemas(postgresMigrations)) {
      await statement(postgres.server().url(), `CREATE DATABASE "from_${name}"`)
      const url = postgres.server().url(`from_${name}`)
      await migratePostgres(url, steps, epoch, true)
      for (const [table, row] of rows) {
        const columns = Object.keys(row)
        await statement(
          url,
          `INSERT INTO ${table} (${columns.join()}) VALUES (${columns.map((_, i) => `$${i + 1}`).join()})`,
          Object.values(row),
        )
      }
      await migratePostgres(url, postgresMigrations, later(1), true)
      const records = postgresRecords(url)
      onTestFinished(() => records.close())
      await expectUsable(records).catch((cause) => {
        throw new Error(`from ${name}`, { cause })
      })
    }
  })
})
