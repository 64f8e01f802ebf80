import { resolve, sep } from 'node:path'
import type { Command } from 'commander'
import manifest from '../../package.json' with { type: 'json' }
import { systemClock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { dataPaths, openStorage } from '../installation.ts'
import { backup as makeBackup } from '../moving/backup.ts'
import type { Manifest } from '../moving/manifest.ts'
import type { Io } from './io.ts'
import { withRecords } from './opened.ts'
import { progressOf } from './progress.ts'

/** clipgate backup --out FOLDER [--since FOLDER] */
export function backup(program: Command, io: Io): void {
  program
    .command('backup')
    .description('copy the database and the sealed files while the service runs; never the master key')
    .requiredOption(
      '--out <folder>',
      'a folder that is not there yet; the same again goes on with one that was cut short',
    )
    .option('--since <folder>', 'an earlier backup: files that it has are linked instead of copied')
    .action(async (options: { out: string; since?: string }) => {
      const isWhole = await withRecords(io, async ({ config, records }) => {
        if (config.database !== 'sqlite')
          throw new ConfigError([
            'The records are in PostgreSQL: back them up by its own means, and the files by those of their store (docs/backup.md).',
          ])
        const out = resolve(options.out)
        if (`${out}${sep}`.startsWith(`${config.dataDir}${sep}`))
          throw new ConfigError([`${out} lies in the data folder. A backup belongs elsewhere.`])
        const at = systemClock.now()
        const detail = JSON.stringify({ to: out })
        const entry = { at, who: 'cli', what: 'backup', object: null, outcome: 'copying', requestId: null } as const
        // Before there is a copy, so that there is none without its row.
        await records.audit({ ...entry, detail })
        const storage = config.storage.kind === 'fs' ? await openStorage(config, systemClock) : null
        const since = options.since === undefined ? null : resolve(options.since)
        const { database } = dataPaths(config.dataDir)
        try {
          const made = await makeBackup(
            { out, since, database, storage, version: manifest.version },
            { records, clock: systemClock, progress: progressOf(io) },
          )
          tell(out, made, io)
          return made.missing.length === 0
        } finally {
          await storage?.close()
        }
      })
      if (!isWhole) io.exitWith(1)
    })
}

function tell(out: string, { list, storage, gone, missing, masterKeys }: Manifest, io: Io): void {
  const files =
    storage === 's3' ? 'the files stay in their S3 store' : `${list.count} files, ${list.objectBytes} bytes sealed`
  io.out(`${out}: the database, ${files}.`)
  const needed = masterKeys.length > 0 ? ` Without ${masterKeys.join(', ')} nothing of it can be opened.` : ''
  io.out(`The master key is not in it.${needed}`)
  if (gone.length > 0) io.out(`${gone.length} files were erased meanwhile: a restore erases them too.`)
  for (const id of missing) io.err(`${id} has no bytes in the storage: it is damaged here already.`)
}
