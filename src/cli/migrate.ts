import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { migrateRecords } from '../installation.ts'
import type { Io } from './io.ts'

/** clipgate migrate */
export function migrate(program: Command, io: Io): void {
  program
    .command('migrate')
    .description('bring the database schema up to date')
    .action(async () => {
      const made = await migrateRecords(readConfig(io.env), systemClock, true)
      for (const name of made) io.out(`made ${name}`)
      io.out(made.length === 0 ? 'The schema is up to date.' : 'The schema is up to date now.')
    })
}
