import { cp, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryRecords } from '../../../tests/database.ts'
import { epoch, later, settlement } from '../../../tests/fixtures/settlements.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { hasPostgres, postgresForThisFile, postgresMigrations, statement } from '../../../tests/postgres.ts'
import { ConfigError, Unavailable } from '../../errors.ts'
import { openDatabase } from '../sqlite/database.ts'
import { migratePostgres } from './migrate.ts'
import { postgresRecords } from './postgres.ts'

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const postgres = postgresForThisFile()
  let count = 0

  /** An empty database, and a folder of steps that may be added to. */
  async function fresh() {
    const name = `empty${++count}`
    await statement(postgres.server().url(), `CREATE DATABASE ${name}`)
    const steps = join(await temporaryFolder(), 'migrations')
    await cp(postgresMigrations, steps, { recursive: true })
    const url = postgres.server().url(name)
    const all = (await readdir(steps)).sort().map((file) => file.replace('.sql', ''))
    return { url, steps, all, run: (sql: string) => statement(url, sql) }
  }
  const add = (steps: string, name: string, sql: string) => writeFile(join(steps, `${name}.sql`), sql)

  describe('the schema of PostgreSQL', () => {
    it('is made from nothing, and found up to date the next time', async () => {
      const { url, steps, all } = await fresh()
      expect(await migratePostgres(url, steps, epoch, true)).toEqual(all)
      expect(await migratePostgres(url, steps, later(1), true)).toEqual([])
      expect(await migratePostgres(url, steps, later(1), false)).toEqual([])
    })

    it('is made once when ten start at once', async () => {
      const { url, steps, all, run } = await fresh()
      const made = await Promise.all(Array.from({ length: 10 }, () => migratePostgres(url, steps, epoch, true)))
      expect(made.filter(({ length }) => length > 0)).toEqual([all])
      expect(await run('SELECT number FROM migrations')).toHaveLength(all.length)
    })

    it('is asked for, and nothing is made, where it may not be made', async () => {
      const { url, steps, run } = await fresh()
      await expect(migratePostgres(url, steps, epoch, false)).rejects.toThrow('Run: clipgate migrate')
      expect(await run("SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace")).toEqual([])
    })

    it('has the tables and columns that SQLite has', async () => {
      const { path, close } = await temporaryRecords()
      onTestFinished(close)
      const sqlite = openDatabase(path)
      const inSqlite = sqlite
        .prepare(
          `SELECT m.name AS "table", c.name AS "column", c."notnull" OR c.pk > 0 AS needed FROM sqlite_master m, pragma_table_info(m.name) c
           WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' AND m.name <> 'migrations'`,
        )
        .all() as { table: string; column: string; needed: number }[]
      sqlite.close()
      const inPostgres = (await statement(
        await postgres.database(),
        `SELECT table_name AS "table", column_name AS "column", (is_nullable = 'NO')::int AS needed FROM information_schema.columns
         WHERE table_schema = 'public' AND table_name <> 'migrations'`,
      )) as { table: string; column: string; needed: number }[]
      const told = (rows: typeof inSqlite) =>
        rows.map(({ table, column, needed }) => `${table}.${column}${needed ? '' : '?'}`).sort()
      expect(told(inPostgres)).toEqual(told(inSqlite))
    })

    it('is not touched by a program that is older, unless all that it does not know was only added', async () => {
      const { url, steps, all } = await fresh()
      const newer = join(await temporaryFolder(), 'newer')
      await cp(steps, newer, { recursive: true })
      await add(newer, '9001_more', '-- additive\nALTER TABLE attachments ADD COLUMN note TEXT;')
      await migratePostgres(url, newer, epoch, true)
      expect(await migratePostgres(url, steps, later(1), true)).toEqual([])
      // Old and new side by side: what the old one writes, both read.
      const records = postgresRecords(url)
      onTestFinished(() => records.close())
      const one = settlement()
      await records.settle(one)
      expect(await records.attachment(one.attachment.id)).toEqual(one.attachment)
      await add(newer, '9002_other', 'ALTER TABLE attachments DROP COLUMN note;')
      await migratePostgres(url, newer, later(2), true)
      await expect(migratePostgres(url, steps, later(3), true)).rejects.toThrow(
        'newer than this program: it has 9002_other',
      )
      expect(all).not.toContain('9002_other')
    })

    it('is not touched when a step is not the one that it was made with', async () => {
      const { url, steps, all } = await fresh()
      await migratePostgres(url, steps, epoch, true)
      await add(steps, all[0]!, 'SELECT 1;')
      await expect(migratePostgres(url, steps, epoch, true)).rejects.toThrow(ConfigError)
    })

    it('has nothing of a step that fails, and all of those before it', async () => {
      const { url, steps, all, run } = await fresh()
      await add(steps, '9001_half', 'CREATE TABLE half (id INT); SELECT 1 / 0;')
      await expect(migratePostgres(url, steps, epoch, true)).rejects.toThrow()
      expect(await run('SELECT name FROM migrations')).toEqual(all.map((name) => ({ name })))
      expect(await run("SELECT to_regclass('half') AS half")).toEqual([{ half: null }])
    })

    it('gets an index beside those who write, by a step without a transaction', async () => {
      const { url, steps, run } = await fresh()
      await migratePostgres(url, steps, epoch, true)
      const writer = new pg.Client(url)
      await writer.connect()
      onTestFinished(() => writer.end())
      await add(
        steps,
        '9001_index',
        '-- additive\n-- without a transaction\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_size ON attachments (size)',
      )
      expect(await migratePostgres(url, steps, later(1), true)).toEqual(['9001_index'])
      expect(await run("SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_size'::regclass")).toEqual([
        { indisvalid: true },
      ])
    })

    it('makes an index anew whose making was cut short, and does not take it for made', async () => {
      const { url, steps, run } = await fresh()
      await migratePostgres(url, steps, epoch, true)
      const holder = new pg.Client(url)
      await holder.connect()
      onTestFinished(() => holder.end())
      await holder.query('BEGIN')
      await holder.query('LOCK TABLE attachments IN ROW EXCLUSIVE MODE')
      const index = 'CREATE INDEX CONCURRENTLY IF NOT EXISTS by_size ON attachments (size)'
      const cut = new pg.Client({ connectionString: url, statement_timeout: 300 })
      await cut.connect()
      onTestFinished(() => cut.end())
      await expect(cut.query(index)).rejects.toThrow('statement timeout')
      await holder.query('COMMIT')
      const valid = "SELECT indisvalid FROM pg_index WHERE indexrelid = 'by_size'::regclass"
      expect(await run(valid)).toEqual([{ indisvalid: false }])
      await add(steps, '9001_index', `-- additive\n-- without a transaction\n${index}`)
      expect(await migratePostgres(url, steps, later(1), true)).toEqual(['9001_index'])
      expect(await run(valid)).toEqual([{ indisvalid: true }])
    })

    it('waits for a table that somebody holds without holding up those behind, and is made when it is free', async () => {
      const { url, steps } = await fresh()
      await migratePostgres(url, steps, epoch, true)
      const holder = new pg.Client(url)
      await holder.connect()
      onTestFinished(() => holder.end())
      await holder.query('BEGIN')
      await holder.query('SELECT * FROM attachments')
      await add(steps, '9001_column', '-- additive\nALTER TABLE attachments ADD COLUMN note TEXT;')
      const made = migratePostgres(url, steps, later(1), true)
      const records = postgresRecords(url)
      onTestFinished(() => records.close())
      await records.settle(settlement())
      await holder.query('COMMIT')
      expect(await made).toEqual(['9001_column'])
    })

    it('cannot be made where there is no server, and that is said as trouble of the moment', async () => {
      const { steps } = await fresh()
      await expect(migratePostgres('postgres://u@127.0.0.1:1/none', steps, epoch, true)).rejects.toThrow(Unavailable)
    })
  })
})
