import { mkdtempSync, readdirSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, expect, test } from 'vitest'
import { abandon, openDatabase } from './database.ts'

const folder = mkdtempSync(join(tmpdir(), 'clipgate-database-'))
afterEach(() => rmSync(folder, { recursive: true, force: true }))

test('pages that a savepoint may bring back are in no file beside the database and its log', () => {
  const path = join(folder, 'clipgate.db')
  writeFileSync(path, '')
  const database = openDatabase(path)
  const before = new Set(openFiles())
  database.exec('CREATE TABLE kept (id INTEGER PRIMARY KEY, secret TEXT)')
  const insert = database.prepare('INSERT INTO kept (secret) VALUES (?)')
  for (let i = 0; i < 500; i++) insert.run('k'.repeat(2000))

  database.exec(`BEGIN IMMEDIATE; SAVEPOINT item; UPDATE kept SET secret = replace(secret, 'k', 'l')`)
  const during = openFiles().filter((file) => !before.has(file))
  database.exec('RELEASE item; COMMIT')
  abandon(database)

  expect(during.filter((file) => !file.startsWith(path))).toEqual([])
})

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((fd) => {
    try {
      return [readlinkSync(join('/proc/self/fd', fd))]
    } catch {
      // It was open for this reading alone.
      return []
    }
  })
}
