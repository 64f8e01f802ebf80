import { randomBytes } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { temporaryFolder } from '../../../tests/folder.ts'
import { newAttachmentId } from '../../attachment.ts'
import { Damaged, Refused } from '../../errors.ts'
import { openSpool } from '../spool/spool.ts'
import { openSealedSource } from './sealedSource.ts'

async function sealed(size: number) {
  const spool = await openSpool(join(await temporaryFolder(), 'spool'), 1)
  onTestFinished(() => spool.close())
  const [id, dataKey, bytes] = [newAttachmentId(), randomBytes(32), randomBytes(size)]
  const file = await spool.spool([bytes], { id, dataKey, maxBytes: 1e9, inspection: null })
  if (file.tooLarge) throw new Error('it is not')
  const open = (changed: Partial<Parameters<typeof openSealedSource>[0]> = {}, opened?: (bytes: number) => void) => {
    const source = openSealedSource({ path: file.path, attachmentId: id, dataKey, size, ...changed }, opened)
    onTestFinished(() => source.close())
    return source
  }
  return { bytes, path: file.path, open }
}

it.each([0, 1, 65_535, 65_536, 65_537, 200_000])(
  'gives every byte of a sealed file of %d, wherever it is asked',
  async (size) => {
    const { bytes, open } = await sealed(size)
    const source = open()
    expect(source.size).toBe(size)
    expect(source.bytes(0, size).equals(bytes)).toBe(true)
    for (const [at, length] of [
      [0, 1],
      [65_530, 12],
      [size - 1, 1],
      [size, 0],
    ] as const)
      if (at >= 0 && at + length <= size)
        expect(source.bytes(at, length).equals(bytes.subarray(at, at + length))).toBe(true)
    expect(() => source.bytes(size, 1)).toThrow(Refused)
  },
)

it('opens a piece once while it is read in order', async () => {
  const { open } = await sealed(200_000)
  let opened = 0
  const source = open({}, (bytes) => {
    opened += bytes
  })
  for (let at = 0; at < 200_000; at += 1000) source.bytes(at, 1000)
  // A read that lies across a border opens both of its pieces, the first of them again.
  expect(opened).toBeLessThan(2 * 200_000 + 65_536)
})

it('gives nothing that is not proved: changed, cut, of another key, of another attachment', async () => {
  const { path, open } = await sealed(100_000)
  expect(() => open({ dataKey: randomBytes(32) }).bytes(0, 1)).toThrow(Damaged)
  expect(() => open({ attachmentId: newAttachmentId() }).bytes(0, 1)).toThrow(Damaged)
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, whole.length - 1))
  expect(() => open().bytes(99_999, 1)).toThrow(Damaged)
  const changed = Buffer.from(whole)
  changed[70_000]! ^= 1
  await writeFile(path, changed)
  const source = open()
  expect(source.bytes(0, 10)).toHaveLength(10)
  expect(() => source.bytes(70_000, 1)).toThrow(Damaged)
})
