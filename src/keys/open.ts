import { dirname } from 'node:path'
import type { Clock } from '../clock.ts'
import { makeFolder } from '../durable.ts'
import { ConfigError } from '../errors.ts'
import type { Records } from '../records/records.ts'
import { keyRing, type LiveKeyRing, masterKeyId } from '../seal/keys.ts'
import type { KeySource } from './source.ts'

/** By whom the audit trail says that keys came into use. */
export const byService = (clock: Clock) => ({ at: clock.now(), who: '(service)', requestId: null })

/**
 * Opens the master keys, and has the records say which is current. A key is made by itself only when the records are of this process
 * alone and have never named one: keys that are lost or others must stop the start, not begin anew. The newest that the source has
 * becomes current at once where there is no other process, and else when every one has it (`rotation.ts`). `process`: this one's name,
 * where there are several. Throws `ConfigError`.
 */
export async function openKeys(
  { source, process }: { source: KeySource; process: string },
  records: Records,
  clock: Clock,
): Promise<LiveKeyRing> {
  let found = await source.read()
  const made = !found
  if (!found) found = [await makeKey(source, records)]
  const ring = keyRing(found)
  const held = await records.holdMasterKeys({
    holder: { process: records.alone ? null : process, ids: ring.ids, wrapsWith: null },
    newest: masterKeyId(found.at(-1)!),
    made,
    by: byService(clock),
  })
  if (held.kind === 'lacks')
    throw new ConfigError([
      `${upper(source.name)} has not the key ${held.ids.join(', ')} that the records name. Put back what holds it.`,
    ])
  ring.use(held.current)
  return ring
}

async function makeKey({ name, file }: KeySource, records: Records): Promise<Buffer> {
  const named = await records.masterKeyIds()
  if (named.length > 0)
    throw new ConfigError([
      `${upper(name)} is missing, and stored files are sealed with ${named.join(', ')}. Put back the file that holds it.`,
    ])
  if (!file) throw new ConfigError([`${upper(name)} has no key.`])
  if (!records.alone)
    throw new ConfigError([
      `There is no key file ${file.path}. Processes over one database need the same: make one (clipgate keys create --out FILE), ` +
        'give it to each of them, and set CLIPGATE_MASTER_KEY_FILE.',
    ])
  await makeFolder(dirname(file.path))
  return file.create()
}

function upper(text: string): string {
  return text[0]!.toUpperCase() + text.slice(1)
}
