import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { end, forkNode } from '../child.ts'
import { takingIn } from '../contenders/clipgate.ts'
import type { Contender } from '../contenders/contender.ts'
import { authorization, type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { bundled } from '../places.ts'
import type { Part } from '../report.ts'
import { measureRow } from '../rounds.ts'
import { percentile, spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const asks = 100

/** What many records change: the start, listing and searching, and taking in. */
export async function records(options: PartOptions): Promise<Part> {
  const { checkout, folder, stage, told, rounds } = options
  const count = number(options.records)
  const [few, many] = [join(folder, 'few'), join(folder, 'many')]
  for (const dataDir of [few, many]) {
    await mkdir(dataDir, { mode: 0o700 })
    await (await startService(checkout, dataDir, stage.emulator.url)).stop()
  }
  const began = performance.now()
  const filler = await forkNode(bundled('fill.js'), [])
  await filler.ask({ dataDir: many, count: options.records })
  await end(filler.child)
  told(`records: ${count} made in ${Math.round((performance.now() - began) / 1000)} s`)

  const starts = await inTurn(
    rounds,
    async () => [await secondsToReady(checkout, few), await secondsToReady(checkout, many)] as const,
  )
  told('records: starts')
  const answers = await listing(() => startService(checkout, many, 'http://127.0.0.1:9'))
  told('records: lists and searches')
  const [without, with_] = await rates(options, few, many)
  const slowest = answers.reduce((worst, answer) => (answer.p95 > worst.p95 ? answer : worst))
  const share = with_!.rate.median / without!.rate.median
  return {
    title: `${count} records`,
    markdown: [
      table(
        ['', 'no records', `${count} records`],
        [
          [
            'start until ready, s',
            spread(spreadOf(starts.map(([a]) => a))),
            spread(spreadOf(starts.map(([, b]) => b))),
          ],
          ['uploads of 100 KB at 16, /s', spread(without!.rate), spread(with_!.rate)],
        ],
      ),
      table(
        ['list and search', 'found', 'p50 ms', 'p95 ms'],
        answers.map(({ name, found, p50, p95 }) => [name, number(found), number(p50), number(p95)]),
      ),
    ].join('\n\n'),
    figures: [
      figure(
        `start, ${count} records`,
        's',
        'less',
        starts.map(([, b]) => b),
      ),
      ...answers.map(({ name, p95 }) => figure(`${count} records, ${name}: p95`, 'ms', 'less', [p95])),
      figure(`100k@16, ${count} records: uploads`, '/s', 'more', with_!.rate),
    ],
    aims: [
      {
        aim: `list and search at ${count} records: p95 under 50 ms`,
        measured: `${number(slowest.p95)} ms (${slowest.name})`,
        met: slowest.p95 < 50,
      },
      {
        aim: `uploads at ${count} records: within 10 % of those at none`,
        measured: number(share),
        met: share >= 0.9 && share <= 1.1,
      },
    ],
  }
}

async function secondsToReady(checkout: string, dataDir: string): Promise<number> {
  const began = performance.now()
  const service = await startService(checkout, dataDir, 'http://127.0.0.1:9')
  const { status } = await fetch(`${service.url}/health/ready`)
  const seconds = (performance.now() - began) / 1000
  await service.stop()
  if (status !== 200) throw new Error(`it is not ready: ${status}`)
  return seconds
}

interface Listed {
  items: { id: string; conversationId: string; filename: string; sha256: string }[]
  next: string | null
}

/** Each question a hundred times, one after the other, each time of another file where it names one. */
export async function listing(start: () => Promise<Service>) {
  const service = await start()
  const list = async (query: string): Promise<Listed> => {
    const answer = await fetch(`${service.url}/v1/attachments?${query}`, { headers: { authorization } })
    if (answer.status !== 200) throw new Error(`${query} answered ${answer.status}`)
    return (await answer.json()) as Listed
  }
  try {
    const { items } = await list('limit=200')
    const some = (turn: number) => items[(turn * 7) % items.length]!
    const middle = new Date(Date.now() - 180 * 24 * 60 * 60 * 1000).toISOString()
    const questions: [string, (turn: number) => string][] = [
      ['the newest 50', () => ''],
      ['the newest 200', () => 'limit=200'],
      ['of one conversation', (turn) => `conversationId=${some(turn).conversationId}`],
      ['refused', () => 'state=refused'],
      ['of a rare type', () => 'type=text/plain'],
      ['before a day half a year ago', () => `to=${middle}`],
      ['a word', (turn) => `q=${some(turn).filename.split(' ')[0]}`],
      ['the beginning of a word', (turn) => `q=${some(turn).filename.slice(0, 4)}`],
      ['two letters', (turn) => `q=${some(turn).filename.slice(0, 2)}`],
      ['a word that most names have', () => 'q=jpg'],
      ['a digest', (turn) => `q=${some(turn).sha256}`],
      ['a word that no name has', (turn) => `q=nowhere${turn}`],
    ]
    return await inTurn(questions.length, async (index) => {
      const [name, query] = questions[index]!
      let found = 0
      const times = await inTurn(asks, async (turn) => {
        const began = performance.now()
        found += (await list(query(turn))).items.length
        return performance.now() - began
      })
      times.sort((a, b) => a - b)
      return { name, found: found / asks, p50: percentile(times, 50), p95: percentile(times, 95) }
    })
  } finally {
    await service.stop()
  }
}

/** Taking in beside each other, in turns. */
async function rates({ checkout, folder, stage, rounds, seconds, told }: PartOptions, few: string, many: string) {
  const row = { name: '100k@16', size: 100_000, atOnce: 16 }
  await makeTemplates(stage.templates, row.size)
  const contender = (name: string, dataDir: string): Contender => ({
    name,
    kind: 'product',
    leavesOut: '',
    folder: dataDir,
    start: async () => takingIn(await startService(checkout, dataDir, stage.emulator.url), row, stage),
  })
  return measureRow(row, [contender('without', few), contender('with', many)], stage, { rounds, seconds, folder, told })
}
