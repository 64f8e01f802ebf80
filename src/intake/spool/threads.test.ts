import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { expect, it, onTestFinished } from 'vitest'
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

it('that dies of what it reads fails its files, and nothing more is read on the way', async () => {
  const path = join(await temporaryFolder(), 'thread.mjs')
  await writeFile(path, entry)
  const threads = createThreads(1, pathToFileURL(path).href)
  onTestFinished(() => threads.close())
  const inspection = { asked: 'image/png', strictness: { limits: defaultLimits, trailingData: 'refuse' as const } }
  const one = async () => {
    const pass = threads.begin({ path: '', attachmentId: '', dataKey: new Uint8Array(), inspection })
    pass.send(await pass.nextBuffer(), 1, true)
    return pass.result()
  }
  await expect(one()).rejects.toThrow(Unavailable)
  expect(await one()).toMatchObject({ size: 1, examined: null })
})
