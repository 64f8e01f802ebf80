import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { answerWith } from '../child.ts'
import type { Load } from '../load/job.ts'
import { bundled } from '../places.ts'
import { percentile } from '../stats.ts'
import type { Floor, ThreadDone, ThreadStart } from './job.ts'

/** As many threads as files at once, each of which keeps one after the other: node floor.js FLOOR TEMPLATES SIZE FOLDER COUNT */

const [floor, templates, size, folder, count] = process.argv.slice(2) as [Floor, string, string, string, string]
for (const shard of '0123456789abcdefghjkmnpqrstvwxyz') mkdirSync(join(folder, 'objects', shard), { recursive: true })
const threads = Array.from(
  { length: Number(count) },
  (_, index) =>
    new Worker(bundled('floorThread.js'), {
      workerData: { floor, templates, size: Number(size), folder, index } satisfies ThreadStart,
    }),
)
await Promise.all(threads.map((thread) => answerOf(thread)))

answerWith({}, async (seconds: number): Promise<Load> => {
  const start = performance.now()
  for (const thread of threads) thread.postMessage(seconds)
  const done = (await Promise.all(threads.map((thread) => answerOf(thread)))) as ThreadDone[]
  const times = done.flatMap((one) => one.times).sort((a, b) => a - b)
  return {
    files: times.length,
    bytes: times.length * Number(size),
    seconds: (performance.now() - start) / 1000,
    p50Ms: percentile(times, 50),
    p99Ms: percentile(times, 99),
    loadCpuSeconds: 0,
    samples: done
      .slice(0, 2)
      .map(({ last }) => ({ ending: last.ending, mark: last.mark, body: JSON.stringify(last), location: null })),
  }
})

async function answerOf(thread: Worker): Promise<unknown> {
  const [answer] = await once(thread, 'message')
  return answer
}
