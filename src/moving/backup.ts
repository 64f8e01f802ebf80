import { link, readdir, rename, rm, stat } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { makeFolder, syncFolder } from '../durable.ts'
import { ConfigError, NotFound } from '../errors.ts'
import type { AuditHead, AuditLink } from '../records/questions/audit.ts'
import { allStored } from '../records/questions/stored.ts'
import type { Records } from '../records/records.ts'
import { lockFolder } from '../records/sqlite/lock.ts'
import { copyDatabase, openSnapshot } from '../records/sqlite/snapshot.ts'
import { makeShards, objectPath, syncShards } from '../storage/fs.ts'
import type { Storage } from '../storage/storage.ts'
import { eachAbreast } from './abreast.ts'
import { fingerprintOf, writeWhole } from './copied.ts'
import {
  aboutKeyFile,
  backupNames,
  type ListedObject,
  type Manifest,
  openList,
  readList,
  readManifest,
  writeManifest,
} from './manifest.ts'
import type { Progress } from './progress.ts'

export interface BackupAsked {
  /** Must not be there; takes its name when all is in it. What a run that was cut short has left beside it is gone on with. */
  out: string
  /** A backup before this one: what it has is linked, not copied, where both lie on one file system. */
  since: string | null
  /** The database file of the installation. */
  database: string
  /** Null: sealed files stay where they are, in their own store. */
  storage: Storage | null
  version: string
}

export interface BackupParts {
  records: Pick<Records, 'storedAmong' | 'listAudit'>
  clock: Clock
  progress: Progress
}

/**
 * A copy of a running installation: first the database, as it is at one moment, then each object that this copy names. Bytes are
 * stored before their record, so what the copy names is there, unless it was erased meanwhile, which is told. Throws `ConfigError`
 * when `out` cannot be made.
 */
export async function backup(asked: BackupAsked, parts: BackupParts): Promise<Manifest> {
  const { out } = asked
  if (await stat(out).catch(() => null)) throw new ConfigError([`${out} is there already. A backup never overwrites.`])
  const folder = `${out}.partial`
  await makeFolder(folder)
  const lock = await lockFolder(join(folder, lockName))
  let manifest: Manifest
  try {
    manifest = await fill(folder, asked, parts)
  } finally {
    lock.release()
    parts.progress.end()
  }
  for (const name of await readdir(folder)) if (name.startsWith(lockName)) await rm(join(folder, name))
  await syncFolder(folder)
  await rename(folder, out)
  await syncFolder(dirname(out))
  return manifest
}

const lockName = 'backup.lock'

async function fill(folder: string, asked: BackupAsked, { records, clock, progress }: BackupParts): Promise<Manifest> {
  const { since, storage } = asked
  const before = since === null ? null : await objectsOf(since)
  const began = clock.now()
  const database = join(folder, backupNames.database)
  await rm(database, { force: true })
  progress.begin('the database is being copied', 0)
  await copyDatabase(asked.database, database)
  const snapshot = openSnapshot(database)
  try {
    const { schema, masterKeyIds, auditHead } = snapshot
    const objects = join(folder, backupNames.objects)
    const list = await openList(folder)
    const kept = new Set<string>()
    const lost: string[] = []
    if (storage !== null) {
      await makeFolder(objects)
      await makeShards(objects)
      progress.begin('files copied', await snapshot.storedCount())
      await eachAbreast(allStored(snapshot.storedPage), async ({ id }) => {
        const copied = await copyObject(id, objectPath(objects, id), storage, before)
        if (copied) {
          await list.add(copied)
          kept.add(id)
        } else lost.push(id)
        progress.step()
      })
      await removeOthers(objects, kept)
      await syncShards(objects)
    }
    const gone = new Set([...(await unclaimedOf(lost, records)), ...(await erasedSince(auditHead, records))])
    const manifest: Manifest = {
      format: 1,
      program: asked.version,
      began: began.toISOString(),
      ended: clock.now().toISOString(),
      database: { ...(await fingerprintOf(database))!, schema },
      masterKeys: masterKeyIds,
      keyFile: aboutKeyFile,
      storage: storage === null ? 's3' : 'fs',
      list: await list.close(),
      auditHead: auditHead ? `${auditHead.seq}:${auditHead.digest}` : null,
      gone: [...gone].sort(),
      missing: lost.filter((id) => !gone.has(id)).sort(),
    }
    await writeManifest(folder, manifest)
    return manifest
  } finally {
    snapshot.close()
  }
}

/** Null: there are no such bytes. */
async function copyObject(
  key: string,
  path: string,
  storage: Storage,
  before: { folder: string; objects: Map<string, ListedObject> } | null,
): Promise<ListedObject | null> {
  const known = before?.objects.get(key)
  // What has its name is whole: a run before this one was cut short.
  const there = await fingerprintOf(path)
  if (there) return { key, ...there }
  // No key is ever written twice, so what it had is what there is.
  if (before && known && (await isLinked(objectPath(join(before.folder, backupNames.objects), key), path, known.bytes)))
    return known
  try {
    return { key, ...(await writeWhole(path, () => storage.open(key))) }
  } catch (error) {
    if (error instanceof NotFound) return null
    throw error
  }
}

async function isLinked(from: string, to: string, bytes: number): Promise<boolean> {
  try {
    if ((await stat(from)).size !== bytes) return false
    await link(from, to)
    return true
  } catch {
    // Another file system, or one without links: it is copied.
    return false
  }
}

async function objectsOf(folder: string) {
  const objects = new Map<string, ListedObject>()
  for await (const object of readList(folder, await readManifest(folder))) objects.set(object.key, object)
  return { folder, objects }
}

/** What a run that was cut short has copied, and the database does not name any more. */
async function removeOthers(objects: string, kept: Set<string>): Promise<void> {
  for (const shard of await readdir(objects))
    for (const name of await readdir(join(objects, shard)))
      if (!kept.has(name)) await rm(join(objects, shard, name), { force: true })
}

/** Those that the records do not claim any more. */
async function unclaimedOf(ids: string[], records: Pick<Records, 'storedAmong'>): Promise<string[]> {
  const gone: string[] = []
  for (let at = 0; at < ids.length; at += 500) {
    const some = ids.slice(at, at + 500)
    const claimed = new Set(await records.storedAmong(some))
    gone.push(...some.filter((id) => !claimed.has(id)))
  }
  return gone
}

/** Erased after the database was copied: a restore must not bring it back. */
async function erasedSince(head: AuditHead | undefined, records: Pick<Records, 'listAudit'>): Promise<string[]> {
  const ids: string[] = []
  for (let after = head; ; ) {
    const rows: AuditLink[] = await records.listAudit({ after, limit: 500 })
    ids.push(...rows.flatMap(({ what, object }) => (what === 'erase' && object !== null ? [object] : [])))
    if (rows.length < 500) return ids
    after = rows.at(-1)
  }
}
