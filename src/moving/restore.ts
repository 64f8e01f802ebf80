import { createReadStream } from 'node:fs'
import { readdir, rename, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { type AttachmentId, parseAttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { makeFolder, syncFolder } from '../durable.ts'
import { ConfigError, NotFound } from '../errors.ts'
import type { Records } from '../records/records.ts'
import { makeShards, objectPath, syncShards } from '../storage/fs.ts'
import type { Storage } from '../storage/storage.ts'
import { eachAbreast } from './abreast.ts'
import { fingerprintOf, isSame, writeWhole } from './copied.ts'
import { backupNames, type ListedObject, type Manifest, readList } from './manifest.ts'
import type { Progress } from './progress.ts'

/** Where an installation is to lie. */
export interface RestoredPlace {
  dataDir: string
  database: string
  objects: string
}

/** While it is under this name there is no installation, and nothing can be served from it. */
const unfinished = 'restored.db'

/** What a data folder may have in it before a restore: keys, the lock, what a restore that was cut short has left. */
const harmless = /^(keys|lost\+found|objects|serve\.lock.*|restored\.db.*)$/

/** Throws `ConfigError` when there is anything that a restore could overwrite. */
export async function requireEmpty({ dataDir, objects }: RestoredPlace): Promise<void> {
  const names = await readdir(dataDir).catch(() => [])
  const others = names.filter((name) => !harmless.test(name))
  const begun = names.some((name) => name.startsWith(unfinished))
  if (others.length === 0 && (begun || !(await stat(objects).catch(() => null)))) return
  throw new ConfigError([
    `${dataDir} is not empty (${[...others, 'objects'][0]}). A restore never overwrites: give it an empty data folder.`,
  ])
}

/**
 * Puts a backup's files into an empty data folder, each compared with its digest. What a run that was cut short has copied is
 * looked at, and kept. Returns what is wrong with objects of the backup: they are left out, and the others are wanted all the same.
 * Throws `ConfigError` when its database or its list is not as it was.
 */
export async function restoreFiles(
  from: string,
  manifest: Manifest,
  place: RestoredPlace,
  progress: Progress,
): Promise<string[]> {
  await makeFolder(place.dataDir)
  await copyWhole(join(from, backupNames.database), join(place.dataDir, unfinished), manifest.database)
  await syncFolder(place.dataDir)
  if (manifest.storage === 's3') return []
  await makeFolder(place.objects)
  await makeShards(place.objects)
  progress.begin('files restored', manifest.list.count)
  const damaged: string[] = []
  await eachAbreast(readList(from, manifest), async (object: ListedObject) => {
    const target = objectPath(place.objects, object.key)
    try {
      if (!isSame(await fingerprintOf(target), object))
        await copyWhole(objectPath(join(from, backupNames.objects), object.key), target, object)
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error
      damaged.push(...error.problems)
    }
    progress.step()
  })
  await syncShards(place.objects)
  progress.end()
  return damaged
}

async function copyWhole(from: string, to: string, wanted: { bytes: number; sha256: string }): Promise<void> {
  const source = () => createReadStream(from, { highWaterMark: 256 * 1024 })
  const copied = await writeWhole(to, source).catch((error: Error) => {
    throw new ConfigError([`${from} cannot be copied: ${error.message}`])
  })
  if (isSame(copied, wanted)) return
  await rm(to)
  throw new ConfigError([`${from} is not what was backed up: it was damaged or changed.`])
}

/** Erases again what was erased since the backup was made, and tells how many of them it had. */
export async function repeatErasures(
  ids: Iterable<AttachmentId>,
  { records, storage, clock, progress }: { records: Records; storage: Storage; clock: Clock; progress: Progress },
): Promise<number> {
  const all = [...new Set(ids)]
  if (all.length > 0) progress.begin('erasures repeated', all.length)
  let done = 0
  for (const id of all) {
    const at = clock.now()
    const audit = { at, who: 'cli', what: 'erase', object: id, outcome: 'erased', requestId: null } as const
    const erased = await records.erase({ id, at, audit: { ...audit, detail: 'repeated after a restore' } })
    if (erased) {
      await storage.remove(id)
      await records.bytesRemoved(id)
      if (erased.now) done++
    }
    progress.step()
  }
  await records.truncateLog()
  progress.end()
  return done
}

/** Where the records lie until all is done: to be opened, and closed, in between. */
export function unfinishedDatabase({ dataDir }: RestoredPlace): string {
  return join(dataDir, unfinished)
}

/** The installation is there from now on. */
export async function finishRestore(place: RestoredPlace): Promise<void> {
  await rename(unfinishedDatabase(place), place.database)
  await syncFolder(place.dataDir)
}

/**
 * Ids in a file of what was erased, one a line: ids alone, receipts (`attachmentId`), or rows of the audit trail (`object`) as
 * JSON. Throws `ConfigError` on a line that is none of these.
 */
export function erasedIn(lines: string[]): AttachmentId[] {
  return lines.flatMap((line, index) => {
    const text = line.trim()
    if (text === '') return []
    try {
      const { attachmentId, object, what } = (text.startsWith('{') ? JSON.parse(text) : { object: text }) as {
        [name: string]: unknown
      }
      // The trail has other rows too.
      if (what !== undefined && what !== 'erase') return []
      return [parseAttachmentId(String(attachmentId ?? object))]
    } catch (error) {
      if (!(error instanceof SyntaxError || error instanceof NotFound)) throw error
      throw new ConfigError([`line ${index + 1} names no attachment: ${text.slice(0, 80)}`])
    }
  })
}
