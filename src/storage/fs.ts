import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { mkdir, open, opendir, readdir, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { syncFolder } from '../durable.ts'
import { ConfigError, NotFound, Unavailable } from '../errors.ts'
import type { Storage } from './storage.ts'

/** The characters that keys end in. */
const shardNames = [...'0123456789abcdefghjkmnpqrstvwxyz']

/**
 * Keeps objects as files of mode 0600 in 32 shard folders, which are made and synced once. `spoolDir` must lie on the
 * same file system, since a file is taken over by renaming it: one write in all.
 * The last character of a key chooses its folder, so keys should end at random.
 */
export async function fsStorage(dir: string, spoolDir: string): Promise<Storage> {
  await mkdir(dir, { recursive: true, mode: 0o700 })
  await mkdir(spoolDir, { recursive: true, mode: 0o700 })
  if ((await stat(dir)).dev !== (await stat(spoolDir)).dev)
    throw new ConfigError([`${spoolDir} and ${dir} must lie on one file system.`])
  await makeShards(dir)
  const pathOf = (key: string) => join(dir, shardOf(key), key)

  return {
    async adopt(key, file) {
      const path = pathOf(key)
      await unavailableIfFails('storage cannot keep a file', async () => {
        const handle = await open(file.path, constants.O_RDWR)
        try {
          await handle.datasync()
        } finally {
          await handle.close()
        }
        await rename(file.path, path)
        await syncFolder(dirname(path))
      })
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
    },

    async *list() {
      for (const shard of shardNames) {
        for await (const entry of await opendir(join(dir, shard))) {
          const found = await stat(join(dir, shard, entry.name)).catch(() => null)
          if (found?.isFile()) yield { key: entry.name, storedAt: found.mtime }
        }
      }
    },

    async check() {
      await unavailableIfFails('storage cannot be written', async () => {
        const probe = join(spoolDir, `probe-${randomUUID()}`)
        const handle = await open(probe, 'w', 0o600)
        try {
          await handle.writeFile('probe')
        } finally {
          await handle.close()
          await unlink(probe)
        }
      })
    },
  }
}

async function makeShards(dir: string): Promise<void> {
  if ((await readdir(dir)).length >= shardNames.length) return
  for (const shard of shardNames) await mkdir(join(dir, shard), { recursive: true, mode: 0o700 })
  await syncFolder(dir)
  await syncFolder(dirname(dir))
}

function shardOf(key: string): string {
  if (!/^[a-z0-9_]{3,63}[0-9a-hjkmnp-tv-z]$/.test(key)) throw new Error('not a storage key')
  return key.slice(-1)
}

async function unavailableIfFails(what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (cause) {
    throw new Unavailable(what, { cause })
  }
}
