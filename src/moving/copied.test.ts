import { createReadStream } from 'node:fs'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../tests/folder.ts'
import { writeWhole } from './copied.ts'

describe('writing a file whole', () => {
  it('gives it its name when all of it is there', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'whole')
    expect(await writeWhole(path, () => Readable.from([Buffer.from('ab'), Buffer.from('c')]))).toEqual({
      bytes: 3,
      sha256: 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad',
    })
    expect(await readFile(path, 'utf8')).toBe('abc')
    expect(await readdir(folder)).toEqual(['whole'])
  })

  it('fails, and leaves nothing, when its source is not there or breaks off', async () => {
    const folder = await temporaryFolder()
    const path = join(folder, 'whole')
    const missing = () => createReadStream(join(folder, 'missing'))
    await expect(writeWhole(path, missing)).rejects.toMatchObject({ code: 'ENOENT' })
    const broken = async function* () {
      yield Buffer.from('ab')
      throw new Error('broken off')
    }
    await expect(writeWhole(path, broken)).rejects.toThrow('broken off')
    expect(await readdir(folder)).toEqual([])
  })

  it('asks for no bytes that nobody would read: a stream that failed unread would end the process', async () => {
    const folder = await temporaryFolder()
    let asked = false
    const source = () => {
      asked = true
      return createReadStream(join(folder, 'missing'))
    }
    await expect(writeWhole(join(folder, 'none', 'whole'), source)).rejects.toMatchObject({ code: 'ENOENT' })
    expect(asked).toBe(false)
  })
})
