import { existsSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join, resolve } from 'node:path'
import { Command } from 'commander'
import manifest from '../package.json' with { type: 'json' }
import { end, endChildren, forkNode } from './child.ts'
import { clipgateOf } from './contenders/clipgate.ts'
import type { Contender, Stage } from './contenders/contender.ts'
import { diskFloor, workFloor } from './contenders/floors.ts'
import { discard, peers } from './contenders/peers.ts'
import { startPlatform } from './contenders/service.ts'
import type { Load } from './load/job.ts'
import { describeMachine, machineLines } from './machine.ts'
import { allRows, parseRow, uploads } from './measures/uploads.ts'
import { benchFolder, bundled, root } from './places.ts'
import type { Part, Report } from './report.ts'
import { table } from './table.ts'

interface Options {
  rounds: number
  seconds: number
  rows: string[]
  against?: string
  floors: boolean
  peers: boolean
  profile?: string
  json?: string
}

const list = (text: string) => text.split(',').filter(Boolean)

const program = new Command('npm run bench --')
  .description('Measures Clipgate beside floors and peers, and prints the tables.')
  .option('--rounds <n>', 'interleaved rounds', Number, 7)
  .option('--seconds <n>', 'of each turn', Number, 2)
  .option('--rows <list>', 'rows of the table of uploads', list, allRows)
  .option('--against <folder>', 'another checkout with its own dist/, as one more contender')
  .option('--no-floors', 'leave the floors out')
  .option('--no-peers', 'leave the peers out')
  .option('--no-install', 'do not install the peers when they are missing: leave them out')
  .option('--profile <folder>', 'let Clipgate write processor profiles there, one a thread')
  .option('--json <file>', 'write the report there too')
  .parse()

const options = program.opts<Options>()
const told = (line: string) => process.stderr.write(`${line}\n`)
const folder = await mkdtemp(join(tmpdir(), 'clipgate-bench-'))
for (const signal of ['SIGINT', 'SIGTERM'] as const)
  process.once(signal, () => {
    endChildren()
    rm(folder, { recursive: true, force: true }).finally(() => process.exit(1))
  })

try {
  await run()
} catch (error) {
  told((error as Error).stack ?? String(error))
  process.exitCode = 1
} finally {
  endChildren()
  await rm(folder, { recursive: true, force: true })
}

async function run(): Promise<void> {
  const templates = join(folder, 'templates')
  await mkdir(templates)
  const load = await forkNode(bundled('load.js'), [])
  const platform = await startPlatform(root, folder, 2000)
  const stage: Stage = { templates, emulator: platform, load: (job) => load.ask<Load>(job) }
  const rounds = { rounds: options.rounds, seconds: options.seconds, folder, told }
  const parts: Part[] = [await uploads(options.rows.map(parseRow), contenders(), stage, rounds)]
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
    ...(options.floors ? [workFloor, diskFloor, discard] : []),
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
