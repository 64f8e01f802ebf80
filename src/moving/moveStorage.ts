import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { NotFound, Unavailable } from '../errors.ts'
import { allStored } from '../records/questions/stored.ts'
import type { Records } from '../records/records.ts'
import type { Storage } from '../storage/storage.ts'
import { eachAbreast } from './abreast.ts'
import { fingerprintOfAll, isSame, writeWhole } from './copied.ts'
import type { Journal } from './journal.ts'
import type { Progress } from './progress.ts'

export interface MoveStorageParts {
  source: Storage
  target: Storage
  records: Pick<Records, 'storedPage' | 'storedCount' | 'storedAmong'>
  /** What was copied and compared before: it is not looked at again. */
  journal: Journal
  /** For files on their way: on the file system that the target takes files over from. */
  folder: string
  progress: Progress
}

export interface MovedStorage {
  /** Copied, and compared with what is there now. */
  copied: number
  /** Files that the records claim and the source has not: they were lost before. */
  missing: string[]
}

const attempts = 3

/**
 * Copies every stored file that the target has not, each read back from there and compared by the digest of its sealed bytes.
 * Nothing of the source is changed. What comes in meanwhile is for the next pass. Throws `Unavailable` when one of the two cannot
 * be used, or does not give back what it was given.
 */
export async function copyStored(parts: MoveStorageParts): Promise<MovedStorage> {
  const { target, records, journal, progress } = parts
  const there = await keysIn(target)
  const moved: MovedStorage = { copied: 0, missing: [] }
  progress.begin('files copied and compared', await records.storedCount())
  await eachAbreast(allStored(records.storedPage), async ({ id }) => {
    if (!(journal.has(id) && there.has(id))) {
      if (await copyOne(id, there.has(id), parts)) moved.copied++
      else if ((await records.storedAmong([id])).length > 0) moved.missing.push(id)
    }
    progress.step()
  })
  progress.end()
  return moved
}

/**
 * When nothing runs any more: the target loses what was erased since it was copied, and is looked through: it must have every file
 * that was copied. Returns how many it has.
 */
export async function settleStored({ target, records, journal, progress }: MoveStorageParts, missing: string[]) {
  const there = await keysIn(target)
  const keys = [...there]
  progress.begin('objects compared with the records', keys.length)
  for (let at = 0; at < keys.length; at += 500) {
    const some = keys.slice(at, at + 500)
    const claimed = new Set(await records.storedAmong(some))
    for (const key of some.filter((one) => !claimed.has(one))) {
      await target.remove(key)
      there.delete(key)
    }
    progress.step(some.length)
  }
  progress.end()
  let files = 0
  for await (const { id } of allStored(records.storedPage)) {
    if (missing.includes(id)) continue
    if (!there.has(id) || !journal.has(id)) throw new Unavailable(`${id} is not where it was moved to: run this again`)
    files++
  }
  return files
}

async function keysIn(storage: Storage): Promise<Set<string>> {
  const keys = new Set<string>()
  for await (const { key } of storage.list()) keys.add(key)
  return keys
}

/** False: the source has no such bytes. */
async function copyOne(key: string, isThere: boolean, parts: MoveStorageParts): Promise<boolean> {
  const { source, target, journal, folder } = parts
  const path = join(folder, key)
  try {
    for (let attempt = 1; ; attempt++) {
      const given = await writeWhole(path, () => source.open(key))
      // Left by a run that was cut short, it may be whole.
      if (!(isThere && attempt === 1)) await target.adopt(key, { path, sealedSize: given.bytes })
      if (isSame(await fingerprintOfAll(await target.open(key)), given)) {
        await journal.add({ key, ...given })
        return true
      }
      await target.remove(key)
      if (attempt === attempts) throw new Unavailable(`${key} was changed on its way, ${attempts} times`)
    }
  } catch (error) {
    if (error instanceof NotFound) return false
    throw error
  } finally {
    await rm(path, { force: true })
  }
}
