import { readFile, writeFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import type { Command } from 'commander'
import { systemClock } from '../clock.ts'
import { type Config, readConfig, type Secrets } from '../config.ts'
import { ConfigError } from '../errors.ts'
import { listKeys } from '../keys/listed.ts'
import { type KeySource, keyFile, keySource } from '../keys/source.ts'
import type { MasterKey } from '../records/questions/keys.ts'
import { keyRing, masterKeyId } from '../seal/keys.ts'
import type { Io } from './io.ts'
import { retire, rotate } from './keysRotate.ts'
import { auditedByCli, type Opened, withRecords } from './opened.ts'

/** clipgate keys create | list | rotate | retire | export */
export function keys(program: Command, io: Io): void {
  const group = program.command('keys').description('master keys, which wrap the key of each stored file')

  group
    .command('create')
    .description('make a key file with a new master key; never replaces a file')
    .requiredOption('--out <file>', 'where to write it')
    .option('--kms <key>', 'the id, ARN or alias of a key of AWS KMS that encrypts it')
    .action(async ({ out, kms }: { out: string; kms?: string }) => {
      const path = resolve(out)
      const id = masterKeyId(await keyFile(path, kms ?? null).create())
      const detail = JSON.stringify({ to: path, ...(kms && { kms }) })
      await auditedByCli(io, { what: 'key_make', object: id, outcome: 'made', detail }).catch((error: Error) =>
        io.err(`It is not in the audit trail: ${error.message}`),
      )
      io.out(`${id} written to ${path}. Keep a copy in a safe place: without it no stored file can be read.`)
    })

  group
    .command('list')
    .description('the master keys that the records know, whether we have them, and how many files need each')
    .action(() => withRecords(io, (opened) => list(opened, io)))

  group
    .command('rotate')
    .description('bring a new master key into use; running services take it up, and wrap the keys of all files anew')
    .action(() => withRecords(io, (opened) => rotate(opened, sourceOf(opened), io)))

  group
    .command('retire <id>')
    .description('give up a master key that nothing needs any more, and take it out of the key file')
    .action((id: string) => withRecords(io, (opened) => retire(id, opened, sourceOf(opened), io)))

  group
    .command('export')
    .description('copy the key file, for safekeeping')
    .requiredOption('--out <file>', 'where to write the copy; never replaces a file')
    .action(async ({ out }: { out: string }) => {
      const source = sourceOf(readConfig(io.env))
      if (!source.file)
        throw new ConfigError([
          `The master keys come from ${source.name}, and no file of ours: keep a copy of them there.`,
        ])
      const found = await source.read()
      const from = source.file.path
      if (!found) throw new ConfigError([`There is no key file at ${from}.`])
      const path = resolve(out)
      const { currentId, ids } = keyRing(found)
      // Before there is a copy, so that there is none without its row.
      const detail = JSON.stringify({ to: path, keys: ids })
      await auditedByCli(io, { what: 'key_export', object: currentId, outcome: 'copying', detail })
      await writeFile(path, await readFile(from), { flag: 'wx', mode: 0o600 }).catch((error: Error) => {
        throw new ConfigError([`${path} cannot be written: ${error.message}`])
      })
      io.out(`${ids.join(', ')} copied to ${path}.`)
    })
}

function sourceOf({ config, secrets }: { config: Config; secrets: Secrets }): KeySource {
  return keySource(config.masterKeys, secrets.masterKey, systemClock)
}

async function list({ config, secrets, records }: Opened, io: Io): Promise<void> {
  const source = sourceOf({ config, secrets })
  const found = await source.read()
  const ours = found?.map(masterKeyId) ?? []
  const known = await listKeys(records)
  const where = ({ id, state }: MasterKey) => (state === 'retired' || ours.includes(id) ? state : 'MISSING')
  for (const key of known) io.out(`${key.id}  ${where(key)}  since ${key.since.toISOString()}  ${key.files} files`)
  for (const id of ours) if (!known.some((key) => key.id === id)) io.out(`${id}  not used yet`)
  const holders = await records.keyHolders({ at: systemClock.now() })
  for (const { id, state } of known) {
    const without = holders.filter(({ ids }) => !ids.includes(id)).map(({ process }) => process)
    if (state !== 'retired' && without.length > 0) io.out(`${id} is not at ${without.join(', ')} yet.`)
  }
  if (!found)
    io.out(source.file ? `There is no key file at ${source.file.path}.` : `There is no key in ${source.name}.`)
}
