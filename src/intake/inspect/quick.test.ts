import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gif, jpeg, jpegOfSize, pdf, png } from '../../../tests/fixtures/files.ts'
import { zip } from '../../../tests/fixtures/rawZips.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { newAttachmentId } from '../../attachment.ts'
import { openSpool } from '../spool/spool.ts'
import { defaultLimits, quickBytes } from './limits.ts'
import { examineQuickly } from './quick.ts'
import { bufferSource } from './source.ts'

const strictness = { limits: defaultLimits, trailingData: 'refuse' as const }

async function spooled(bytes: Buffer, asked: string, chunk = 40_000) {
  const spool = await openSpool(join(await temporaryFolder(), 'spool'), 1)
  onTestFinished(() => spool.close())
  const pieces = Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, i) =>
    bytes.subarray(i * chunk, (i + 1) * chunk),
  )
  const options = { id: newAttachmentId(), dataKey: randomBytes(32), maxBytes: 1e9, inspection: { asked, strictness } }
  const file = await spool.spool(pieces, options)
  if (file.tooLarge) throw new Error('it is not')
  return file
}

describe('a small file is read as it comes', () => {
  it.each([
    ['a JPEG', () => jpeg()],
    ['a JPEG in several pieces', () => jpegOfSize(400_000)],
    ['a JPEG as large as it may be', () => jpegOfSize(quickBytes)],
    ['a PNG', () => png()],
    ['a GIF', () => gif()],
    ['a PDF', () => pdf()],
  ])('%s', async (_, make) => {
    const { bytes, type } = await make()
    expect((await spooled(bytes, type)).examined).toMatchObject({ type, end: bytes.length })
  })
})

describe('what does not come to a good end is left to the inspection’s own threads', () => {
  it.each([
    ['a larger one', async () => (await jpegOfSize(quickBytes + 1)).bytes, 'image/jpeg'],
    ['one of another type', async () => (await png()).bytes, 'image/jpeg'],
    ['a broken one', async () => (await png()).bytes.subarray(0, 500), 'image/png'],
    ['one with something behind it', async () => Buffer.concat([(await png()).bytes, Buffer.from('x')]), 'image/png'],
  ])('%s', async (_, make, asked) => {
    const bytes = await make()
    const file = await spooled(bytes, asked)
    expect([file.examined, file.size]).toEqual([null, bytes.length])
  })

  it('one that asks for more than a moment, although the policy lets it', async () => {
    const many = zip(Array.from({ length: 101 }, (_, i) => ({ name: `${i}.txt`, bytes: 'x' })))
    const inspection = { asked: 'application/zip', strictness }
    expect(await examineQuickly(bufferSource(many), inspection)).toBeNull()
    const few = zip([{ name: 'a.txt', bytes: 'x' }])
    expect(await examineQuickly(bufferSource(few), inspection)).toMatchObject({ type: 'application/zip' })
  })
})
