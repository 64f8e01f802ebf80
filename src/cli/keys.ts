import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { readConfig } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { createKeyFile, keyRing, readKeyFile } from '../seal/keys.ts'
import type { Io } from './io.ts'
import { auditedByCli, withRecords } from './opened.ts'

/** clipgate keys create | list | export */
export function keys(program: Command, io: Io): void {
  const group = program.command('keys').description('master keys, which wrap the key of each stored file')

  group
    .command('create')
    .description('make a key file with a new master key; never replaces a file')
    .requiredOption('--out <file>', 'where to write it')
    .action(async ({ out }: { out: string }) => {
      const path = resolve(out)
      const ring = keyRing(await createKeyFile(path))
      const detail = JSON.stringify({ to: path })
      await auditedByCli(io, { what: 'key_make', object: ring.currentId, outcome: 'made', detail }).catch(
        (error: Error) => io.err(`It is not in the audit trail: ${error.message}`),
      )
      io.out(
        `${ring.currentId} written to ${path}. Keep a copy in a safe place: without it no stored file can be read.`,
      )
    })

  group
    .command('list')
    .description('the master keys that stored files need, and whether the key file has them')
    .action(() =>
      withRecords(io, async ({ config, records }) => {
        const found = await readKeyFile(config.masterKeyFile)
        const ring = found && keyRing(found)
        const named = await records.masterKeys()
        for (const { id, firstUsedAt, files } of named) {
          const where = ring?.ids.includes(id) ? (ring.currentId === id ? 'current' : 'in the key file') : 'MISSING'
          io.out(`${id}  ${where}  first used ${firstUsedAt.toISOString()}  ${files} files`)
        }
        for (const id of ring?.ids ?? []) if (!named.some((key) => key.id === id)) io.out(`${id}  not used yet`)
        if (!ring) io.out(`There is no key file at ${config.masterKeyFile}.`)
      }),
    )

  group
    .command('export')
    .description('copy the key file, for safekeeping')
    .requiredOption('--out <file>', 'where to write the copy; never replaces a file')
    .action(async ({ out }: { out: string }) => {
      const { config } = readConfig(io.env)
      const found = await readKeyFile(config.masterKeyFile)
      if (!found) throw new ConfigError([`There is no key file at ${config.masterKeyFile}.`])
      const path = resolve(out)
      const { currentId, ids } = keyRing(found)
      // Before there is a copy, so that there is none without its row.
      const detail = JSON.stringify({ to: path, keys: ids })
      await auditedByCli(io, { what: 'key_export', object: currentId, outcome: 'copying', detail })
      await writeFile(path, await readFile(config.masterKeyFile), { flag: 'wx', mode: 0o600 }).catch((error: Error) => {
        throw new ConfigError([`${path} cannot be written: ${error.message}`])
      })
      io.out(`${ids.join(', ')} copied to ${path}.`)
    })
}
