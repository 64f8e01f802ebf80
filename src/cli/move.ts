import { readFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { ConfigError } from '../errors.ts'
import type { Io } from './io.ts'
import { moveFiles } from './moveFiles.ts'
import { moveRecords } from './moveRecords.ts'

/** clipgate move storage | database */
export function move(program: Command, io: Io): void {
  const group = program
    .command('move')
    .description('take an installation to another storage or database, losing nothing')

  group
    .command('storage')
    .description('copy all sealed files to another storage, and compare each; beside the service, and last without it')
    .requiredOption('--to <address>', 'fs: the data folder; or s3://bucket/prefix?…, as STORAGE_URL has it')
    .option('--final', 'the last pass: fails when the service still runs')
    .addHelpText('after', '\nWithout --final it is the last pass when no service runs. Killed, the same again goes on.')
    .action((options: { to: string; final?: true }) => moveFiles(options.to, options.final === true, io))

  group
    .command('database')
    .description(
      'copy all records from SQLite to an empty PostgreSQL database, and compare them; the service is stopped',
    )
    .option('--to <address>', 'postgres://…, as DATABASE_URL has it; other users of the machine can see it')
    .option('--to-file <file>', 'a file that holds the address')
    .addHelpText('after', '\nKilled, the same again goes on where it was.')
    .action(async ({ to, toFile }: { to?: string; toFile?: string }) => {
      if ((to === undefined) === (toFile === undefined)) throw new ConfigError(['Give either --to or --to-file.'])
      await moveRecords(to ?? (await addressIn(toFile!)), io)
    })
}

async function addressIn(file: string): Promise<string> {
  const text = await readFile(file, 'utf8').catch((error: Error) => {
    throw new ConfigError([`${file} cannot be read: ${error.message}`])
  })
  return text.trim()
}
