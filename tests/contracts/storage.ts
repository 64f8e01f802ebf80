import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { NotFound, Unavailable } from '../../src/errors.ts'
import type { ByteRange } from '../../src/seal/unseal.ts'
import type { SealedFile, Storage } from '../../src/storage/storage.ts'

export interface OpenedStorage {
  storage: Storage
  /** A file of these bytes where the spool would have left it. */
  sealedFile(bytes: Uint8Array): Promise<SealedFile>
  close(): Promise<void>
}

/** What every storage must do, whatever it keeps its bytes in. `open` gives a fresh and empty one. */
export function storageContract(name: string, open: () => Promise<OpenedStorage>): void {
  async function opened() {
    const { storage, sealedFile, close } = await open()
    onTestFinished(close)
    const adopt = async (bytes: Uint8Array, key: string = newAttachmentId()) => {
      await storage.adopt(key, await sealedFile(bytes))
      return key
    }
    return { storage, sealedFile, adopt }
  }

  async function read(storage: Storage, key: string, range?: ByteRange): Promise<Buffer> {
    const chunks: Uint8Array[] = []
    for await (const chunk of await storage.open(key, range)) chunks.push(chunk)
    return Buffer.concat(chunks)
  }

  async function listed(storage: Storage) {
    const found: { key: string; storedAt: Date }[] = []
    for await (const object of storage.list()) found.push(object)
    return found
  }

  describe(`storage in ${name}`, () => {
    it.each([1, 16, 65_568, 1_000_003])('gives back the %i bytes that it took over', async (size) => {
      const { storage, adopt } = await opened()
      const bytes = randomBytes(size)
      expect((await read(storage, await adopt(bytes))).equals(bytes)).toBe(true)
    })

    it('takes a file over: nothing is left where it lay', async () => {
      const { storage, sealedFile } = await opened()
      const file = await sealedFile(randomBytes(10))
      await storage.adopt(newAttachmentId(), file)
      await expect(stat(file.path)).rejects.toThrow('ENOENT')
    })

    it('gives any range, both ends counted; of one that goes past the end, what there is', async () => {
      const { storage, adopt } = await opened()
      const bytes = randomBytes(700_000)
      const key = await adopt(bytes)
      for (const [start, end] of [
        [0, 0],
        [0, 15],
        [16, 65_567],
        [299_999, 600_001],
        [699_999, 699_999],
      ] as const)
        expect((await read(storage, key, { start, end })).equals(bytes.subarray(start, end + 1))).toBe(true)
      expect((await read(storage, key, { start: 699_990, end: 800_000 })).equals(bytes.subarray(699_990))).toBe(true)
    })

    it('has nothing under a key that it was never given', async () => {
      const { storage } = await opened()
      await expect(storage.open(newAttachmentId())).rejects.toThrow(NotFound)
      await expect(storage.open(newAttachmentId(), { start: 0, end: 15 })).rejects.toThrow(NotFound)
    })

    it('removes one object and no other; removing what is not there is success', async () => {
      const { storage, adopt } = await opened()
      const [gone, kept] = [await adopt(Buffer.from('gone')), await adopt(Buffer.from('kept'))]
      await storage.remove(gone)
      await expect(storage.open(gone)).rejects.toThrow(NotFound)
      expect((await read(storage, kept)).toString()).toBe('kept')
      await storage.remove(gone)
      await storage.remove(newAttachmentId())
    })

    it('lists each object that it keeps once, with when it came', async () => {
      const { storage, adopt } = await opened()
      const before = Date.now()
      expect(await listed(storage)).toEqual([])
      const keys: string[] = []
      for (let i = 0; i < 70; i++) keys.push(await adopt(Buffer.from([i])))
      await storage.remove(keys.pop()!)
      const found = await listed(storage)
      expect(found.map(({ key }) => key).sort()).toEqual([...keys].sort())
      // A file system may count time more coarsely than we do.
      for (const { storedAt } of found) expect(storedAt.getTime()).toBeGreaterThan(before - 5000)
    })

    it('may be listed and emptied at the same time', async () => {
      const { storage, adopt } = await opened()
      for (let i = 0; i < 70; i++) await adopt(Buffer.from([i]))
      for await (const { key } of storage.list()) await storage.remove(key)
      expect(await listed(storage)).toEqual([])
    })

    it('takes, gives and removes many at once', async () => {
      const { storage, adopt } = await opened()
      await Promise.all(
        Array.from({ length: 40 }, async () => {
          const bytes = randomBytes(5000)
          const key = await adopt(bytes)
          expect((await read(storage, key)).equals(bytes)).toBe(true)
          await storage.remove(key)
        }),
      )
      expect(await listed(storage)).toEqual([])
    })

    it('gives two readers of one object the same bytes, and one that walks away holds up nobody', async () => {
      const { storage, adopt } = await opened()
      const bytes = randomBytes(2_000_000)
      const key = await adopt(bytes)
      for await (const chunk of await storage.open(key)) {
        expect(chunk.length).toBeGreaterThan(0)
        break
      }
      const [one, other] = await Promise.all([read(storage, key), read(storage, key)])
      expect(one.equals(bytes) && other.equals(bytes)).toBe(true)
    })

    it('keeps nothing of a file that is not there to be taken over, and says that it cannot', async () => {
      const { storage, sealedFile } = await opened()
      const file = await sealedFile(Buffer.from('x'))
      const key = newAttachmentId()
      await expect(storage.adopt(key, { ...file, path: `${file.path}.gone` })).rejects.toThrow(Unavailable)
      await expect(storage.open(key)).rejects.toThrow(NotFound)
    })

    it('takes no key that a customer could have thought of', async () => {
      const { storage, sealedFile } = await opened()
      const names = [
        '',
        '..',
        '../../etc/passwd',
        'a/b',
        'A_KEY',
        'photo.jpg',
        'a\0b0',
        'key with blanks',
        'é000',
        'x'.repeat(65),
      ]
      for (const key of names) {
        await expect(storage.adopt(key, await sealedFile(Buffer.from('x'))), key).rejects.toThrow('not a storage key')
        await expect(storage.open(key), key).rejects.toThrow('not a storage key')
        await expect(storage.remove(key), key).rejects.toThrow('not a storage key')
      }
      expect(await listed(storage)).toEqual([])
    })

    it('says that it works, to many askers at once', async () => {
      const { storage } = await opened()
      await Promise.all(Array.from({ length: 20 }, () => storage.check()))
      expect(await listed(storage)).toEqual([])
    })
  })
}
