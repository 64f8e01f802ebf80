import { sep } from 'node:path'
import { type Clock, systemClock } from '../clock.ts'
import type { Config, Secrets } from '../config.ts'
import type { ConfigError } from '../errors.ts'
import { readKeyFile } from '../keys/keyFile.ts'
import { keySource } from '../keys/source.ts'
import type { Records } from '../records/records.ts'
import { masterKeyId } from '../seal/keys.ts'
import type { Find } from './finding.ts'

const dayMs = 24 * 60 * 60 * 1000
/** Every process takes a key up within seconds, if it can. */
const longWaitMs = 60 * 60 * 1000

/** The master keys, where they come from, by their ids: none where they cannot be had. */
export async function examineKeys({ dataDir, masterKeys }: Config, secrets: Secrets, find: Find): Promise<string[]> {
  const source = keySource(masterKeys, secrets.masterKey, systemClock)
  const found = await source.read().catch((error: ConfigError) => {
    find('master key', 'failed', error.message)
    return null
  })
  if (!found) return []
  const ids = found.map(masterKeyId)
  if (masterKeys.from !== 'file') {
    find('master key', 'ok', `${ids.length} from ${source.name}`)
    return ids
  }
  const { path, kms } = masterKeys
  if (kms !== null) {
    const plain = ((await readKeyFile(path)) ?? []).flatMap((line) => ('key' in line ? [line.id] : []))
    if (plain.length > 0)
      find(
        'master key',
        'warning',
        `${plain.join(', ')} lies in ${path} as it is. Rotate, and retire it: new ones are encrypted`,
      )
    else find('master key', 'ok', `${path}, which AWS KMS decrypts`)
  } else if (`${path}${sep}`.startsWith(`${dataDir}${sep}`))
    find(
      'master key',
      'warning',
      `${path} lies in the data folder: whoever copies one has both. Move it and set CLIPGATE_MASTER_KEY_FILE.`,
    )
  else find('master key', 'ok', path)
  return ids
}

/** Whether all are here that the records need, and whether a rotation has come to its end. */
export async function examineMasterKeys(
  records: Records,
  ids: string[],
  find: Find,
  clock: Pick<Clock, 'now'> = systemClock,
): Promise<void> {
  const now = clock.now().getTime()
  const known = await records.masterKeys()
  const files = new Map((await records.filesByMasterKey()).map((one) => [one.id, one.files]))
  const needed = known.filter(({ state }) => state === 'current' || state === 'old')
  const missing = needed.filter(({ id }) => !ids.includes(id)).map(({ id }) => id)
  if (missing.length > 0) find('master key', 'failed', `the records name ${missing.join(', ')}, which is not here`)
  for (const { id, until } of needed) {
    if (until === null || now - until.getTime() < dayMs) continue
    const count = files.get(id) ?? 0
    const end = until.toISOString()
    if (count > 0) find('master key', 'warning', `${count} files are still under ${id}, which was replaced at ${end}`)
    else
      find(
        'master key',
        'warning',
        `${id} was replaced at ${end}, and no file needs it. Run: clipgate keys retire ${id}`,
      )
  }
  for (const { id, state, since } of known)
    if (state === 'waiting' && now - since.getTime() > longWaitMs)
      find(
        'master key',
        'warning',
        `${id} waits since ${since.toISOString()} for a process that has it not. See: clipgate keys list`,
      )
  const left = known.filter(({ id, state }) => state === 'retired' && ids.includes(id)).map(({ id }) => id)
  if (left.length > 0) find('master key', 'warning', `${left.join(', ')} is retired, and still here. Take it out`)
}
