import { createHash, randomBytes } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { temporaryFolder } from '../../../tests/folder.ts'
import { readPiece } from './piece.ts'

const chunk = 256 * 1024

async function fileOf(bytes: Buffer): Promise<string> {
  const path = join(await temporaryFolder(), 'sealed')
  await writeFile(path, bytes)
  return path
}

const digest = (name: string, bytes: Buffer) => createHash(name).update(bytes).digest('base64')

describe('a piece of a sealed file', () => {
  it.each([
    ['of one byte', 1],
    ['of a chunk', chunk],
    ['of more than a chunk', chunk + 1],
    ['of several chunks', 3 * chunk],
  ])('%s has its digests, and leaves as it is, as often as it is asked for', async (_what, length) => {
    const whole = randomBytes(length + 200)
    const bytes = whole.subarray(100, 100 + length)
    const piece = await readPiece(await fileOf(whole), 100, length, true)
    expect(piece).toMatchObject({ length, md5: digest('md5', bytes), sha256: digest('sha256', bytes) })
    for (let attempt = 0; attempt < 2; attempt++) {
      const body = piece.body(() => {})
      expect((Buffer.isBuffer(body) ? body : await buffer(body)).equals(bytes)).toBe(true)
    }
  })

  it('tells of each chunk that leaves, when there are several', async () => {
    const piece = await readPiece(await fileOf(randomBytes(3 * chunk)), 0, 3 * chunk, false)
    expect(piece.sha256).toBeNull()
    let told = 0
    const body = piece.body(() => told++)
    if (Buffer.isBuffer(body)) throw new Error('it is held whole')
    await buffer(body)
    expect(told).toBe(3)
  })

  it.each([[1000], [2 * chunk]])('that is cut short at %i bytes is not read as if it were whole', async (length) => {
    const path = await fileOf(randomBytes(length))
    await expect(readPiece(path, 0, length + 7, false)).rejects.toThrow('7 bytes of a sealed file are missing')
  })
})
