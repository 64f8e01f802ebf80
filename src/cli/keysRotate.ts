import { systemClock } from '../clock.ts'
import { ConfigError, NotFound } from '../errors.ts'
import type { KeySource } from '../keys/source.ts'
import type { NeededBy } from '../records/questions/rotation.ts'
import type { Records } from '../records/records.ts'
import { masterKeyId } from '../seal/keys.ts'
import type { Io } from './io.ts'
import type { Opened } from './opened.ts'

const byCli = () => ({ at: systemClock.now(), who: 'cli', requestId: null })

/**
 * Announces the newest key of the source, where the records do not know it; else a key file is given a new one first. So what was cut
 * short is gone on with, and keys that come from elsewhere are rotated by putting a new one there before.
 */
export async function rotate({ records }: Opened, source: KeySource, io: Io): Promise<void> {
  const found = await source.read()
  if (!found) throw new ConfigError([`There are no keys in ${source.name}.`])
  const ours = found.map(masterKeyId)
  const known = await records.masterKeys()
  const missing = known.filter(({ id, state }) => (state === 'current' || state === 'old') && !ours.includes(id))
  if (missing.length > 0)
    throw new ConfigError([
      `${source.name} has not the key ${missing.map(({ id }) => id).join(', ')}. Put it back first.`,
    ])
  const waiting = known.find(({ state }) => state === 'waiting')
  if (waiting) {
    io.err(`${waiting.id} is announced already, and becomes current once every process has it. See: clipgate keys list`)
    return io.exitWith(1)
  }
  let id = ours.at(-1)!
  if (known.some((key) => key.id === id)) {
    if (!source.file) throw new ConfigError([howToAdd(source)])
    id = await added(source, records)
  }
  await records.announceMasterKey({ id, by: byCli() })
  const files = await records.filesUnder(known.map((key) => key.id))
  io.out(
    `${id} is announced. Once every process has it, new files are sealed under it, and the keys of ${files} files are wrapped anew. ` +
      'Keep a copy of it in a safe place. See: clipgate keys list',
  )
}

async function added({ file, read, name }: KeySource, records: Records): Promise<string> {
  const id = masterKeyId(await file!.add())
  // Another command may have replaced the file at the same time.
  if (!(await read())?.some((key) => masterKeyId(key) === id))
    throw new ConfigError([`${name} was changed by somebody else meanwhile, and has not the new key. Try again.`])
  const detail = JSON.stringify({ to: file!.path })
  await records.audit({ ...byCli(), what: 'key_make', object: id, outcome: 'made', detail })
  return id
}

function howToAdd({ name, changes }: KeySource): string {
  return (
    `The newest key of ${name} is in use already, and we cannot put another there. Make one (clipgate keys create --out FILE), put its ` +
    `line last, ${changes ? '' : 'start each process again with it, '}and run this again.`
  )
}

/** Gives up a key in the records first: as long as it is in a file too, nothing is lost by a cut. */
export async function retire(id: string, { records }: Opened, source: KeySource, io: Io): Promise<void> {
  const outcome = await records.retireMasterKey({ id, by: byCli() })
  if (outcome.kind === 'unknown') throw new NotFound('master key')
  if (outcome.kind === 'current' || outcome.kind === 'needed') {
    const reasons = outcome.kind === 'current' ? ['new files are sealed under it'] : reasonsOf(outcome.by)
    for (const reason of reasons) io.err(`${id} is needed: ${reason}.`)
    return io.exitWith(1)
  }
  const removed = await source.file?.remove(id)
  const inFile = removed ? `, and is no longer in ${source.file!.path}` : ''
  io.out(`${id} is retired${inFile}. Backups from before need it: keep a copy as long as you keep them.`)
  const left = (await source.read())?.some((key) => masterKeyId(key) === id)
  if (left) io.out(`Take its line out of ${source.name}.`)
}

function reasonsOf({ files, processes, tickets, gatewayFiles }: NeededBy): string[] {
  return [
    files > 0 && `the keys of ${files} files are wrapped with it`,
    processes.length > 0 && `${processes.join(', ')} still seals files under it`,
    tickets && `${tickets.count} tickets may be known by it, the last of them until ${tickets.until.toISOString()}`,
    gatewayFiles > 0 &&
      `${gatewayFiles} files came through the gateway under it and are not sent yet: they count for a day`,
  ].filter((reason) => reason !== false && reason !== null)
}
