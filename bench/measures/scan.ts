import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { push } from '../push.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { fileOf, marks, readTemplates } from '../templates.ts'
import { figure, type PartOptions } from './part.ts'

const sizes = [
  { name: '100 KB', size: 100_000, files: 24 },
  { name: '1 MB', size: 1_000_000, files: 9 },
  { name: '10 MB', size: 10_000_000, files: 3 },
]

/** What a scan by clamd adds to an upload, beside the same bytes given to clamd alone: one at a time, in turn. */
export async function scan({ checkout, folder, stage, rounds, told }: PartOptions): Promise<Part> {
  if (spawnSync('clamd', ['--version']).status !== 0)
    throw new Error('clamd is not there: apt-get install clamav-daemon')
  const clamd = await startClamd(join(folder, 'clamd'))
  const [without, beside] = [join(folder, 'unscanned'), join(folder, 'scanned')]
  for (const one of [without, beside]) await mkdir(one, { mode: 0o700 })
  // No verdict may serve twice, and each file is another anyway.
  const plain = await startService(checkout, without, stage.emulator.url)
  const scanning = await startService(checkout, beside, stage.emulator.url, {
    SCAN: 'required',
    CLAMD: `unix:${clamd.socket}`,
  })
  const mark = marks()
  const results = []
  try {
    for (const { name, size, files } of sizes) {
      await makeTemplates(stage.templates, size)
      const templates = await readTemplates(stage.templates, size)
      const [added, bare]: [number[], number[]] = [[], []]
      for (let round = -1; round < rounds; round++) {
        // By kind of file: clamd takes its time by what it reads, and a median over several kinds is that of one of them.
        const kinds = templates.map(() => ({ off: [] as number[], on: [] as number[], bare: [] as number[] }))
        for (let n = 0; n < files * templates.length; n++) {
          const [template, times] = [templates[n % templates.length]!, kinds[n % templates.length]!]
          const next = () => fileOf(template, mark())
          const ways = [
            async () => times.off.push(await timed(() => push(plain.url, template, next()))),
            async () => times.on.push(await timed(() => push(scanning.url, template, next()))),
            async () => times.bare.push(await timed(() => instream(clamd.socket, next()))),
          ]
          // Each comes first, second and last as often: who comes after another finds clamd and the caches as that left them.
          const first = Math.floor(n / templates.length)
          for (let i = 0; i < ways.length; i++) await ways[(first + i) % ways.length]!()
        }
        told(`scan, ${name}: round ${round + 1} of ${rounds}`)
        // The first is for the compiler.
        if (round < 0) continue
        added.push(mean(kinds.map(({ on, off }) => median(on.map((value, n) => value - off[n]!)))))
        bare.push(mean(kinds.map((times) => median(times.bare))))
      }
      results.push({ name, added, bare, ratio: added.map((value, round) => value / bare[round]!) })
    }
  } finally {
    await Promise.all([plain.stop(), scanning.stop()])
    await clamd.stop()
  }
  return {
    title: 'Scanning',
    markdown: table(
      ['files', 'added by clamd, ms', 'bare INSTREAM, ms', 'added ÷ bare'],
      results.map(({ name, added, bare, ratio }) => [
        name,
        spread(spreadOf(added)),
        spread(spreadOf(bare)),
        spread(spreadOf(ratio)),
      ]),
    ),
    figures: results.map(({ name, added }) => figure(`scan ${name}, added`, 'ms', 'less', added)),
    aims: results.map(({ name, ratio }) => {
      const { median } = spreadOf(ratio)
      return {
        aim: `clamd adds to ${name} at most 1.2 times a bare INSTREAM`,
        measured: number(median),
        met: median <= 1.2,
      }
    }),
  }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now()
  await work()
  return performance.now() - began
}

const mean = (values: number[]) => values.reduce((sum, value) => sum + value, 0) / values.length
const median = (values: number[]) => spreadOf(values).median

/** As simply as it can be asked. */
async function instream(path: string, bytes: Buffer): Promise<void> {
  const socket = connect({ path })
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  socket.write(Buffer.concat([Buffer.from('zINSTREAM\0'), length]))
  socket.write(bytes)
  socket.write(Buffer.alloc(4))
  const [answer] = await once(socket, 'data')
  socket.destroy()
  if (String(answer) !== 'stream: OK\0') throw new Error(`clamd says ${answer}`)
}

async function startClamd(folder: string) {
  await mkdir(join(folder, 'db'), { recursive: true })
  await mkdir(join(folder, 'tmp'))
  await writeFile(
    join(folder, 'db/local.ndb'),
    `Clipgate.Bench:0:*:${Buffer.from('CLIPGATE-BENCH-MARKER').toString('hex')}\n`,
  )
  const socket = join(folder, 'clamd.sock')
  const settings = [
    `DatabaseDirectory ${join(folder, 'db')}`,
    `LocalSocket ${socket}`,
    `TemporaryDirectory ${join(folder, 'tmp')}`,
    'Foreground true',
    'OfficialDatabaseOnly false',
    'StreamMaxLength 25M',
    `User ${process.getuid?.() === 0 ? 'root' : process.env.USER}`,
  ]
  await writeFile(join(folder, 'clamd.conf'), `${settings.join('\n')}\n`)
  const child = spawn('clamd', ['-c', join(folder, 'clamd.conf')], { stdio: 'ignore' })
  for (;;) {
    const open = connect({ path: socket })
    const is = await once(open, 'connect').then(
      () => true,
      () => false,
    )
    open.destroy()
    if (is) break
    if (child.exitCode !== null) throw new Error('clamd did not start')
    await sleep(20)
  }
  return {
    socket,
    async stop() {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
    },
  }
}
