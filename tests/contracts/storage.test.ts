import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fsStorage } from '../../src/storage/fs.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import type { Storage } from '../../src/storage/storage.ts'
import { type OpenedStorage, storageContract } from './storage.ts'

async function beside(open: (folder: string, spool: string) => Promise<Storage> | Storage): Promise<OpenedStorage> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-test-'))
  const spool = join(folder, 'spool')
  await mkdir(spool)
  const storage = await open(join(folder, 'objects'), spool)
  return {
    storage,
    async sealedFile(bytes) {
      const path = join(spool, randomUUID())
      await writeFile(path, bytes, { mode: 0o600 })
      return { path, sealedSize: bytes.length }
    },
    async close() {
      await storage.close()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

storageContract('files', () => beside(fsStorage))
storageContract('memory', () => beside(() => memoryStorage(() => new Date())))
