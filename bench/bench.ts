import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { end, endChildren, forkNode } from './child.ts'
import { clipgateOf } from './contenders/clipgate.ts'
import type { Contender, Stage } from './contenders/contender.ts'
import { behindHttpFloor, diskFloor, workFloor } from './contenders/floors.ts'
import { discard, peers } from './contenders/peers.ts'
import { startPlatform } from './contenders/service.ts'
import { changesSince, keep, readKept } from './kept.ts'
import type { Load } from './load/job.ts'
import { describeMachine, machineLines } from './machine.ts'
import { courier } from './measures/courier.ts'
import { gateway } from './measures/gateway.ts'
import { history } from './measures/history.ts'
import { memory } from './measures/memory.ts'
import { pages } from './measures/pages.ts'
import type { PartOptions } from './measures/part.ts'
import { pull } from './measures/pull.ts'
import { reading } from './measures/reading.ts'
import { records } from './measures/records.ts'
import { scale } from './measures/scale.ts'
import { scan } from './measures/scan.ts'
import { allRows, parseRow, uploads } from './measures/uploads.ts'
import { benchFolder, bundled, root } from './places.ts'
import type { Part, Report } from './report.ts'
import { table } from './table.ts'

const partNames = [
  'uploads',
  'reading',
  'courier',
  'pull',
  'gateway',
  'scan',
  'memory',
  'records',
  'scale',
  'history',
  'pages',
] as const

interface Options {
  only: string[]
  rounds: number
  seconds: number
  rows: string[]
  against?: string
  floors: boolean
  peers: boolean
  profile?: string
  json?: string
  records: number
  uploads: number
  keep?: true
  check?: true
}

const list = (text: string) => text.split(',').filter(Boolean)

function positive(text: string): number {
  if (!(Number(text) > 0)) throw new InvalidArgumentError('It must be a number above 0.')
  return Number(text)
}

const program = new Command('npm run bench --')
  .description('Measures Clipgate beside floors and peers, and prints the tables.')
  .option('--only <list>', `parts: ${partNames.join(', ')}`, list, [...partNames])
  .option('--rounds <n>', 'interleaved rounds', positive, 7)
  .option('--seconds <n>', 'of each turn', positive, 2)
  .option('--rows <list>', 'rows of the table of uploads', list, allRows)
  .option('--against <folder>', 'another checkout with its own dist/, as one more contender')
  .option('--no-floors', 'leave the floors out')
  .option('--no-peers', 'leave the peers out')
  .option('--no-install', 'do not install the peers when they are missing: leave them out')
  .option('--profile <folder>', 'let Clipgate write processor profiles there, one a thread')
  .option('--records <n>', 'of a large installation', positive, 1_000_000)
  .option('--uploads <n>', 'before the memory is looked at', positive, 100_000)
  .option('--keep', 'keep this report, for later runs to be held against')
  .option('--check', 'say what has moved since the kept report; end with 1 when something became worse')
  .option('--json <file>', 'write the report there too')
  .parse()

const options = program.opts<Options>()
const told = (line: string) => process.stderr.write(`${line}\n`)
const folder = await mkdtemp(join(tmpdir(), 'clipgate-bench-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    endChildren()
    rm(folder, { recursive: true, force: true, maxRetries: 5 }).finally(() => process.exit(1))
  })

const others: Record<Exclude<(typeof partNames)[number], 'uploads'>, (options: PartOptions) => Promise<Part>> = {
  reading,
  courier,
  pull,
  gateway,
  scale,
  scan,
  memory,
  records,
  history,
  pages,
}

try {
  await run()
} catch (error) {
  told((error as Error).stack ?? String(error))
  process.exitCode = 1
} finally {
  endChildren()
  await rm(folder, { recursive: true, force: true, maxRetries: 5 })
}

async function run(): Promise<void> {
  const wanted = partNames.filter((name) => options.only.includes(name))
  if (wanted.length < options.only.length) throw new Error(`--only knows ${partNames.join(', ')}`)
  const rows = options.rows.map(parseRow)
  const templates = join(folder, 'templates')
  await mkdir(templates)
  const load = await forkNode(bundled('load.js'), [])
  // Long turns bring more uploads: each conversation has a few, as in life.
  const platform = await startPlatform(root, folder, Math.ceil(1000 * options.seconds))
  const stage: Stage = { templates, emulator: platform, load: (job) => load.ask<Load>(job) }
  const parts: Part[] = []
  for (const name of wanted)
    parts.push(
      name === 'uploads'
        ? await uploads(rows, contenders(), stage, { ...options, folder, told })
        : await others[name]({ ...options, checkout: root, folder, stage, told }),
    )
  await platform.stop()
  await end(load.child)
  const report: Report = {
    date: new Date().toISOString().slice(0, 10),
    command: ['npm run bench', ...(process.argv.length > 2 ? ['--', ...process.argv.slice(2)] : [])].join(' '),
    version: manifest.version,
    machine: describeMachine(folder),
    parts,
  }
  print(report)
  if (options.check) {
    const { markdown, worse } = changesSince(readKept(), report)
    process.stdout.write(`## Since the kept report\n\n${markdown}\n`)
    if (worse) process.exitCode = 1
  }
  if (options.keep) keep(report)
  if (options.json) await writeFile(options.json, `${JSON.stringify(report, null, 1)}\n`)
}

/** Ours first. */
function contenders(): Contender[] {
  const other = options.against && resolve(options.against)
  const installed = existsSync(join(benchFolder, 'node_modules'))
  if (options.peers && !installed) told('The peers are not installed and left out: npm ci --prefix bench')
  return [
    clipgateOf(root, 'Clipgate', options.profile ? ['--cpu-prof', `--cpu-prof-dir=${resolve(options.profile)}`] : []),
    ...(other ? [clipgateOf(other, `Clipgate in ${basename(other)}`)] : []),
    ...(options.floors ? [workFloor, diskFloor, behindHttpFloor, discard] : []),
    ...(options.peers && installed ? peers : []),
  ]
}

function print({ date, command, version, machine, parts }: Report): void {
  const out = (text: string) => process.stdout.write(`${text}\n\n`)
  out([...machineLines(machine), `Clipgate ${version}, ${date}, \`${command}\`.`].join('\n'))
  for (const { title, markdown } of parts) out(`## ${title}\n\n${markdown}`)
  const aims = parts.flatMap((part) => part.aims)
  if (aims.length > 0)
    out(
      `## Aims\n\n${table(
        ['aim', 'measured', ''],
        aims.map(({ aim, measured, met }) => [aim, measured, met ? 'met' : '**missed**']),
      )}`,
    )
}
