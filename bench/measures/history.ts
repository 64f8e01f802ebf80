import { execFile } from 'node:child_process'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { systemClock } from '../../src/clock.ts'
import { keyFile as newKeyFile } from '../../src/keys/source.ts'
import { postgresRecords } from '../../src/records/postgres/postgres.ts'
import { sweep } from '../../src/retention/sweep.ts'
import { memoryStorage } from '../../src/storage/memory.ts'
import { createEvents } from '../../src/telemetry/events.ts'
import { createLog } from '../../src/telemetry/log.ts'
import { createMetrics } from '../../src/telemetry/metrics.ts'
import { startPostgres, statement } from '../../tests/postgresServer.ts'
import { end, forkNode } from '../child.ts'
import { takingIn } from '../contenders/clipgate.ts'
import type { Contender } from '../contenders/contender.ts'
import { startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { bundled } from '../places.ts'
import type { Part } from '../report.ts'
import { measureRow } from '../rounds.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { type CourierPlace, courierRate } from './courier.ts'
import { figure, inTurn, type PartOptions } from './part.ts'
import { listing } from './records.ts'

interface Place {
  name: string
  folder: string
  url: string
}

/**
 * What many records change when they are in PostgreSQL: taking in, the courier, the sweep, listing. The many are made in SQLite
 * and moved by the product's own command. In turn with a database that has none.
 */
export async function history(options: PartOptions): Promise<Part> {
  const { checkout, folder, stage, told, rounds } = options
  const count = number(options.records)
  const postgres = await startPostgres({ fsync: 'on', shared_buffers: '1GB', max_wal_size: '4GB' })
  try {
    const places: Place[] = []
    for (const name of ['few', 'many']) {
      await statement(postgres.url(), `CREATE DATABASE ${name}`)
      places.push({ name, folder: join(folder, `history-${name}`), url: postgres.url(name) })
      await mkdir(places.at(-1)!.folder, { mode: 0o700 })
    }
    const [few, many] = places as [Place, Place]
    const start = (place: Place, settings: Record<string, string> = {}, emulatorUrl = stage.emulator.url) =>
      startService(checkout, place.folder, emulatorUrl, { DATABASE_URL: place.url, ...settings })

    await (await startService(checkout, many.folder, stage.emulator.url)).stop()
    const filler = await forkNode(bundled('fill.js'), [])
    await filler.ask({ dataDir: many.folder, count: options.records })
    await end(filler.child)
    told(`history: ${count} made`)
    const began = performance.now()
    await promisify(execFile)(
      process.execPath,
      [join(checkout, 'dist', 'main.js'), 'move', 'database', '--to', many.url],
      { env: { PATH: process.env.PATH, CLIPGATE_DATA_DIR: many.folder } },
    )
    const movedSeconds = (performance.now() - began) / 1000
    told(`history: moved in ${Math.round(movedSeconds)} s`)
    await statement(many.url, 'VACUUM ANALYZE')
    await mkdir(join(few.folder, 'keys'), { mode: 0o700 })
    await newKeyFile(join(few.folder, 'keys', 'master.key'), null).create()
    await (await start(few)).stop()

    // The first forgets what is over its days: that happens once.
    for (const place of places) await secondsOfSweep(place)
    const sweeps = await inTurn(rounds, async () => [await secondsOfSweep(few), await secondsOfSweep(many)] as const)
    told('history: sweeps')
    const answers = await listing(() => start(many, {}, 'http://127.0.0.1:9'))
    told('history: lists and searches')

    const row = { name: '100k@16', size: 100_000, atOnce: 16 }
    await makeTemplates(stage.templates, row.size)
    await makeTemplates(stage.templates, 10_000)
    const couriers = await inTurn(rounds, async (turn) => {
      const rates: number[] = []
      for (const place of turn % 2 === 0 ? [few, many] : [many, few])
        rates.push(await courierRate(owing(place, start), stage))
      told(`history, courier: round ${turn + 1} of ${rounds}`)
      return turn % 2 === 0 ? rates : rates.reverse()
    })
    const contender = (place: Place): Contender => ({
      name: place.name,
      kind: 'product',
      leavesOut: '',
      folder: place.folder,
      start: async () => takingIn(await start(place), row, stage),
    })
    const [without, with_] = await measureRow(row, [contender(few), contender(many)], stage, options)
    const slowest = answers.reduce((worst, answer) => (answer.p95 > worst.p95 ? answer : worst))
    const pairs = {
      'uploads of 100 KB at 16, /s': [without!.rate, with_!.rate],
      'confirmations delivered, /s': [0, 1].map((i) => spreadOf(couriers.map((rates) => rates[i]!))),
      'a sweep, s': [0, 1].map((i) => spreadOf(sweeps.map((seconds) => seconds[i as 0 | 1]))),
    }
    const share = (name: keyof typeof pairs) => pairs[name][1]!.median / pairs[name][0]!.median
    return {
      title: `${count} records in PostgreSQL`,
      markdown: [
        table(
          ['', 'no records', `${count} records`],
          Object.entries(pairs).map(([name, spreads]) => [name, ...spreads.map(spread)]),
        ),
        table(
          ['list and search', 'found', 'p50 ms', 'p95 ms'],
          answers.map(({ name, found, p50, p95 }) => [name, number(found), number(p50), number(p95)]),
        ),
        `\`clipgate move database\` took ${number(movedSeconds)} s for them, compared.`,
      ].join('\n\n'),
      figures: [
        figure(`PostgreSQL, ${count} records, 100k@16: uploads`, '/s', 'more', with_!.rate),
        figure(`PostgreSQL, ${count} records: courier`, '/s', 'more', pairs['confirmations delivered, /s'][1]!),
        figure(`PostgreSQL, ${count} records: sweep`, 's', 'less', pairs['a sweep, s'][1]!),
        ...answers.map(({ name, p95 }) => figure(`PostgreSQL, ${count} records, ${name}: p95`, 'ms', 'less', [p95])),
      ],
      aims: [
        ...(['uploads of 100 KB at 16, /s', 'confirmations delivered, /s'] as const).map((name) => ({
          aim: `${name} at ${count} records in PostgreSQL: within 10 % of those at none`,
          measured: number(share(name)),
          met: share(name) >= 0.9,
        })),
        {
          aim: `list and search at ${count} records in PostgreSQL: p95 under 50 ms`,
          measured: `${number(slowest.p95)} ms (${slowest.name})`,
          met: slowest.p95 < 50,
        },
      ],
    }
  } finally {
    await postgres.close()
  }
}

/** Of a service that keeps its files longer than any is old, and whose storage is empty. */
async function secondsOfSweep({ url }: Place): Promise<number> {
  const records = await postgresRecords(url)
  const events = createEvents(
    createLog('error'),
    createMetrics(() => 0),
  )
  const destroy = async () => {
    throw new Error('nothing is held')
  }
  try {
    const began = performance.now()
    await sweep(
      { retentionDays: 400 },
      { records, storage: memoryStorage(() => systemClock.now()), decisions: { destroy }, clock: systemClock, events },
    )
    return (performance.now() - began) / 1000
  } finally {
    await records.close()
  }
}

function owing(
  place: Place,
  start: (place: Place, settings: Record<string, string>, emulatorUrl: string) => ReturnType<typeof startService>,
): CourierPlace {
  return {
    start: (emulatorUrl, settings = {}) => start(place, settings, emulatorUrl),
    async makeDue() {
      await statement(
        place.url,
        "UPDATE confirmations SET next_at = created_at, attempts = 0, uncertain = 0, lease = NULL WHERE state = 'pending'",
      )
    },
    async delivered(since) {
      const [row] = await statement(
        place.url,
        "SELECT count(*) AS count, min(settled_at) AS first, max(settled_at) AS last FROM confirmations WHERE state = 'delivered' AND created_at >= $1",
        [since],
      )
      return { count: Number(row!.count), first: Number(row!.first), last: Number(row!.last) }
    },
    close() {},
  }
}
