import type { Contender, Row, Stage } from '../contenders/contender.ts'
import { makeTemplates } from '../files.ts'
import type { Aim, Figure, Part } from '../report.ts'
import { type Measured, measureRow, type RoundOptions } from '../rounds.ts'
import { ratioOf, type Spread } from '../stats.ts'
import { mebibytes, number, spread, table } from '../table.ts'

const sizes = { '10k': 10_000, '100k': 100_000, '1m': 1_000_000, '10m': 10_000_000 }

export const allRows = ['100k@16', '100k@64', '1m@16', '10m@4', '10m@8', '10k@64']

/** `100k@16`: files of 100,000 bytes, 16 at once. */
export function parseRow(name: string): Row {
  const [, size, atOnce] = /^(10k|100k|1m|10m)@(\d{1,3})$/.exec(name) ?? []
  if (!size || !Number(atOnce))
    throw new Error(`${name} is no row: write 10k, 100k, 1m or 10m, @, and how many at once`)
  return { name, size: sizes[size as keyof typeof sizes], atOnce: Number(atOnce) }
}

/** How fast files are taken in, beside floors and peers. The first contender is ours. */
export async function uploads(
  rows: Row[],
  contenders: Contender[],
  stage: Stage,
  options: RoundOptions,
): Promise<Part> {
  const measured = new Map<string, Measured[]>()
  for (const size of new Set(rows.map((row) => row.size))) await makeTemplates(stage.templates, size)
  for (const row of rows) measured.set(row.name, await measureRow(row, contenders, stage, options))
  const sections = [...measured].map(([name, all]) => section(name, all))
  const left = contenders.filter(({ leavesOut }) => leavesOut).map(({ name, leavesOut }) => [name, leavesOut])
  const legend = `What each leaves out:\n\n${table(['', 'does not'], left)}`
  return {
    title: 'Uploads',
    markdown: [...sections, ...(left.length > 0 ? [legend] : [])].join('\n\n'),
    figures: [...measured].flatMap(([row, all]) => all.flatMap((one) => figuresOf(row, one))),
    aims: [...measured].flatMap(([row, all]) => aimsOf(row, all)),
  }
}

function section(row: string, all: Measured[]): string {
  const [ours, ...others] = all as [Measured, ...Measured[]]
  const lines = [ours, ...others].map((one) => [
    one === ours ? `**${one.name}**` : one.name,
    spread(one.rate),
    spread(one.megabytes),
    one === ours ? '' : number(ours.rate.median / one.rate.median),
    spread(one.p50Ms),
    spread(one.p99Ms),
    spread(one.cpuPerGigabyte),
    mebibytes(one.peakBytes),
  ])
  const loads = all.map(({ loadCpu }) => loadCpu.median)
  return [
    `### ${sentenceOf(row)}`,
    table(['', 'uploads/s', 'MB/s', `${ours.name} ÷ it`, 'p50 ms', 'p99 ms', 'CPU s/GB', 'peak MiB'], lines),
    `The load itself took ${number(ours.loadCpu.median)} of a core against ${ours.name}, at most ${number(Math.max(...loads))} against another.`,
    ...others.filter(({ kind }) => kind === 'product').map((other) => turnByTurn(ours, other)),
  ].join('\n\n')
}

/** What both have in common in a round, such as a busy machine, is not in its ratio. */
function turnByTurn(ours: Measured, other: Measured): string {
  const ratio = (value: (round: Measured['rounds'][number]) => number) =>
    spread(ratioOf(ours.rounds.map(value), other.rounds.map(value)))
  return `Turn by turn, ${ours.name} ÷ ${other.name}: uploads/s ${ratio(({ rate }) => rate)}, CPU s/GB ${ratio(({ cpuPerGigabyte }) => cpuPerGigabyte)}, the median and the middle half of the rounds.`
}

function sentenceOf(row: string): string {
  const { size, atOnce } = parseRow(row)
  return `${size >= 1e6 ? `${size / 1e6} MB` : `${size / 1e3} KB`}, ${atOnce} at once`
}

function figuresOf(row: string, { name, rate, p99Ms, cpuPerGigabyte }: Measured): Figure[] {
  const figure = (what: string, unit: string, better: Figure['better'], { median, min, max }: Spread) => ({
    name: `${row}, ${name}: ${what}`,
    unit,
    better,
    median,
    min,
    max,
  })
  return [
    figure('uploads', '/s', 'more', rate),
    figure('p99', 'ms', 'less', p99Ms),
    figure('CPU', 's/GB', 'less', cpuPerGigabyte),
  ]
}

function aimsOf(row: string, all: Measured[]): Aim[] {
  const [ours, ...others] = all as [Measured, ...Measured[]]
  const against = (name: string) => others.find((one) => one.name === name)
  const peers = others.filter(({ kind }) => kind === 'peer').sort((a, b) => b.rate.median - a.rate.median)
  const least = (share: number, other: Measured | undefined, named = other?.name): Aim[] =>
    other
      ? [
          {
            aim: `${sentenceOf(row)}: ${share === 1 ? 'ahead of' : `at least ${share} of`} ${named}`,
            measured: number(ours.rate.median / other.rate.median),
            met: ours.rate.median / other.rate.median >= share,
          },
        ]
      : []
  const fastest = peers[0] && `the fastest peer, ${peers[0].name}`
  const tail: Aim = {
    aim: `${sentenceOf(row)}: p99 under 4 times p50`,
    measured: number(ours.p99Ms.median / ours.p50Ms.median),
    met: ours.p99Ms.median < 4 * ours.p50Ms.median,
  }
  if (row === '100k@16') return [...least(0.9, against("the disk's floor")), ...least(1, peers[0], fastest), tail]
  if (row === '1m@16') return [...least(1, peers[0], fastest), tail]
  if (row.startsWith('10m'))
    return [
      ...least(0.8, against("the work's own floor")),
      ...least(1, against('@fastify/multipart')),
      ...least(0.8, peers[0], fastest),
    ]
  return []
}
