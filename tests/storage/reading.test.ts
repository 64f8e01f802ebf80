import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { NotFound, Unavailable } from '../../src/errors.ts'
import { manualClock } from '../genesys/clock.ts'
import { isDelete, isGet, isPut, started } from './started.ts'

describe('a file that is read', () => {
  it.each(['cut', 'stalled'] as const)('and whose bytes are %s ends in an error, never short', async (fault) => {
    const { store, storage, adopt } = await started()
    const { key, bytes } = await adopt(randomBytes(200_000))
    for (const range of [undefined, { start: 10, end: 150_000 }]) {
      store.fail(isGet, fault)
      let came = 0
      await expect(async () => {
        for await (const chunk of await storage.open(key, range)) came += chunk.length
      }).rejects.toThrow(Unavailable)
      expect(came).toBeLessThan(bytes.length)
    }
  })

  it.each([{ status: 503, code: 'SlowDown' }, 'page', 'refused', 'silent'] as const)(
    'is asked for again after: %o',
    async (fault) => {
      const { store, adopt, read } = await started()
      const { key, bytes } = await adopt()
      store.fail(isGet, fault, 2)
      expect((await read(key)).equals(bytes)).toBe(true)
    },
  )

  it('of which another part comes than was asked for is an error', async () => {
    const { store, adopt, read } = await started({}, { times: { budgetMs: 500 } })
    const { key } = await adopt()
    store.fail(isGet, 'whole', 1000)
    await expect(read(key, { start: 10, end: 20 })).rejects.toThrow(Unavailable)
  })

  it('from beyond its end has nothing', async () => {
    const { adopt, read } = await started()
    const { key, bytes } = await adopt()
    expect(await read(key, { start: bytes.length, end: bytes.length + 5 })).toHaveLength(0)
  })

  it.each([
    [404, 'NoSuchBucket'],
    [403, 'AccessDenied'],
    [404, 'Unknown'],
  ])('%i %s does not mean that it is not there', async (status, code) => {
    const { store, storage, adopt } = await started()
    const { key } = await adopt()
    store.fail(isGet, { status, code })
    const error = await storage.open(key).catch((one: unknown) => one)
    expect(error).toBeInstanceOf(Unavailable)
    expect((error as Unavailable).cause).toMatchObject({ code })
  })

  it('waits for a reader who takes longer than the store may', async () => {
    const { storage, adopt } = await started({}, { times: { idleMs: 50 } })
    const { key, bytes } = await adopt(randomBytes(8_000_000))
    let came = 0
    for await (const chunk of await storage.open(key)) {
      if (came === 0) await new Promise((resolve) => setTimeout(resolve, 150))
      came += chunk.length
    }
    expect(came).toBe(bytes.length)
  })

  it('may be left by its reader at any time, and the storage closes', async () => {
    const { storage, adopt } = await started()
    const { key } = await adopt(randomBytes(200_000))
    for await (const _ of await storage.open(key)) break
    await storage.close()
  })
})

describe('a file that is removed', () => {
  it.each([{ status: 500, code: 'InternalError' }, 'refused', 'silent', 'lost', 'lostAndSilent'] as const)(
    'is gone in spite of: %o',
    async (fault) => {
      const { store, storage, adopt } = await started()
      const { key } = await adopt()
      store.fail(isDelete, fault, 2)
      expect(await storage.remove(key)).toBe('removed')
      expect(store.objects.size).toBe(0)
    },
  )

  it('and that the store does not let go is said so', async () => {
    const { store, storage, adopt } = await started()
    const { key } = await adopt()
    store.fail(isDelete, { status: 403, code: 'AccessDenied' })
    await expect(storage.remove(key)).rejects.toThrow(Unavailable)
  })

  it('is gone with its older versions where the store keeps such', async () => {
    const { store, storage, adopt } = await started({ versions: 'kept' })
    const { key } = await adopt()
    expect(await storage.remove(key)).toBe('removed')
    expect(store.keptKeys()).toEqual([])
    expect(await storage.remove(key)).toBe('removed')
    expect(await storage.remove(newAttachmentId())).toBe('removed')
  })

  it('is hidden where the store locks it, and it is told that the bytes stay', async () => {
    const { store, storage, adopt } = await started({ versions: 'locked' })
    const { key } = await adopt()
    for (let i = 0; i < 2; i++) {
      expect(await storage.remove(key)).toBe('kept')
      await expect(storage.open(key)).rejects.toThrow(NotFound)
    }
    expect(store.keptKeys()).toContain(`clipgate/${key}.sealed`)
  })
})

