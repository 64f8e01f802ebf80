import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { inspect } from 'node:util'
import { describe, expect, it } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import type { Clock } from '../../src/clock.ts'
import { NotFound, Unavailable } from '../../src/errors.ts'
import type { Fault } from './fakeS3.ts'
import { credentials, isPut, started } from './started.ts'

const passing: Fault[] = [
  { status: 503, code: 'SlowDown' },
  { status: 500, code: 'InternalError' },
  { status: 429, code: 'TooManyRequests' },
  { status: 409, code: 'ConditionalRequestConflict' },
  { status: 400, code: 'RequestTimeout' },
  { status: 403, code: 'RequestTimeTooSkewed' },
  'page',
  'refused',
  'silent',
  'deaf',
  'lost',
  'lostAndSilent',
  'changed',
]
const told = (fault: Fault) => (typeof fault === 'string' ? fault : `${fault.status} ${fault.code}`)
const cases = passing.map((fault) => [told(fault), fault] as const)

describe('a small file', () => {
  it('is one request', async () => {
    const { store, adopt } = await started()
    const { key } = await adopt()
    expect(store.requests).toEqual([`PUT clipgate/${key}.sealed`])
  })

  it.each(cases)('is put again after: %s', async (_, fault) => {
    const { store, adopt, read } = await started()
    store.fail(isPut, fault, 2)
    const { key, file, bytes } = await adopt()
    await expect(stat(file.path)).rejects.toThrow('ENOENT')
    expect((await read(key)).equals(bytes)).toBe(true)
  })

  it.each(cases)('is put again by a store without conditional writes after: %s', async (_, fault) => {
    const { store, adopt, read } = await started({ conditional: false, sha256: false })
    store.fail(isPut, fault, 2)
    const { key, bytes } = await adopt(randomBytes(200_000))
    expect((await read(key)).equals(bytes)).toBe(true)
  })

  it.each(cases)('is not acknowledged, and stays in the spool, when it goes on: %s', async (_, fault) => {
    const { store, storage, sealedFile } = await started({}, { times: { budgetMs: 1500 } })
    store.fail(isPut, fault, 1000)
    const [key, file] = [newAttachmentId(), await sealedFile(randomBytes(200_000))]
    // Whether it arrived is not known of some; then it is an object without a record, which the sweep removes.
    await expect(storage.adopt(key, file)).rejects.toThrow(Unavailable)
    expect((await stat(file.path)).size).toBe(200_000)
    expect(store.requests.length).toBeLessThanOrEqual(11)
  })

  it.each([
    [403, 'AccessDenied'],
    [404, 'NoSuchBucket'],
    [400, 'InvalidArgument'],
    [507, 'InsufficientStorage'],
  ])('that the store refuses with %i %s is not acknowledged, and the error tells no secret', async (status, code) => {
    const { store, storage, sealedFile } = await started()
    store.fail(isPut, { status, code }, 1000)
    const error = await storage
      .adopt(newAttachmentId(), await sealedFile(Buffer.from('x')))
      .catch((one: unknown) => one)
    expect(error).toBeInstanceOf(Unavailable)
    expect((error as Unavailable).cause).toMatchObject({ code })
    const whole = inspect(error, { depth: 20, showHidden: true })
    expect(whole).not.toContain(credentials.secretAccessKey)
    expect(whole).not.toMatch(/signature|authorization/i)
    if (status < 500) expect(store.requests).toHaveLength(1)
  })

  it('that finds another under its key is not acknowledged', async () => {
    const { store, storage, adopt, sealedFile, read } = await started()
    const { key, bytes } = await adopt()
    const second = await sealedFile(randomBytes(bytes.length))
    await expect(storage.adopt(key, second)).rejects.toThrow(Unavailable)
    expect((await read(key)).equals(bytes)).toBe(true)
    expect((await stat(second.path)).size).toBe(bytes.length)
    expect(store.requests.filter((line) => line.startsWith('PUT'))).toHaveLength(2)
  })

  it('is tried within one time for all attempts, the pauses growing', async () => {
    const waits: number[] = []
    let time = Date.parse('2026-10-02T09:10:00.000Z')
    const clock: Clock = {
      now: () => new Date(time),
      wait: async (ms) => {
        waits.push(ms)
        time += ms
      },
    }
    const { store, storage, sealedFile } = await started({}, { clock, times: { budgetMs: 5000 } })
    store.fail(isPut, { status: 503, code: 'SlowDown' }, 1000)
    await expect(storage.adopt(newAttachmentId(), await sealedFile(Buffer.from('x')))).rejects.toThrow(Unavailable)
    expect(store.requests).toHaveLength(waits.length + 1)
    expect(waits.length).toBeGreaterThanOrEqual(4)
    expect(waits.reduce((sum, ms) => sum + ms, 0)).toBeLessThan(5001)
    expect(waits.every((ms, at) => ms >= 100 * 2 ** at && ms <= 200 * 2 ** at)).toBe(true)
  })

  it('is not acknowledged by a server that answers everything with 200', async () => {
    const { store, storage, sealedFile } = await started({}, { times: { budgetMs: 1000 } })
    store.fail(isPut, { status: 200, code: 'x' }, 1000)
    await expect(storage.adopt(newAttachmentId(), await sealedFile(Buffer.from('x')))).rejects.toThrow(Unavailable)
  })
})

