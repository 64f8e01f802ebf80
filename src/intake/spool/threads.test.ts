import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { temporaryFolder } from '../../../tests/folder.ts'
import { Unavailable } from '../../errors.ts'
import { defaultLimits } from '../inspect/limits.ts'
import { createThreads } from './threads.ts'

/** Dies at a file that it is to read, and says of others that they were here. */
const entry = `
import { parentPort } from 'node:worker_threads'
parentPort.on('message', ([{ file, begin, buffer, last }]) => {
  if (begin?.inspection) throw new Error('a reader that stumbles')
  const result = last ? { size: 1, sealedSize: 1, sha256: '', type: null, examined: null } : undefined
  parentPort.postMessage([{ file, buffer, ...(result && { result }) }], [buffer])
})
`

/** Says this of the first file, and ends it only when the third comes. */
const slow = (of: 'nothing' | 'that it was read') => `
import { parentPort } from 'node:worker_threads'
const came = []
parentPort.on('message', (orders) => {
  for (const { file, buffer } of orders) {
    const result = { size: 1, sealedSize: 1, sha256: '', type: null, examined: null }
    came.push({ file, buffer, result })
    if (came.length > 1) parentPort.postMessage([came[came.length - 1]])
    else if (${of === 'that it was read'}) parentPort.postMessage([{ file, read: true }])
    if (came.length === 3) parentPort.postMessage([came[0]])
  }
})
`

const inspection = { asked: 'image/png', strictness: { limits: defaultLimits, trailingData: 'refuse' as const } }

async function threadsOf(code: string) {
  const path = join(await temporaryFolder(), 'thread.mjs')
  await writeFile(path, code)
  const threads = createThreads(1, pathToFileURL(path).href)
  onTestFinished(() => threads.close())
  return async () => {
    const pass = threads.begin({ path: '', attachmentId: '', dataKey: new Uint8Array(), inspection })
    pass.send(await pass.nextBuffer(), 1, true)
    return pass.result()
  }
}

it('that dies of what it reads fails its files, and nothing more is read on the way', async () => {
  const one = await threadsOf(entry)
  await expect(one()).rejects.toThrow(Unavailable)
  expect(await one()).toMatchObject({ size: 1, examined: null })
})

describe('a thread that has had a file for half a minute', () => {
  it.each([
    ['is ended with it while it reads', 'nothing', 'failed'],
    ['is left alone when it has read, and waits for the disk', 'that it was read', 'taken'],
  ] as const)('%s', async (_, says, outcome) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const one = await threadsOf(slow(says))
    const first = one().then(
      () => 'taken',
      () => 'failed',
    )
    // Messages come in order: what was said of the first has come.
    await one()
    vi.advanceTimersByTime(30_000)
    if (outcome === 'taken') await one()
    expect(await first).toBe(outcome)
  })
})
