import { systemClock } from '../clock.ts'
import type { Config, Secrets } from '../config.ts'
import { hasRecords, openRecords, openStorage } from '../installation.ts'
import { keySource } from '../keys/source.ts'
import type { Progress } from '../moving/progress.ts'
import type { Records } from '../records/records.ts'
import { keyRing } from '../seal/keys.ts'
import type { Storage } from '../storage/storage.ts'
import type { Find } from './finding.ts'
import { proveAll } from './proofs.ts'

/** Younger ones may belong to a file that is being settled. */
const dayMs = 24 * 60 * 60 * 1000
const batch = 500
const mostNamed = 20

/** Every file, read to its end; and what the storage has that no record claims. */
export async function examineDeep(
  config: Config,
  secrets: Secrets,
  { find, progress }: { find: Find; progress: Progress },
): Promise<void> {
  if (!hasRecords(config)) return
  const found = await keySource(config.masterKeys, secrets.masterKey, systemClock)
    .read()
    .catch(() => null)
  if (!found) return find('files', 'failed', 'without the master keys no stored file can be read')
  const keys = keyRing(found)
  try {
    const records = await openRecords({ config: { ...config, migrate: 'off' }, secrets }, systemClock)
    const storage = await openStorage(config, systemClock)
    try {
      const { whole, bad } = await proveAll({ records, storage, keys, progress })
      for (const { id, proof } of bad) find('files', 'failed', `${id}: its bytes are ${proof}`)
      if (bad.length === 0) find('files', 'ok', `${whole} files are whole`)
      tellOrphans(await orphansOf(records, storage, progress), find)
    } finally {
      await storage.close()
      await records.close()
    }
  } catch (error) {
    find('files', 'failed', (error as Error).message)
  }
}

async function orphansOf(records: Records, storage: Storage, progress: Progress): Promise<string[]> {
  const before = new Date(systemClock.now().getTime() - dayMs)
  const orphans: string[] = []
  let old: string[] = []
  const sift = async () => {
    const claimed = new Set(await records.storedAmong(old))
    orphans.push(...old.filter((key) => !claimed.has(key)))
    progress.step(old.length)
    old = []
  }
  progress.begin('objects looked for in the records', await records.storedCount())
  for await (const { key, storedAt } of storage.list()) {
    if (storedAt <= before) old.push(key)
    if (old.length === batch) await sift()
  }
  await sift()
  progress.end()
  return orphans
}

function tellOrphans(orphans: string[], find: Find): void {
  if (orphans.length === 0) {
    find('files', 'ok', 'no object is older than a day and without a record')
    return
  }
  const named = orphans.slice(0, mostNamed).join(', ')
  const others = orphans.length > mostNamed ? ` and ${orphans.length - mostNamed} others` : ''
  find('files', 'warning', `no record claims ${named}${others}: the next sweep removes them`)
}
