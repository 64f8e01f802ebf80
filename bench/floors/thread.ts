import { createHash, randomBytes } from 'node:crypto'
import { mkdirSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { newAttachmentId } from '../../src/attachment.ts'
import { dataKeyBytes, sealedSegmentBytes, segmentBytes } from '../../src/seal/format.ts'
import { sealer } from '../../src/seal/seal.ts'
import { marks, readTemplates } from '../templates.ts'
import { settleFile, writeAll } from './durably.ts'
import type { Kept, ThreadDone, ThreadStart } from './job.ts'

/** One file after the other, as the product keeps them: written beside, synced, renamed into a folder, which is synced. */

const { floor, templates, size, folder, index } = workerData as ThreadStart
const kinds = await readTemplates(templates, size)
// One kind a thread: each has its own copy, in which the mark changes.
const template = kinds[index % kinds.length]!
const nextMark = marks()
const scratch = Buffer.alloc(sealedSegmentBytes)
mkdirSync(join(folder, 'spool'), { recursive: true })

parentPort!.on('message', (seconds: number) => {
  const times: number[] = []
  const start = performance.now()
  let last: Kept
  do {
    const from = performance.now()
    last = keepOne()
    times.push(performance.now() - from)
  } while (performance.now() - start < seconds * 1000)
  parentPort!.postMessage({ times, last } satisfies ThreadDone)
})
parentPort!.postMessage('ready')

function keepOne(): Kept {
  const mark = nextMark()
  template.bytes.write(mark, template.markAt, 'latin1')
  const id = newAttachmentId()
  const spooled = join(folder, 'spool', id)
  const file = openSync(spooled, 'wx', 0o600)
  const sealed = floor === 'work' ? sealInto(file, id) : null
  if (!sealed) writeAll(file, template.bytes)
  return { ending: template.ending, mark, path: settleFile(folder, file, spooled, id), sealed }
}

function sealInto(file: number, id: string): Kept['sealed'] {
  const { bytes } = template
  const dataKey = randomBytes(dataKeyBytes)
  const seal = sealer(dataKey, id)
  const digest = createHash('sha256')
  writeAll(file, seal.header)
  for (let at = 0; at < bytes.length; at += segmentBytes) {
    const segment = bytes.subarray(at, at + segmentBytes)
    digest.update(segment)
    writeAll(file, scratch.subarray(0, seal.segment(segment, at + segmentBytes >= bytes.length, scratch)))
  }
  return { id, dataKey: dataKey.toString('hex'), sha256: digest.digest('hex') }
}
