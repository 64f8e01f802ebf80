import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import type { Stage } from '../contenders/contender.ts'
import { authorization, type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const owed = 2000
const mostSeconds = 20

/** An installation whose courier is measured. */
export interface CourierPlace {
  start(emulatorUrl: string, settings?: Record<string, string>): Promise<Service>
  /** As if the platform had come back just now: no waiting time that earlier attempts were given. */
  makeDue(): Promise<void>
  /**
   * Of what came in since then; all times are in ms. It is asked several times a second, so it must find these alone: going through
   * all that was ever delivered would be what is measured.
   */
  delivered(since: number): Promise<{ count: number; first: number; last: number }>
  close(): void
}

/** How fast the courier delivers what is owed when the platform sets no limit; one conversation each. */
export async function courier({ checkout, folder, stage, rounds }: PartOptions): Promise<Part> {
  await makeTemplates(stage.templates, 10_000)
  const rates = await inTurn(rounds, async (turn) => {
    const dataDir = join(folder, `courier-${turn}`)
    await mkdir(dataDir, { mode: 0o700 })
    return courierRate(sqlitePlace(checkout, dataDir), stage)
  })
  return {
    title: 'Courier',
    markdown: table(
      ['', 'confirmations/s'],
      [[`${number(owed)} owed at the start, 8 at once`, spread(spreadOf(rates))]],
    ),
    figures: [figure('courier', '/s', 'more', rates)],
    aims: [],
  }
}

/** Confirmations a second, of those that are owed for files which came in while the platform could not be reached. */
export async function courierRate(place: CourierPlace, stage: Stage): Promise<number> {
  const since = Date.now()
  const service = await place.start('http://127.0.0.1:9')
  const { conversations } = stage.emulator
  const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization, conversations }
  await stage.load({ kind: 'upload', target, templates: stage.templates, size: 10_000, atOnce: 16, uploads: owed })
  await service.stop()
  await place.makeDue()
  return deliver(place, stage.emulator.url, since)
}

/** From the first that is settled to the last, or to the last within the time that it is given. */
async function deliver(place: CourierPlace, emulatorUrl: string, since: number): Promise<number> {
  const service = await place.start(emulatorUrl, { GENESYS_REQUESTS_PER_MINUTE: '100000' })
  try {
    const until = performance.now() + mostSeconds * 1000
    while ((await place.delivered(since)).count < owed && performance.now() < until) await sleep(200)
    const { count, first, last } = await place.delivered(since)
    if (count < 2) throw new Error('the courier delivered nothing')
    return (count - 1) / ((last - first) / 1000)
  } finally {
    place.close()
    await service.stop()
  }
}

function sqlitePlace(checkout: string, dataDir: string): CourierPlace {
  let open: ReturnType<typeof openDatabase> | null = null
  const database = () => (open ??= openDatabase(join(dataDir, 'clipgate.db')))
  return {
    start: (emulatorUrl, settings) => startService(checkout, dataDir, emulatorUrl, settings),
    async makeDue() {
      database().exec(
        "UPDATE confirmations SET next_at = created_at, attempts = 0, uncertain = 0, lease = NULL WHERE state = 'pending'",
      )
    },
    delivered: async (since) =>
      database()
        .prepare(
          "SELECT count(*) AS count, min(settled_at) AS first, max(settled_at) AS last FROM confirmations WHERE state = 'delivered' AND created_at >= ?",
        )
        .get(since) as { count: number; first: number; last: number },
    close() {
      open?.close()
      open = null
    },
  }
}
