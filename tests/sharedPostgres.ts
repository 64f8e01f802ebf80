import { execFileSync } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { inject } from 'vitest'
import type { TestProject } from 'vitest/node'
import { migratePostgres } from '../src/records/postgres/migrate.ts'
import { epoch } from './fixtures/settlements.ts'
import { hasPostgres, postgresMigrations, startPostgres, statement, tool } from './postgres.ts'

declare module 'vitest' {
  export interface ProvidedContext {
    /** Where the folder of its socket is, and its port: for tests that run over PostgreSQL. Null: it is not installed. */
    postgres: { folder: string; port: number } | null
  }
}

/** The project `postgres`: one server for all its tests, with a template that has the schema. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  if (!hasPostgres) {
    project.provide('postgres', null)
    return async () => {}
  }
  const server = await startPostgres()
  await statement(server.url(), 'CREATE DATABASE template')
  await migratePostgres(server.url('template'), postgresMigrations, epoch, true)
  project.provide('postgres', { folder: server.folder, port: server.port })
  return () => server.close()
}

function databaseOf(dataDir: string): string {
  return `of_${createHash('sha256').update(dataDir).digest('hex').slice(0, 20)}`
}

/**
 * What killed processes had leased is taken up minutes later where there may be others; a test does not wait for that. A start of
 * the only process takes it up at once.
 */
export async function leasesRunOut(dataDir: string): Promise<void> {
  const { DATABASE_URL: url } = databaseEnvironment(dataDir)
  if (url) await statement(url, 'UPDATE confirmations SET next_at = 0 WHERE lease IS NOT NULL')
}

/** What a service with this data folder is told of its database: nothing, where the tests run over SQLite. */
export function databaseEnvironment(dataDir: string): Record<string, string> {
  const server = inject('postgres')
  if (!server) return {}
  const name = databaseOf(dataDir)
  const key = join(dataDir, 'keys', 'master.key')
  if (!existsSync(key)) {
    const where = ['-h', server.folder, '-p', String(server.port), '-U', 'postgres']
    execFileSync(tool('createdb'), [...where, '-T', 'template', name], { stdio: 'ignore' })
    mkdirSync(join(dataDir, 'keys'), { recursive: true, mode: 0o700 })
    writeFileSync(key, keyFile(), { mode: 0o600 })
  }
  return {
    DATABASE_URL: `postgres://postgres@localhost:${server.port}/${name}?host=${encodeURIComponent(server.folder)}`,
  }
}

/** All that a database holds: where nothing may stand that would be a secret. */
export function storedText(dataDir: string): string {
  const server = inject('postgres')
  if (!server) return readFileSync(join(dataDir, 'clipgate.db'), 'latin1')
  const where = ['-h', server.folder, '-p', String(server.port), '-U', 'postgres']
  return execFileSync(tool('pg_dump'), [...where, databaseOf(dataDir)], { encoding: 'latin1' })
}

/** As `clipgate keys create` makes it. */
function keyFile(): string {
  const key = randomBytes(32)
  const id = createHash('sha256').update('clipgate master key id').update(key).digest('hex').slice(0, 16)
  return `mk_${id} ${key.toString('base64')}\n`
}
