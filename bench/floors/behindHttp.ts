import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { gathered } from '../../src/thread.ts'
import { bundled } from '../places.ts'
import type { BodyDone, BodyOrder, BodyReport } from './job.ts'

/**
 * The least that a Node server does to keep what it is sent hashed, sealed and durable: node behindHttp.js FOLDER. It keeps
 * the whole body, so it reads no form. What comes from the socket goes to a thread as it came, without a copy.
 */

/** Each waits for the disk: two a processor were slower, eight no faster. */
const threadsEach = 4
const sentAtOnce = 256 * 1024
const mostOnTheWay = 1024 * 1024

const [folder] = process.argv.slice(2) as [string]
for (const shard of '0123456789abcdefghjkmnpqrstvwxyz') mkdirSync(join(folder, 'objects', shard), { recursive: true })
mkdirSync(join(folder, 'spool'))

const reported = new Map<number, (report: BodyReport) => void>()
const threads = Array.from({ length: threadsEach * availableParallelism() }, () => {
  const worker = new Worker(bundled('behindHttpThread.js'), { workerData: folder })
  worker.on('message', (reports: BodyReport[]) => {
    for (const report of reports) reported.get(report.body)!(report)
  })
  const { put } = gathered((orders: BodyOrder[]) =>
    worker.postMessage(
      orders,
      orders.flatMap(({ chunks }) => chunks.map(({ buffer }) => buffer)),
    ),
  )
  return { bodies: 0, put }
})
let nextBody = 0

function keep(request: IncomingMessage): Promise<BodyDone> {
  const body = nextBody++
  const thread = threads.reduce((least, one) => (one.bodies < least.bodies ? one : least))
  thread.bodies++
  let chunks: Uint8Array<ArrayBuffer>[] = []
  let bytes = 0
  let onTheWay = 0
  const send = (last: boolean) => {
    thread.put({ body, chunks, last })
    onTheWay += bytes
    chunks = []
    bytes = 0
    if (onTheWay > mostOnTheWay) request.pause()
  }
  request.on('data', (chunk: Buffer<ArrayBuffer>) => {
    // What shares its memory with others cannot be given away.
    chunks.push(chunk.length === chunk.buffer.byteLength ? chunk : new Uint8Array(chunk))
    bytes += chunk.length
    if (bytes >= sentAtOnce) send(false)
  })
  request.on('end', () => send(true))
  return new Promise((resolve) => {
    reported.set(body, (report) => {
      if ('taken' in report) {
        onTheWay -= report.taken
        if (onTheWay <= mostOnTheWay / 2) request.resume()
        return
      }
      thread.bodies--
      reported.delete(body)
      resolve(report.done)
    })
  })
}

const server = createServer(async (request, response) => {
  response.end(JSON.stringify(await keep(request)))
}).listen(0, '127.0.0.1')
await once(server, 'listening')
process.on('disconnect', () => process.exit())
process.send!({ port: (server.address() as AddressInfo).port })
