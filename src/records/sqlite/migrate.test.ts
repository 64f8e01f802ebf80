import { readdirSync } from 'node:fs'
import { cp, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { childProcess, firstLine } from '../../../tests/child.ts'
import { migrations } from '../../../tests/database.ts'
import { epoch, later } from '../../../tests/fixtures/settlements.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { ConfigError } from '../../errors.ts'
import { openDatabase } from './database.ts'
import { migrate } from './migrate.ts'
import { createDatabaseFile } from './sqlite.ts'

const first = '0001_attachments'
const all = readdirSync(migrations)
  .sort()
  .map((file) => file.replace('.sql', ''))

/** A database that is not there yet, and a folder of steps that may be added to. */
async function fresh() {
  const folder = await temporaryFolder()
  const [path, steps] = [join(folder, 'clipgate.db'), join(folder, 'migrations')]
  await createDatabaseFile(path)
  await cp(migrations, steps, { recursive: true })
  return { path, steps }
}

function tablesOf(path: string): string[] {
  const database = openDatabase(path)
  const rows = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all()
  database.close()
  return rows.map((row) => String((row as { name: string }).name))
}

describe('the schema', () => {
  it('of a fresh database is made whole, and each step is remembered with its time', async () => {
    const { path, steps } = await fresh()
    expect(migrate(path, steps, epoch, true)).toEqual(all)
    expect(tablesOf(path)).toEqual(
      expect.arrayContaining(['attachments', 'audit', 'confirmations', 'data_keys', 'deliveries']),
    )
    const database = openDatabase(path)
    expect(database.prepare('SELECT name, applied_at FROM migrations ORDER BY number').all()).toMatchObject(
      all.map((name) => ({ name, applied_at: epoch.getTime() })),
    )
    database.close()
  })

  it('that is up to date is left as it is', async () => {
    const { path, steps } = await fresh()
    migrate(path, steps, epoch, true)
    expect(migrate(path, steps, later(1), true)).toEqual([])
    expect(migrate(path, steps, later(1), false)).toEqual([])
  })

  it('that lacks a step gets that step alone', async () => {
    const { path, steps } = await fresh()
    migrate(path, steps, epoch, true)
    await writeFile(join(steps, '9001_more.sql'), 'CREATE TABLE more (id TEXT PRIMARY KEY);')
    await writeFile(join(steps, 'README.md'), 'no step')
    expect(migrate(path, steps, later(1), true)).toEqual(['9001_more'])
    expect(tablesOf(path)).toContain('more')
  })

  it('that lacks a step is refused, and not changed, where steps may not be made', async () => {
    const { path, steps } = await fresh()
    expect(() => migrate(path, steps, epoch, false)).toThrow(
      `The database lacks ${all.join(', ')}. Run: clipgate migrate`,
    )
    expect(() => migrate(path, steps, epoch, false)).toThrow(ConfigError)
    expect(tablesOf(path)).toEqual([])
  })

  it('that a later program made is refused, and the step that we lack is named', async () => {
    const { path, steps } = await fresh()
    await writeFile(join(steps, '9001_more.sql'), 'CREATE TABLE more (id TEXT PRIMARY KEY);')
    migrate(path, steps, epoch, true)
    expect(() => migrate(path, migrations, epoch, true)).toThrow('newer than this program: it has 9001_more')
    expect(() => migrate(path, migrations, epoch, true)).toThrow(ConfigError)
  })

  it('whose step has changed since it was made is refused', async () => {
    const { path, steps } = await fresh()
    migrate(path, steps, epoch, true)
    const step = join(steps, `${first}.sql`)
    await writeFile(step, `${await readFile(step, 'utf8')}\n-- changed`)
    expect(() => migrate(path, steps, epoch, true)).toThrow(`The schema step ${first} is not the one`)
    expect(() => migrate(path, steps, epoch, false)).toThrow(ConfigError)
  })

  it('is not changed at all by a step that fails in its middle', async () => {
    const { path, steps } = await fresh()
    migrate(path, steps, epoch, true)
    const before = tablesOf(path)
    await writeFile(join(steps, '9001_good.sql'), 'CREATE TABLE good (id TEXT);')
    await writeFile(join(steps, '9002_bad.sql'), 'CREATE TABLE half (id TEXT); INSERT INTO nowhere VALUES (1);')
    expect(() => migrate(path, steps, epoch, true)).toThrow('nowhere')
    expect(tablesOf(path)).toEqual(before)
    await writeFile(join(steps, '9002_bad.sql'), 'CREATE TABLE whole (id TEXT);')
    expect(migrate(path, steps, epoch, true)).toEqual(['9001_good', '9002_bad'])
  })

  it('is made once when several processes make it at once', async () => {
    const { path, steps } = await fresh()
    const children = await Promise.all(
      Array.from({ length: 3 }, () =>
        childProcess(`
          import { migrate } from './src/records/sqlite/migrate.ts'
          console.log(migrate(${JSON.stringify(path)}, ${JSON.stringify(steps)}, new Date(), true).length)
        `),
      ),
    )
    const made = await Promise.all(children.map(firstLine))
    expect(made.sort()).toEqual(['0', '0', String(all.length)])
  })

  it('lies in files of mode 0600, the log and its index too', async () => {
    const { path, steps } = await fresh()
    migrate(path, steps, epoch, true)
    const database = openDatabase(path)
    database.exec("INSERT INTO master_keys (id, first_used_at) VALUES ('mk_1', 0)")
    for (const file of [path, `${path}-wal`, `${path}-shm`]) expect((await stat(file)).mode & 0o777).toBe(0o600)
    database.close()
  })
})
