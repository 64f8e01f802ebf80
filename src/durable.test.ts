import { mkdir, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../tests/folder.ts'
import { makeFolder, syncFolder } from './durable.ts'

describe('a folder of ours', () => {
  it('is made with those above it, for our own user only', async () => {
    const folder = await temporaryFolder()
    await makeFolder(join(folder, 'a', 'b', 'c'))
    for (const made of ['a', 'a/b', 'a/b/c']) expect((await stat(join(folder, made))).mode & 0o777).toBe(0o700)
  })

  it('that is there is left as it is', async () => {
    const folder = join(await temporaryFolder(), 'ours')
    await mkdir(folder, { mode: 0o750 })
    await makeFolder(folder)
    expect((await stat(folder)).mode & 0o777).toBe(0o750)
  })

  it('cannot be made under a file, nor synced when it is none', async () => {
    const folder = await temporaryFolder()
    await expect(makeFolder('/dev/null/ours')).rejects.toThrow()
    await expect(syncFolder(join(folder, 'none'))).rejects.toThrow('ENOENT')
    await expect(syncFolder('/dev/null')).rejects.toThrow('ENOTDIR')
  })
})
