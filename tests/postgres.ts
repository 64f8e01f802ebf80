import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll } from 'vitest'
import { migratePostgres } from '../src/records/postgres/migrate.ts'
import { postgresRecords } from '../src/records/postgres/postgres.ts'
import { epoch } from './fixtures/settlements.ts'
import { startPostgres, statement } from './postgresServer.ts'

export { hasPostgres, startPostgres, statement, tool } from './postgresServer.ts'

export const postgresMigrations = fileURLToPath(new URL('../src/records/postgres/migrations', import.meta.url))

/** A server for the tests of a file, and a fresh database with its schema for each who asks. */
export function postgresForThisFile(settings: Record<string, string> = {}) {
  let server: Awaited<ReturnType<typeof startPostgres>>
  let count = 0
  beforeAll(async () => {
    server = await startPostgres(settings)
    await statement(server.url(), 'CREATE DATABASE template')
    await migratePostgres(server.url('template'), postgresMigrations, epoch, true)
  })
  afterAll(() => server?.close())
  const database = async () => {
    const name = `test${++count}`
    await statement(server.url(), `CREATE DATABASE ${name} TEMPLATE template`)
    return server.url(name)
  }
  return {
    server: () => server,
    /** Its address. */
    database,
    /** Records in a database of their own. */
    async records() {
      const url = await database()
      let open = postgresRecords(url)
      return {
        records: open,
        url,
        async reopen() {
          await open.close()
          open = postgresRecords(url)
          return open
        },
        close: () => open.close(),
      }
    },
  }
}
