import { answerWith } from '../child.ts'
import { percentile } from '../stats.ts'
import { marks, readTemplates, type Template } from '../templates.ts'
import { openConnection } from './connection.ts'
import type { Job, Load, Sample } from './job.ts'
import { upload } from './request.ts'

/** The process that makes the load. It only sends what lies ready, so that it is not what is measured. */

const samplesKept = 2
const nextMark = marks()
const templates = new Map<number, Template[]>()
let turn = 0

answerWith({}, (job: Job) => (job.kind === 'upload' ? uploads(job) : reads(job)))

async function uploads({ target, templates: folder, size, atOnce, seconds, uploads: most }: Job & { kind: 'upload' }) {
  if (!templates.has(size)) templates.set(size, await readTemplates(folder, size))
  const kinds = templates.get(size)!
  const status = target.protocol === 'tus' ? 201 : 200
  const samples: Sample[] = []
  return loaded(target.url, atOnce, seconds, most, samples, async (connection) => {
    const template = kinds[turn++ % kinds.length]!
    const mark = nextMark()
    const answer = await connection.send(upload(target, template, mark, turn))
    if (answer.status !== status) throw new Error(`${target.url} answered ${answer.status}: ${answer.body}`)
    const { body, location } = answer
    if (samples.length < samplesKept) samples.push({ ending: template.ending, mark, body, location })
    return size
  })
}

async function reads({ url, paths, authorization, range, atOnce, seconds }: Job & { kind: 'read' }) {
  const { host } = new URL(url)
  const headers = `Host: ${host}\r\nAuthorization: ${authorization}\r\n${range ? `Range: bytes=${range.join('-')}\r\n` : ''}`
  return loaded(url, atOnce, seconds, undefined, [], async (connection) => {
    const path = paths[turn++ % paths.length]!
    const answer = await connection.send([`GET ${path} HTTP/1.1\r\n${headers}\r\n`])
    if (answer.status !== (range ? 206 : 200)) throw new Error(`${path} answered ${answer.status}: ${answer.body}`)
    if (range && answer.length !== range[1] - range[0] + 1) throw new Error(`${path} answered ${answer.length} bytes`)
    return answer.length
  })
}

type One = (connection: Awaited<ReturnType<typeof openConnection>>) => Promise<number>

/** `one` again and again on each of the connections. */
async function loaded(
  url: string,
  atOnce: number,
  seconds = Number.POSITIVE_INFINITY,
  most = Number.POSITIVE_INFINITY,
  samples: Sample[],
  one: One,
): Promise<Load> {
  const connections = await Promise.all(Array.from({ length: atOnce }, () => openConnection(url)))
  const times: number[] = []
  let bytes = 0
  let begun = 0
  const cpu = process.cpuUsage()
  const start = performance.now()
  try {
    await Promise.all(
      connections.map(async (connection) => {
        while (begun < most && performance.now() - start < seconds * 1000) {
          begun++
          const from = performance.now()
          const moved = await one(connection)
          bytes += moved
          times.push(performance.now() - from)
        }
      }),
    )
  } finally {
    for (const connection of connections) connection.close()
  }
  const end = performance.now()
  const { user, system } = process.cpuUsage(cpu)
  times.sort((a, b) => a - b)
  return {
    files: times.length,
    bytes,
    seconds: (end - start) / 1000,
    p50Ms: percentile(times, 50),
    p99Ms: percentile(times, 99),
    loadCpuSeconds: (user + system) / 1e6,
    samples,
  }
}
