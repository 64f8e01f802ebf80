import { describe } from 'vitest'
import { hasPostgres, postgresForThisFile } from '../postgres.ts'
import { dayContract } from './days.ts'
import { gatewayContract } from './gateway.ts'
import { holdContract } from './holds.ts'
import { keyContract } from './keys.ts'
import { linkContract } from './links.ts'
import { pullContract } from './pulls.ts'
import { recordsContract } from './records.ts'
import { scrubContract } from './scrubs.ts'
import { sessionContract } from './sessions.ts'

describe.skipIf(!hasPostgres)('needs apt-get install --no-install-recommends postgresql', () => {
  const { records } = postgresForThisFile()
  recordsContract('PostgreSQL', records)
  pullContract('PostgreSQL', records)
  holdContract('PostgreSQL', records)
  scrubContract('PostgreSQL', records)
  gatewayContract('PostgreSQL', records)
  keyContract('PostgreSQL', records)
  sessionContract('PostgreSQL', records)
  linkContract('PostgreSQL', records)
  dayContract('PostgreSQL', records)
})