describe('the list', () => {
  it('goes through every page in spite of faults, and leaves out what is not ours', async () => {
    const { store, storage, adopt } = await started({ pageSize: 2 })
    const keys: string[] = []
    for (let i = 0; i < 7; i++) keys.push((await adopt()).key)
    for (const theirs of [
      'clipgate/notes',
      'clipgate/a/notes.sealed',
      `${keys[0]}.sealed`,
      `clipgate2/${keys[0]}.sealed`,
    ])
      store.objects.set(theirs, { bytes: Buffer.from('x'), upload: '', at: new Date() })
    store.fail(isGet, { status: 503, code: 'SlowDown' }, 2)
    const found: string[] = []
    for await (const { key } of storage.list()) found.push(key)
    expect(found.sort()).toEqual(keys.sort())
  })

  it('that cannot be had to its end is an error', async () => {
    const { store, storage, adopt } = await started({ pageSize: 2 })
    for (let i = 0; i < 5; i++) await adopt()
    store.fail(({ query }) => query.has('continuation-token'), { status: 403, code: 'AccessDenied' })
    await expect(async () => {
      for await (const _ of storage.list());
    }).rejects.toThrow(Unavailable)
  })
})

describe('whether it can be written', () => {
  it('is asked of the store once a minute, and not at all while files come', async () => {
    const clock = manualClock()
    const { store, storage, adopt } = await started({}, { clock })
    const asked = async () => {
      store.requests.splice(0)
      await Promise.all(Array.from({ length: 5 }, () => storage.check()))
      return store.requests
    }
    expect(await asked()).toEqual([])
    clock.jump(60_000)
    expect(await asked()).toEqual(['PUT clipgate/.probe', 'DELETE clipgate/.probe'])
    clock.jump(59_000)
    await adopt()
    clock.jump(59_000)
    expect(await asked()).toEqual([])
    expect(store.objects.size).toBe(1)
  })

  it('is asked at once after a file could not be kept', async () => {
    const { store, storage, sealedFile } = await started()
    const refused = { status: 403, code: 'AccessDenied' }
    store.fail(isPut, refused, 2)
    await expect(storage.adopt(newAttachmentId(), await sealedFile(Buffer.from('x')))).rejects.toThrow(Unavailable)
    await expect(storage.check()).rejects.toMatchObject({ cause: { code: 'AccessDenied' } })
    await storage.check()
  })

  it('leaves no older version behind each time where the store keeps such', async () => {
    const clock = manualClock()
    const { store, storage } = await started({ versions: 'locked' }, { clock })
    const before = store.keptKeys().length
    clock.jump(60_000)
    await storage.check()
    expect([store.keptKeys().length, store.uploads.size, store.objects.size]).toEqual([before, 0, 0])
  })

  it('is no when the spool is gone or the store is away, and yes again when it is back', async () => {
    const { store, storage, spool } = await started()
    await rm(spool, { recursive: true })
    await expect(storage.check()).rejects.toThrow(Unavailable)
    expect(store.requests).toEqual([])
  })

  it('is no without the store, without an end of waiting', async () => {
    const clock = manualClock()
    const { store, storage } = await started({}, { clock, times: { checkMs: 50 } })
    clock.jump(60_000)
    await store.stop()
    await expect(storage.check()).rejects.toThrow(Unavailable)
  })
})

describe('whose a store is', () => {
  it.each([true, false])(
    'is the first installation that sweeps it, also after its key was changed',
    async (conditional) => {
      const { storage } = await started({ conditional })
      expect(await storage.isOwnedBy(['mk_1'])).toBe(true)
      expect(await storage.isOwnedBy(['mk_2'])).toBe(false)
      expect(await storage.isOwnedBy(['mk_3', 'mk_1'])).toBe(true)
      for await (const object of storage.list()) expect(object).toBeNull()
    },
  )

  it('is one of several that ask at once', async () => {
    const { storage } = await started()
    const answers = await Promise.all(['mk_1', 'mk_2', 'mk_3', 'mk_4'].map((id) => storage.isOwnedBy([id])))
    expect(answers.filter(Boolean)).toHaveLength(1)
  })

  it('is not guessed when it cannot be read', async () => {
    const { store, storage } = await started()
    store.fail(isGet, { status: 403, code: 'AccessDenied' })
    await expect(storage.isOwnedBy(['mk_1'])).rejects.toThrow(Unavailable)
  })
})

describe('what a store can do', () => {
  it.each([
    { conditional: true, sha256: true },
    { conditional: false, sha256: true },
    { conditional: true, sha256: false },
    { conditional: false, sha256: false },
  ])('is seen: %o', async (settings) => {
    const { store, storage, adopt } = await started(settings)
    expect(await storage.features()).toEqual({ ...settings, versioned: false, removed: 'removed' })
    await adopt()
    expect([...store.objects.keys()].filter((key) => key.includes('probe'))).toEqual([])
  })
})