describe('a large file', () => {
  const large = () => randomBytes(256 * 1024 * 5 + 17)
  const isPart = ({ query }: { query: URLSearchParams }) => query.has('partNumber')
  const isCreate = ({ method, query }: { method: string; query: URLSearchParams }) =>
    method === 'POST' && query.has('uploads')
  const isComplete = ({ method, query }: { method: string; query: URLSearchParams }) =>
    method === 'POST' && query.has('uploadId')
  const isAbort = ({ method, query }: { method: string; query: URLSearchParams }) =>
    method === 'DELETE' && query.has('uploadId')

  it('goes up in parts, and is looked at once before it is acknowledged', async () => {
    const { store, adopt, read } = await started()
    const { key, bytes } = await adopt(large())
    const count = (start: string) => store.requests.filter((line) => line.startsWith(start)).length
    expect([count('POST'), count('PUT'), count('HEAD')]).toEqual([2, 6, 1])
    expect(store.coming.most).toBeLessThanOrEqual(3)
    expect((await read(key)).equals(bytes)).toBe(true)
    expect(store.uploads.size).toBe(0)
  })

  const refused = ['403 AccessDenied', { status: 403, code: 'AccessDenied' }] as const
  /** What is lost the first time has been done, and is found then; only parts have bytes to change. */
  const lasting = cases.filter(([name]) => !name.startsWith('lost') && name !== 'changed')

  for (const [what, which] of Object.entries({ begins: isCreate, 'sends a part': isPart, ends: isComplete })) {
    it.each(cases)(`is whole when it ${what} and meets: %s`, async (_, fault) => {
      const { store, adopt, read } = await started()
      store.fail(which, fault, 2)
      const { key, bytes } = await adopt(large())
      expect((await read(key)).equals(bytes)).toBe(true)
      expect(store.objects.size).toBe(1)
    })

    it.each([...(which === isPart ? cases : lasting), refused])(
      `is not acknowledged, nothing of it is left, when it ${what} and goes on to meet: %s`,
      async (_, fault) => {
        const { store, storage, sealedFile } = await started({}, { times: { budgetMs: 1200 } })
        store.fail(which, fault, 1000)
        const [key, file] = [newAttachmentId(), await sealedFile(large())]
        await expect(storage.adopt(key, file)).rejects.toThrow(Unavailable)
        expect([store.uploads.size, store.objects.size]).toEqual([0, 0])
        await expect(storage.open(key)).rejects.toThrow(NotFound)
        expect((await stat(file.path)).size).toBe(file.sealedSize)
      },
    )
  }

  it('that the store could not put together, as it says with a 200, is put together again', async () => {
    const { store, adopt, read } = await started()
    store.fail(isComplete, { status: 200, code: 'InternalError' }, 2)
    const { key, bytes } = await adopt(large())
    expect((await read(key)).equals(bytes)).toBe(true)
  })

  it('that could not be given up either is given up by the sweep once it is a day old', async () => {
    const { store, storage, sealedFile } = await started({}, { times: { budgetMs: 500, checkMs: 500 } })
    store.fail(isPart, { status: 403, code: 'AccessDenied' }, 1000)
    store.fail(isAbort, { status: 503, code: 'SlowDown' }, 1000)
    await expect(storage.adopt(newAttachmentId(), await sealedFile(large()))).rejects.toThrow(Unavailable)
    expect(store.uploads.size).toBe(1)
    store.mend()
    await storage.removeUnfinished(new Date(Date.now() - 1000))
    expect(store.uploads.size).toBe(1)
    await storage.removeUnfinished(new Date(Date.now() + 1000))
    expect(store.uploads.size).toBe(0)
  })

  it('unfinished ones are given up page by page', async () => {
    const { store, storage } = await started({ pageSize: 3 })
    for (let i = 0; i < 10; i++)
      store.uploads.set(`id-${i}`, {
        key: `clipgate/${newAttachmentId()}.sealed`,
        upload: '',
        at: new Date(0),
        parts: new Map(),
      })
    store.uploads.set('id-theirs', { key: 'clipgate/theirs', upload: '', at: new Date(0), parts: new Map() })
    await storage.removeUnfinished(new Date())
    expect([...store.uploads.keys()]).toEqual(['id-theirs'])
  })

  it('that is shorter on the disk than it was is not acknowledged', async () => {
    const { store, storage, sealedFile } = await started()
    const file = await sealedFile(large())
    await expect(storage.adopt(newAttachmentId(), { ...file, sealedSize: file.sealedSize + 1 })).rejects.toThrow(
      Unavailable,
    )
    expect([store.uploads.size, store.objects.size]).toEqual([0, 0])
  })
})
