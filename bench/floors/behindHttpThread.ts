import { createHash, type Hash, randomBytes } from 'node:crypto'
import { openSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { newAttachmentId } from '../../src/attachment.ts'
import { dataKeyBytes } from '../../src/seal/format.ts'
import { sealChunk } from './chunks.ts'
import { settleFile, writeAll } from './durably.ts'
import type { BodyDone, BodyOrder, BodyReport } from './job.ts'

/** Hashes, seals and writes each chunk as it came, and waits for the disk itself: handing that on costs more. */

interface Body {
  id: string
  spooled: string
  file: number
  dataKey: Buffer
  digest: Hash
  lengths: number[]
}

const folder = workerData as string
const bodies = new Map<number, Body>()
/** One order: a chunk more than what is sent at once, and their tags. */
const scratch = Buffer.alloc(1024 * 1024)

parentPort!.on('message', (orders: BodyOrder[]) => {
  const reports: BodyReport[] = []
  for (const { body, chunks, last } of orders) {
    const one = bodies.get(body) ?? begin(body)
    write(one, chunks)
    if (last) bodies.delete(body)
    reports.push(
      last ? { body, done: settle(one) } : { body, taken: chunks.reduce((sum, { length }) => sum + length, 0) },
    )
  }
  parentPort!.postMessage(reports)
})

function begin(body: number): Body {
  const id = newAttachmentId()
  const spooled = join(folder, 'spool', id)
  const file = openSync(spooled, 'wx', 0o600)
  const one = { id, spooled, file, dataKey: randomBytes(dataKeyBytes), digest: createHash('sha256'), lengths: [] }
  bodies.set(body, one)
  return one
}

function write({ file, dataKey, digest, lengths }: Body, chunks: Uint8Array[]): void {
  let sealed = 0
  for (const chunk of chunks) {
    digest.update(chunk)
    sealed += sealChunk(chunk, dataKey, lengths.length, scratch.subarray(sealed))
    lengths.push(chunk.length)
  }
  writeAll(file, scratch.subarray(0, sealed))
}

function settle({ id, spooled, file, dataKey, digest, lengths }: Body): BodyDone {
  const path = settleFile(folder, file, spooled, id)
  return { path, dataKey: dataKey.toString('hex'), lengths, sha256: digest.digest('hex') }
}
