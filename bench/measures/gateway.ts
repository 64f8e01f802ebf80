import { randomUUID } from 'node:crypto'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { WebSocket } from 'ws'
import { end, forkNode, usageOf } from '../child.ts'
import { authorization, type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { bundled } from '../places.ts'
import type { Part } from '../report.ts'
import { percentile, spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { fileOf, marks, readTemplates } from '../templates.ts'
import { figure, type PartOptions } from './part.ts'

const deploymentId = '00000000-0000-4000-8000-00000000d001'
const idleSessions = 5000
const idleSeconds = 20
/** Frames a second over all sessions, each far below what one may ask. */
const framesPerSecond = 1000
const latencySeconds = 5
const uploads = { size: 1_000_000, files: 90, atOnce: 4 }

/** What sessions cost that only wait, what a frame costs on its way, and what a file costs whose bytes travel twice. */
export async function gateway({ checkout, folder, stage, rounds, told }: PartOptions): Promise<Part> {
  const dataDir = join(folder, 'gateway')
  await mkdir(dataDir, { mode: 0o700 })
  const platform = await forkNode<{ url: string }>(bundled('guestPlatform.js'), [])
  const service = await startService(checkout, dataDir, stage.emulator.url, {
    GATEWAY_DEPLOYMENTS: deploymentId,
    GENESYS_GUEST_URL: platform.ready.url,
  })
  try {
    const cost = await uploadsBothWays(service, stage, rounds, told)
    const before = await usageOf(service.pid)
    told(`gateway: ${idleSessions} sessions`)
    const sessions = await connectAll(`${service.url.replace('http', 'ws')}/v1`)
    await sleep(2000)
    const began = await usageOf(service.pid)
    await sleep(idleSeconds * 1000)
    const idle = await usageOf(service.pid)
    const cores = (idle.cpuSeconds - began.cpuSeconds) / idleSeconds
    const mebibytes = idle.residentBytes / 2 ** 20
    const direct = await connectAll(`${platform.ready.url.replace('http', 'ws')}/v1`, 500)
    const added: { p50: number[]; p99: number[] } = { p50: [], p99: [] }
    for (let round = 0; round < rounds; round++) {
      const [a, b] = [await roundTrips(sessions), await roundTrips(direct)]
      added.p50.push(percentile(a, 50) - percentile(b, 50))
      added.p99.push(percentile(a, 99) - percentile(b, 99))
      told(`gateway, frames: round ${round + 1} of ${rounds}`)
    }
    for (const socket of [...sessions, ...direct]) socket.terminate()
    const [p50, p99] = [spreadOf(added.p50), spreadOf(added.p99)]
    const ratio = spreadOf(cost.relayed.map((value, round) => value / cost.pushed[round]!))
    return {
      title: 'Gateway',
      markdown: table(
        ['', 'measured'],
        [
          [
            `${idleSessions} idle sessions: resident MiB (before: ${number(before.residentBytes / 2 ** 20)})`,
            number(mebibytes),
          ],
          ['… part of a core', number(cores)],
          [`a frame at ${framesPerSecond} a second there and back: added p50, ms`, spread(p50)],
          ['… added p99, ms', spread(p99)],
          ['1 MB pushed, CPU s/GB', spread(spreadOf(cost.pushed))],
          ['1 MB through the gateway, CPU s/GB', spread(spreadOf(cost.relayed))],
          ['gateway ÷ push', spread(ratio)],
        ],
      ),
      figures: [
        figure('gateway, idle sessions', 'MiB', 'less', [mebibytes]),
        figure('gateway, added p50', 'ms', 'less', added.p50),
        figure('gateway 1 MB, CPU', 's/GB', 'less', cost.relayed),
      ],
      aims: [
        {
          aim: `${idleSessions} idle sessions: under 1 GB`,
          measured: `${number(mebibytes)} MiB`,
          met: mebibytes < 1000,
        },
        { aim: `${idleSessions} idle sessions: under a tenth of a core`, measured: number(cores), met: cores < 0.1 },
        {
          aim: 'a relayed frame there and back adds under 2 ms at p50',
          measured: number(p50.median),
          met: p50.median < 2,
        },
        { aim: '… and under 10 ms at p99', measured: number(p99.median), met: p99.median < 10 },
        {
          aim: 'uploads: at most 1.8 times the push door’s CPU',
          measured: number(ratio.median),
          met: ratio.median <= 1.8,
        },
      ],
    }
  } finally {
    await service.stop()
    await end(platform.child)
  }
}

/** Each socket's session. */
const tokens = new WeakMap<WebSocket, string>()

/** So many configured sessions. */
async function connectAll(address: string, count = idleSessions): Promise<WebSocket[]> {
  const open: WebSocket[] = []
  const connect = async () => {
    const socket = new WebSocket(`${address}?deploymentId=${deploymentId}`, { perMessageDeflate: false })
    socket.on('error', () => {})
    await new Promise<void>((opened, refused) => {
      socket.once('open', opened)
      socket.once('error', refused)
    })
    const answered = new Promise((resolve) => socket.once('message', resolve))
    const token = randomUUID()
    tokens.set(socket, token)
    socket.send(JSON.stringify({ action: 'configureSession', token, deploymentId }))
    await answered
    open.push(socket)
  }
  while (open.length < count) await Promise.all(Array.from({ length: Math.min(50, count - open.length) }, connect))
  return open
}

/** Milliseconds of each frame there and back, sent evenly over all sessions, in ascending order. */
async function roundTrips(sockets: WebSocket[]): Promise<number[]> {
  const times: number[] = []
  const text = JSON.stringify({ action: 'echo', token: randomUUID(), message: { type: 'Text', text: 'ping' } })
  const one = async (socket: WebSocket) => {
    const began = performance.now()
    const answered = new Promise((resolve) => socket.once('message', resolve))
    socket.send(text)
    await answered
    times.push(performance.now() - began)
  }
  const count = framesPerSecond * latencySeconds
  const began = performance.now()
  const all: Promise<void>[] = []
  for (let n = 0; n < count; ) {
    const due = Math.min(count, Math.floor(((performance.now() - began) / 1000) * framesPerSecond))
    for (; n < due; n++) all.push(one(sockets[n % sockets.length]!))
    await sleep(1)
  }
  await Promise.all(all)
  return times.sort((a, b) => a - b)
}

async function uploadsBothWays(
  service: Service,
  stage: PartOptions['stage'],
  rounds: number,
  told: PartOptions['told'],
): Promise<{ pushed: number[]; relayed: number[] }> {
  const { size, files, atOnce } = uploads
  await makeTemplates(stage.templates, size)
  const templates = await readTemplates(stage.templates, size)
  const mark = marks()
  const gigabytes = (files * size) / 1e9
  const [pushed, relayed]: [number[], number[]] = [[], []]
  const { conversations } = stage.emulator
  const target = { protocol: 'form' as const, url: `${service.url}/webhook/file-upload`, authorization, conversations }
  const cpuOf = async (work: () => Promise<unknown>) => {
    const before = await usageOf(service.pid)
    await work()
    return ((await usageOf(service.pid)).cpuSeconds - before.cpuSeconds) / gigabytes
  }
  let turn = 0
  const relayAll = () =>
    Promise.all(
      Array.from({ length: atOnce }, async () => {
        // A session each, and a new one before it has asked for more than it may.
        while (turn < files) {
          const [socket] = await connectAll(`${service.url.replace('http', 'ws')}/v1`, 1)
          for (let n = 0; n < 20 && turn < files; n++) {
            const template = templates[turn++ % templates.length]!
            await uploadOne(socket!, fileOf(template, mark()), template)
          }
          socket!.terminate()
        }
      }),
    )
  for (let round = -1; round < rounds; round++) {
    const turns = [
      async () =>
        pushed.push(
          await cpuOf(() =>
            stage.load({ kind: 'upload', target, templates: stage.templates, size, atOnce, uploads: files }),
          ),
        ),
      async () => {
        turn = 0
        relayed.push(await cpuOf(relayAll))
      },
    ]
    for (const one of round % 2 ? turns : turns.reverse()) await one()
    // The first is for the compiler.
    if (round < 0) pushed.length = relayed.length = 0
    told(`gateway, uploads: round ${round + 1} of ${rounds}`)
  }
  return { pushed, relayed }
}

async function uploadOne(
  socket: WebSocket,
  bytes: Buffer,
  { type, ending }: { type: string; ending: string },
): Promise<void> {
  const heard = (kind: string) =>
    new Promise<{ url: string; headers: Record<string, string>; errorMessage?: string }>((resolve, reject) => {
      const listen = (data: unknown) => {
        const frame = JSON.parse(String(data))
        if (frame.class === 'UploadFailureEvent' || frame.class === 'string') reject(new Error(JSON.stringify(frame)))
        if (frame.class !== kind) return
        socket.off('message', listen)
        resolve(frame.body)
      }
      socket.on('message', listen)
    })
  const announced = heard('PresignedUrlResponse')
  const token = tokens.get(socket)
  const about = { fileName: `file.${ending}`, fileType: type, fileSize: bytes.length }
  socket.send(JSON.stringify({ action: 'onAttachment', token, attachmentId: randomUUID(), ...about }))
  const { url, headers } = await announced
  const done = heard('UploadSuccessEvent')
  const answer = await fetch(url, {
    method: 'PUT',
    headers: { 'content-type': type, ...headers },
    body: new Uint8Array(bytes),
  })
  if (!answer.ok) throw new Error(`the upload was answered ${answer.status}: ${await answer.text()}`)
  await done
}
