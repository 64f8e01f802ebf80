import { createHash, randomBytes } from 'node:crypto'
import { mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { gif, jpeg, pdf, png, text } from '../../../tests/fixtures/files.ts'
import { temporaryFolder } from '../../../tests/folder.ts'
import { newAttachmentId } from '../../attachment.ts'
import { SenderGone, Unavailable } from '../../errors.ts'
import { sealedSize } from '../../seal/format.ts'
import { openSpool, type WholeFile } from './spool.ts'

async function opened() {
  const dir = join(await temporaryFolder(), 'spool')
  const spool = await openSpool(dir, 2)
  onTestFinished(() => spool.close())
  const take = (bytes: AsyncIterable<Uint8Array>, maxBytes = 1 << 30) =>
    spool.spool(bytes, { id: newAttachmentId(), dataKey: randomBytes(32), maxBytes, inspection: null })
  const takeWhole = async (bytes: Uint8Array, chunk = 64 * 1024): Promise<WholeFile> => {
    const file = await take(chunks(bytes, chunk))
    if (file.tooLarge) throw new Error('it was cut')
    return file
  }
  return { dir, spool, take, takeWhole }
}

async function* chunks(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

async function readAll(bytes: AsyncIterable<Buffer>): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of bytes) pieces.push(Buffer.from(piece))
  return Buffer.concat(pieces)
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

describe('a file that is spooled', () => {
  it.each([
    ['a JPEG', () => jpeg('photo.jpg', 300)],
    ['a PNG', () => png('screen.png', 200)],
    ['a GIF', () => gif()],
    ['a PDF', () => pdf()],
    ['a text', () => Promise.resolve(text())],
    ['a text in UTF-16', () => Promise.resolve({ type: 'text/plain', bytes: Buffer.from('\ufeffGrüße', 'utf16le') })],
    [
      'a large text',
      () => Promise.resolve({ type: 'text/plain', bytes: Buffer.from('Grüße 今日は 😀\n'.repeat(20_000)) }),
    ],
    ['nothing that we know', () => Promise.resolve({ type: null, bytes: randomBytes(300_000).fill(0, 0, 16) })],
  ])('is known by its size, digest and true type: %s', async (_, make) => {
    const { takeWhole } = await opened()
    const { type, bytes } = await make()
    const file = await takeWhole(bytes, 10_007)
    expect({ type: file.type, size: file.size, sha256: file.sha256 }).toEqual({
      type,
      size: bytes.length,
      sha256: sha256(bytes),
    })
    expect((await readAll(file.open())).equals(bytes)).toBe(true)
  })

  it('is the same whether it comes byte by byte or all at once', async () => {
    const { takeWhole } = await opened()
    const { bytes } = await png('small.png', 20)
    const [one, other] = [await takeWhole(bytes, 1), await takeWhole(bytes, 1 << 20)]
    expect([one.sha256, one.type, one.sealedSize]).toEqual([other.sha256, other.type, other.sealedSize])
    expect((await readAll(one.open())).equals(bytes)).toBe(true)
  })

  it.each([0, 1, 65_535, 65_536, 65_537, 131_072, 1_000_000])(
    'of %i bytes has the sealed size that is told',
    async (size) => {
      const { takeWhole } = await opened()
      const file = await takeWhole(randomBytes(size), 4093)
      expect(file.size).toBe(size)
      expect((await stat(file.path)).size).toBe(file.sealedSize)
      expect(file.sealedSize).toBe(sealedSize(size))
      expect((await readAll(file.open())).length).toBe(size)
    },
  )

  it('is opened in any range, again and again', async () => {
    const { takeWhole } = await opened()
    const bytes = randomBytes(200_000)
    const file = await takeWhole(bytes)
    for (const [start, end] of [
      [0, 0],
      [65_530, 65_540],
      [199_999, 199_999],
    ] as const)
      expect((await readAll(file.open({ start, end }))).equals(bytes.subarray(start, end + 1))).toBe(true)
  })

  it('never lies on the disk in the clear, not even while it arrives', async () => {
    const { dir, take } = await opened()
    const marker = 'CUSTOMER PASSPORT NUMBER '
    let looked = 0
    const look = async () => {
      for (const name of await readdir(dir)) {
        expect((await stat(join(dir, name))).mode & 0o777).toBe(0o600)
        expect((await readFile(join(dir, name))).includes(marker)).toBe(false)
        looked++
      }
    }
    async function* watched() {
      for (let i = 0; i < 100; i++) {
        yield Buffer.from(marker.repeat(2000))
        await look()
      }
    }
    await take(watched())
    await look()
    expect(looked).toBeGreaterThan(10)
  })

  it('that is small is in memory until it is let go of, and on the disk all the while', async () => {
    const { takeWhole } = await opened()
    const bytes = randomBytes(100_000)
    const file = await takeWhole(bytes)
    const early = file.open()[Symbol.asyncIterator]()
    await rename(file.path, `${file.path}-away`)
    expect((await readAll(file.open())).equals(bytes)).toBe(true)
    const given = (await file.open()[Symbol.asyncIterator]().next()).value as Buffer
    file.letGo()
    // Its memory is another file's now.
    const other = randomBytes(100_000)
    await takeWhole(other)
    expect(given.equals(bytes)).toBe(true)
    await expect(early.next()).rejects.toThrow('ENOENT')
    await rename(`${file.path}-away`, file.path)
    expect((await readAll(file.open())).equals(bytes)).toBe(true)
  })

  it('is gone when it is discarded; discarding what the storage has taken is nothing', async () => {
    const { dir, takeWhole } = await opened()
    const file = await takeWhole(randomBytes(10))
    await file.discard()
    expect(await readdir(dir)).toEqual([])
    await file.discard()
  })

  it('beside forty others is not mixed up with them', async () => {
    const { dir, takeWhole } = await opened()
    const all = await Promise.all(
      Array.from({ length: 40 }, async (_, i) => {
        const bytes = randomBytes(1 + i * 9973)
        const file = await takeWhole(bytes, 1 + i * 331)
        expect(file.sha256).toBe(sha256(bytes))
        expect((await readAll(file.open())).equals(bytes)).toBe(true)
        return file
      }),
    )
    expect(await readdir(dir)).toHaveLength(40)
    await Promise.all(all.map((file) => file.discard()))
    expect(await readdir(dir)).toEqual([])
  })
})

describe('the limit', () => {
  it.each([1, 1000, 65_536, 200_000])('of %i bytes lets a file of that size in, and one below it', async (limit) => {
    const { take } = await opened()
    expect(await take(chunks(randomBytes(limit), 777), limit)).toMatchObject({ tooLarge: false, size: limit })
    expect(await take(chunks(randomBytes(limit - 1), 777), limit)).toMatchObject({ tooLarge: false, size: limit - 1 })
  })

  it.each([1, 1000, 65_536, 200_000])('of %i bytes cuts a file of one more, and keeps nothing of it', async (limit) => {
    const { dir, take } = await opened()
    for (const chunk of [1, 777, 1 << 20]) {
      if (limit / chunk > 100_000) continue
      const file = await take(chunks(randomBytes(limit + 1), chunk), limit)
      expect(file).toMatchObject({ tooLarge: true, size: null, sha256: null, type: null })
      await file.discard()
      expect(await readdir(dir)).toEqual([])
    }
  })

  it('stops an endless file soon after it is passed, and tells its source', async () => {
    const { take } = await opened()
    let read = 0
    let told = false
    async function* endless() {
      try {
        for (;;) {
          read += 16_384
          yield randomBytes(16_384)
        }
      } finally {
        told = true
      }
    }
    expect((await take(endless(), 100_000)).tooLarge).toBe(true)
    expect(read).toBeLessThanOrEqual(100_000 + 16_384)
    expect(told).toBe(true)
  })
})

describe('a failure leaves nothing in the spool', () => {
  it.each([0, 1, 65_536, 300_000, 9_000_000])(
    'when the source breaks after %i bytes, and what broke is told',
    async (size) => {
      const { dir, take } = await opened()
      async function* breaking() {
        yield* chunks(randomBytes(size), 50_000)
        throw new SenderGone('the sender went away')
      }
      await expect(take(breaking())).rejects.toThrow(SenderGone)
      expect(await readdir(dir)).toEqual([])
    },
  )

  it('when its folder is away: that is unavailable, and later files are taken', async () => {
    const { dir, take, takeWhole } = await opened()
    await rm(dir, { recursive: true })
    for (const size of [0, 10, 1_000_000])
      await expect(take(chunks(randomBytes(size), 65_536))).rejects.toThrow(Unavailable)
    await mkdir(dir)
    const bytes = randomBytes(300_000)
    expect((await takeWhole(bytes)).sha256).toBe(sha256(bytes))
  })

  it('when its folder goes while it arrives: nothing comes back, and it cannot be opened', async () => {
    const { dir, take } = await opened()
    async function* withoutFolder() {
      yield randomBytes(300_000)
      await rm(dir, { recursive: true })
      yield randomBytes(300_000)
      throw new SenderGone('the sender went away')
    }
    await expect(take(withoutFolder())).rejects.toThrow(SenderGone)
    await expect(readdir(dir)).rejects.toThrow('ENOENT')
  })

  it('when it is closed: files under way and later ones are unavailable', async () => {
    const { spool, take } = await opened()
    async function* closing() {
      yield randomBytes(100_000)
      await spool.close()
      yield* chunks(randomBytes(500_000), 50_000)
    }
    await expect(take(closing())).rejects.toThrow(Unavailable)
    await expect(take(chunks(randomBytes(10), 10))).rejects.toThrow(Unavailable)
  })

  it('when a process died before: its files go when the spool is opened again', async () => {
    const { dir } = await opened()
    await writeFile(join(dir, 'left by one that died'), 'x')
    const again = await openSpool(dir, 1)
    expect(await readdir(dir)).toEqual([])
    await again.close()
  })
})

it('what a slow sender sent first lies in the spool before the rest comes', async () => {
  const { dir, take } = await opened()
  async function* slow() {
    yield randomBytes(200_000)
    while ((await readdir(dir)).length === 0) await new Promise(setImmediate)
    yield randomBytes(10)
  }
  expect(await take(slow())).toMatchObject({ size: 200_010 })
})

describe('a sender that is faster than the disk', () => {
  it('waits: only a few pieces of a file are under way at a time', async () => {
    const { spool } = await opened()
    // Each file's segments travel two at a time, so memory does not follow the file's size.
    const before = process.memoryUsage().arrayBuffers
    let most = 0
    async function* large() {
      const piece = randomBytes(65_536)
      for (let i = 0; i < 800; i++) {
        yield piece
        most = Math.max(most, process.memoryUsage().arrayBuffers - before)
      }
    }
    await spool.spool(large(), { id: newAttachmentId(), dataKey: randomBytes(32), maxBytes: 1 << 30, inspection: null })
    expect(most).toBeLessThan(8 * 1024 * 1024)
  })
})
