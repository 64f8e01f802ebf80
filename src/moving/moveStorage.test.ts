import { randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { newAttachmentId } from '../attachment.ts'
import { Unavailable } from '../errors.ts'
import type { StoredFile } from '../records/questions/stored.ts'
import { memoryStorage } from '../storage/memory.ts'
import { openJournal } from './journal.ts'
import { copyStored, settleStored } from './moveStorage.ts'

/** Files in one storage, and another whose first copies of each come out changed, so many times. */
async function moving(count: number, changedTimes: number) {
  const folder = await temporaryFolder()
  const source = memoryStorage(() => new Date())
  const memory = memoryStorage(() => new Date())
  const files: StoredFile[] = []
  for (let i = 0; i < count; i++) {
    const path = join(folder, 'sealed')
    await writeFile(path, randomBytes(200_000))
    const id = newAttachmentId()
    await source.adopt(id, { path, sealedSize: 200_000 })
    files.push({ id, receivedAt: new Date(1000 - i), size: 200_000 })
  }
  let left = changedTimes
  const target: typeof memory = {
    ...memory,
    async adopt(key, file) {
      await memory.adopt(key, file)
      if (left-- > 0) memory.bytes(key)[150_000]! ^= 1
    },
  }
  const journal = await openJournal(join(folder, 'journal'))
  const progress = { begin() {}, step() {}, end() {} }
  const records = {
    storedPage: async () => files,
    storedCount: async () => files.length,
    storedAmong: async (ids: string[]) => ids.filter((id) => files.some((file) => file.id === id)),
  }
  return { parts: { source, target, records, journal, folder, progress }, files, source, target, journal, folder }
}

describe('an object that is changed on its way', () => {
  it('is found, taken away, and copied again', async () => {
    const { parts, files, source, target } = await moving(3, 2)
    expect(await copyStored(parts)).toEqual({ copied: 3, missing: [] })
    for (const { id } of files) expect(target.bytes(id).equals(source.bytes(id))).toBe(true)
    expect(await settleStored(parts, [])).toBe(3)
  })

  it('each time is told, and is not left there', async () => {
    const { parts, target } = await moving(1, 10)
    await expect(copyStored(parts)).rejects.toThrow(Unavailable)
    expect(target.keys()).toEqual([])
  })
})

describe('a move that goes on', () => {
  it('copies nothing twice, and misses what went from the target', async () => {
    const { parts, files, target, folder } = await moving(3, 0)
    await copyStored(parts)
    await parts.journal.close()
    const journal = await openJournal(join(folder, 'journal'))
    await target.remove(files[1]!.id)
    await expect(settleStored({ ...parts, journal }, [])).rejects.toThrow('run this again')
    expect(await copyStored({ ...parts, journal })).toEqual({ copied: 1, missing: [] })
    expect(await settleStored({ ...parts, journal }, [])).toBe(3)
  })

  it('is not misled by half a line of a process that died', async () => {
    const { folder } = await moving(0, 0)
    const path = join(folder, 'half')
    await writeFile(path, '{"key":"att_00000000000000000000000000","bytes":1,"sha256":"x"}\n{"key":"att_1111')
    const journal = await openJournal(path)
    await journal.add({ key: 'att_22222222222222222222222222', bytes: 1, sha256: 'y' })
    await journal.close()
    const again = await openJournal(path)
    expect(['0', '1', '2'].map((digit) => again.has(`att_${digit.repeat(26)}`))).toEqual([true, false, true])
    await again.close()
  })
})
