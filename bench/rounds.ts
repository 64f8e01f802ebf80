import { execFileSync } from 'node:child_process'
import { truncateSync } from 'node:fs'
import { mkdir, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { usageOf } from './child.ts'
import type { Contender, Row, Running, Stage } from './contenders/contender.ts'
import type { Load } from './load/job.ts'
import { type Spread, spreadOf } from './stats.ts'
import { fileOf, readTemplates, type Template } from './templates.ts'

/** What one contender did in one row, over all rounds. */
export interface Measured {
  name: string
  kind: Contender['kind']
  leavesOut: string
  rate: Spread
  megabytes: Spread
  p50Ms: Spread
  p99Ms: Spread
  cpuPerGigabyte: Spread
  /** Processors that the load took, of those that the machine has. */
  loadCpu: Spread
  peakBytes: number
  /** One after the other, for who is compared turn by turn. */
  rounds: { rate: number; cpuPerGigabyte: number }[]
}

export interface RoundOptions {
  rounds: number
  seconds: number
  /** Where they write. */
  folder: string
  told: (line: string) => void
}

interface Entrant {
  contender: Contender
  folder: string
  running: Running
  loads: (Load & { cpuSeconds: number })[]
  /** Files of earlier turns. */
  emptied: Set<string>
}

/** Until the code is compiled: in its first half minute under load a service becomes faster, and then it stays so for weeks. */
export const warmUpTurns = 15

/**
 * One row: all contenders run at once, in processes of their own, and work in turns. Between two turns what was written
 * is emptied and the disk comes to rest, so that nobody pays for another.
 */
export async function measureRow(
  row: Row,
  contenders: Contender[],
  stage: Stage,
  options: RoundOptions,
): Promise<Measured[]> {
  const templates = await readTemplates(stage.templates, row.size)
  const entrants: Entrant[] = []
  try {
    for (const contender of contenders) {
      const folder = contender.folder ?? join(options.folder, `${row.name}-${contenders.indexOf(contender)}`)
      await mkdir(folder, { recursive: true, mode: 0o700 })
      entrants.push({
        contender,
        folder,
        running: await contender.start(folder, row, stage),
        loads: [],
        emptied: new Set(),
      })
    }
    // In turns too: what is emptied in between is at most what a turn writes, so that all write to memory that is in use. Where
    // a virtual machine first has to ask its host for more, writing to the page cache takes ten times as long.
    for (const entrant of entrants)
      for (let turns = 0; turns < warmUpTurns; turns++) await turn(entrant, options.seconds, templates)
    for (let round = 0; round < options.rounds; round++) {
      // Each round begins with another, so that none always follows the same.
      for (let i = 0; i < entrants.length; i++) {
        const entrant = entrants[(round + i) % entrants.length]!
        // Who waited while the others worked is slower in its first moments, whoever it is.
        await entrant.running.run(options.seconds / 2)
        entrant.loads.push(await turn(entrant, options.seconds, templates))
      }
      options.told(`${row.name}: round ${round + 1} of ${options.rounds}`)
    }
    return await Promise.all(entrants.map(summary))
  } finally {
    // At once: a service that still owes confirmations takes a while.
    await Promise.all(entrants.map(({ running }) => running.stop()))
    // The other folders go at the end of all, since deleting them now would slow down who comes next.
    for (const { contender, folder } of entrants)
      if (contender.folder !== undefined) await rm(folder, { recursive: true, force: true })
  }
}

async function turn({ contender, folder, running, emptied }: Entrant, seconds: number, templates: Template[]) {
  const before = await usageOf(running.pid)
  const load = await running.run(seconds)
  const after = await usageOf(running.pid)
  for (const sample of load.samples) {
    const template = templates.find(({ ending }) => ending === sample.ending)!
    await running.verify(sample, fileOf(template, sample.mark)).catch((cause: Error) => {
      throw new Error(`${contender.name}: an upload cannot be read back: ${cause.message}`, { cause })
    })
  }
  await emptyFiles(folder, emptied)
  execFileSync('sync', ['-f', folder])
  return { ...load, cpuSeconds: after.cpuSeconds - before.cpuSeconds }
}

/**
 * The uploads; the database of ours, its keys and its log stay. They are not deleted: ext4 does not use a deleted file's inode
 * again for a minute, so that each new file would search past all those of the turns before.
 */
async function emptyFiles(folder: string, emptied: Set<string>): Promise<void> {
  const objects = await readdir(join(folder, 'objects')).catch(() => null)
  const folders = objects ? objects.map((shard) => join(folder, 'objects', shard)) : [folder]
  for (const one of folders) {
    const names = await readdir(one)
    for (const path of names.map((name) => join(one, name))) {
      if (emptied.has(path)) continue
      truncateSync(path)
      emptied.add(path)
    }
  }
}

async function summary({ contender: { name, kind, leavesOut }, running, loads }: Entrant): Promise<Measured> {
  type Value = (load: Entrant['loads'][number]) => number
  const over = (value: Value) => spreadOf(loads.map(value))
  const rate: Value = ({ files, seconds }) => files / seconds
  const cpuPerGigabyte: Value = ({ cpuSeconds, bytes }) => cpuSeconds / (bytes / 1e9)
  return {
    name,
    kind,
    leavesOut,
    rate: over(rate),
    megabytes: over(({ bytes, seconds }) => bytes / 1e6 / seconds),
    p50Ms: over(({ p50Ms }) => p50Ms),
    p99Ms: over(({ p99Ms }) => p99Ms),
    cpuPerGigabyte: over(cpuPerGigabyte),
    loadCpu: over(({ loadCpuSeconds, seconds }) => loadCpuSeconds / seconds),
    peakBytes: (await usageOf(running.pid)).peakBytes,
    rounds: loads.map((load) => ({ rate: rate(load), cpuPerGigabyte: cpuPerGigabyte(load) })),
  }
}
