import { randomUUID } from 'node:crypto'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { newAttachmentId } from '../attachment.ts'
import { NotFound, Unavailable } from '../errors.ts'
import { fsStorage } from './fs.ts'

async function opened() {
  const folder = await temporaryFolder()
  const [objects, spool] = [join(folder, 'data', 'objects'), join(folder, 'data', 'spool')]
  const storage = await fsStorage(objects, spool)
  onTestFinished(() => storage.close())
  const adopt = async (bytes: string, key = newAttachmentId()) => {
    const path = join(spool, randomUUID())
    await writeFile(path, bytes, { mode: 0o600 })
    await storage.adopt(key, { path, sealedSize: bytes.length })
    return key
  }
  return { folder, objects, spool, storage, adopt }
}

async function modesIn(folder: string): Promise<{ name: string; mode: number; isFolder: boolean }[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true })
  return Promise.all(
    entries.map(async (entry) => {
      const path = join(entry.parentPath, entry.name)
      return { name: entry.name, mode: (await stat(path)).mode & 0o777, isFolder: entry.isDirectory() }
    }),
  )
}

describe('storage in files', () => {
  it('makes folders of mode 0700 and keeps files of mode 0600, under their ids and nothing else', async () => {
    const { folder, adopt } = await opened()
    const key = await adopt('sealed')
    const found = await modesIn(folder)
    expect(found.filter(({ isFolder, mode }) => isFolder && mode !== 0o700)).toEqual([])
    expect(found.filter(({ isFolder }) => !isFolder)).toEqual([{ name: key, mode: 0o600, isFolder: false }])
  })

  it('keeps what it has when it is opened again, and makes a shard folder that is missing', async () => {
    const { objects, spool, adopt } = await opened()
    const key = await adopt('sealed')
    const empty = (await readdir(objects)).find((shard) => shard !== key.slice(-1))!
    await rm(join(objects, empty), { recursive: true })
    const again = await fsStorage(objects, spool)
    for await (const chunk of await again.open(key)) expect(Buffer.from(chunk).toString()).toBe('sealed')
    expect(await readdir(objects)).toContain(empty)
  })

  it('does not list what others put into its folders', async () => {
    const { objects, storage, adopt } = await opened()
    const key = await adopt('sealed')
    await writeFile(join(objects, '0', '.DS_Store'), 'x')
    await writeFile(join(objects, '0', 'notes.txt'), 'x')
    const keys: string[] = []
    for await (const object of storage.list()) keys.push(object.key)
    expect(keys).toEqual([key])
  })

  it('is unavailable, and then works again, when its folder was away', async () => {
    const { objects, spool, storage, adopt } = await opened()
    const key = await adopt('sealed')
    await rm(join(objects, key.slice(-1)), { recursive: true })
    const path = join(spool, 'file')
    await writeFile(path, 'x')
    await expect(storage.adopt(key, { path, sealedSize: 1 })).rejects.toThrow(Unavailable)
    // Not lost by the failure: the spool still has it.
    expect((await stat(path)).size).toBe(1)
    await expect(storage.open(key)).rejects.toThrow(NotFound)
    await expect(storage.remove(key)).rejects.toThrow(Unavailable)
    await expect(async () => {
      for await (const _ of storage.list());
    }).rejects.toThrow(Unavailable)
    await fsStorage(objects, spool)
    await storage.adopt(key, { path, sealedSize: 1 })
    await storage.remove(key)
  })

  it('says that it cannot be written when the spool is gone, and leaves no probe behind when it can', async () => {
    const { spool, storage } = await opened()
    await storage.check()
    expect(await readdir(spool)).toEqual([])
    await rm(spool, { recursive: true })
    await expect(storage.check()).rejects.toThrow(Unavailable)
  })
})
