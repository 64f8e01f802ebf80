import { readdirSync, readlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { temporaryFolder } from '../../../tests/folder.ts'
import { abandon, openDatabase } from './database.ts'

it('keeps the pages that a savepoint may bring back in no file beside the database and its log', async () => {
  const path = join(await temporaryFolder(), 'clipgate.db')
  writeFileSync(path, '')
  const before = new Set(openFiles())
  const database = openDatabase(path)
  database.exec('CREATE TABLE kept (id INTEGER PRIMARY KEY, secret TEXT)')
  const insert = database.prepare('INSERT INTO kept (secret) VALUES (?)')
  for (let i = 0; i < 500; i++) insert.run('k'.repeat(2000))

  database.exec(`BEGIN IMMEDIATE; SAVEPOINT item; UPDATE kept SET secret = replace(secret, 'k', 'l')`)
  const during = new Set(openFiles().filter((file) => !before.has(file)))
  database.exec('RELEASE item; COMMIT')
  abandon(database)

  expect(during).toEqual(new Set([path, `${path}-wal`, `${path}-shm`]))
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
