import { mkdir, open, opendir, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { makeFolder, syncFolder } from '../durable.ts'
import { ConfigError, NotFound, Unavailable } from '../errors.ts'
import { askThread } from '../thread.ts'
import type { Adopted, Adoption } from './adopt.ts'
import { requireKey, type Storage, storageKey } from './storage.ts'
import { requireWritable } from './writable.ts'

/**
 * Threads that wait for the disk. A sync is mostly waiting, and a file system commits at once what several wait for: more
 * than one, whatever the number of processors.
 */
const adoptingThreads = 4

/** The characters that keys end in. */
const shardNames = [...'0123456789abcdefghjkmnpqrstvwxyz']

/**
 * Keeps objects as files of mode 0600 in 32 shard folders, which are made and synced once. `spoolDir` must lie on the
 * same file system, since a file is taken over by renaming it: one write in all.
 * The last character of a key chooses its folder, so keys should end at random.
 */
export async function fsStorage(dir: string, spoolDir: string): Promise<Storage> {
  await makeFolder(dir)
  await makeFolder(spoolDir)
  if ((await stat(dir)).dev !== (await stat(spoolDir)).dev)
    throw new ConfigError([`${spoolDir} and ${dir} must lie on one file system.`])
  await makeShards(dir)
  const pathOf = (key: string) => objectPath(dir, key)
  const threads = Array.from({ length: adoptingThreads }, () =>
    askThread<Adoption, Adopted>({
      entry: '#threads/storage',
      died: (cause) => new Unavailable('a storage thread died', { cause }),
      closed: () => new Unavailable('the storage is closed'),
    }),
  )

  return {
    async adopt(key, file) {
      const failure = await leastAsked(threads).ask({ from: file.path, to: pathOf(key) })
      if (!failure) return
      const cause = Object.assign(new Error(failure.message), { code: failure.code })
      throw new Unavailable('storage cannot keep a file', { cause })
    },

    async open(key, range) {
      const handle = await open(pathOf(key), 'r').catch((error: NodeJS.ErrnoException) => {
        if (error.code === 'ENOENT') throw new NotFound('object')
        throw new Unavailable('storage cannot open a file', { cause: error })
      })
      // The stream owns the handle and closes it at its end, on an error, and when its reader walks away.
      return handle.createReadStream({ ...range, highWaterMark: 256 * 1024 })
    },

    async remove(key) {
      const path = pathOf(key)
      await unavailableIfFails('storage cannot remove a file', async () => {
        await unlink(path).catch((error: NodeJS.ErrnoException) => {
          if (error.code !== 'ENOENT') throw error
        })
        await syncFolder(dirname(path))
      })
      return 'removed'
    },

    async *list() {
      for (const shard of shardNames) {
        const folder = await opendir(join(dir, shard)).catch((cause) => {
          throw new Unavailable('storage cannot be listed', { cause })
        })
        for await (const { name } of folder) {
          // What others put here is none of ours.
          if (!storageKey.test(name)) continue
          const found = await stat(join(dir, shard, name)).catch(() => null)
          if (found?.isFile()) yield { key: name, storedAt: found.mtime }
        }
      }
    },

    // It lies in the installation's own folder, which only one process serves.
    isOwnedBy: async () => true,

    // A file is renamed whole, and the spool is emptied at each start.
    async removeUnfinished() {},

    async check() {
      await requireWritable(spoolDir)
    },

    async close() {
      await Promise.all(threads.map((thread) => thread.close()))
    },
  }
}

/** The first of those with the least to do: what one can do alone starts no other. */
function leastAsked<T extends { asked(): number }>(threads: T[]): T {
  return threads.reduce((least, thread) => (thread.asked() < least.asked() ? thread : least))
}

/** Where the object under `key` lies in the folder of all. */
export function objectPath(dir: string, key: string): string {
  return join(dir, requireKey(key).slice(-1), key)
}

/** Synced at each start: a start before may have died between making and syncing. */
export async function makeShards(dir: string): Promise<void> {
  for (const shard of shardNames) await mkdir(join(dir, shard), { recursive: true, mode: 0o700 })
  await syncFolder(dir)
}

/** What was made, renamed or removed in any of the folders survives a crash. */
export async function syncShards(dir: string): Promise<void> {
  for (const shard of shardNames) await syncFolder(join(dir, shard))
  await syncFolder(dir)
}

async function unavailableIfFails(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    throw new Unavailable(what, { cause })
  }
}
