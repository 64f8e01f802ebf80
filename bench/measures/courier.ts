import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openDatabase } from '../../src/records/sqlite/database.ts'
import { authorization, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const owed = 2000
const mostSeconds = 20

/** How fast the courier delivers what is owed when the platform sets no limit; one conversation each. */
export async function courier({ checkout, folder, stage, rounds }: PartOptions): Promise<Part> {
  await makeTemplates(stage.templates, 10_000)
  const rates = await inTurn(rounds, async (turn) => {
    const dataDir = join(folder, `courier-${turn}`)
    await mkdir(dataDir, { mode: 0o700 })
    await owe(checkout, dataDir, stage)
    return deliver(checkout, dataDir, stage.emulator.url)
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

/** Takes files in while the platform cannot be reached. */
async function owe(checkout: string, dataDir: string, stage: PartOptions['stage']): Promise<void> {
  const service = await startService(checkout, dataDir, 'http://127.0.0.1:9')
  const { conversations } = stage.emulator
  const target = { protocol: 'form', url: `${service.url}/webhook/file-upload`, authorization, conversations }
  await stage.load({ kind: 'upload', target, templates: stage.templates, size: 10_000, atOnce: 16, uploads: owed })
  await service.stop()
  const database = openDatabase(join(dataDir, 'clipgate.db'))
  // As if the platform had come back just now: no waiting time that earlier attempts were given.
  database.exec(
    "UPDATE confirmations SET next_at = created_at, attempts = 0, uncertain = 0, lease = NULL WHERE state = 'pending'",
  )
  database.close()
}

/** From the first that is settled to the last, or to the last within the time that it is given. */
async function deliver(checkout: string, dataDir: string, emulatorUrl: string): Promise<number> {
  const service = await startService(checkout, dataDir, emulatorUrl, { GENESYS_REQUESTS_PER_MINUTE: '100000' })
  const database = openDatabase(join(dataDir, 'clipgate.db'))
  const ask = database.prepare(
    "SELECT count(*) AS count, min(settled_at) AS first, max(settled_at) AS last FROM confirmations WHERE state = 'delivered'",
  )
  const state = () => ask.get() as { count: number; first: number; last: number }
  try {
    const until = performance.now() + mostSeconds * 1000
    while (state().count < owed && performance.now() < until) await sleep(200)
    const { count, first, last } = state()
    if (count < 2) throw new Error('the courier delivered nothing')
    return (count - 1) / ((last - first) / 1000)
  } finally {
    database.close()
    await service.stop()
  }
}
