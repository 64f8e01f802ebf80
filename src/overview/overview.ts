import type { Clock } from '../clock.ts'
import type { FilesOfDay } from '../records/questions/days.ts'
import type { Records } from '../records/records.ts'
import { remembered } from '../remembered.ts'
import type { Scanner } from '../scan/scanner.ts'
import type { Metrics } from '../telemetry/metrics.ts'

/** How an installation does, for who looks after it. */
export interface Overview {
  /** Days (UTC, YYYY-MM-DD), both included. */
  from: string
  to: string
  byDay: FilesOfDay[]
  totals: {
    /** Within these days. */
    files: number
    bytes: number
    /** Now: waiting for a decision; confirmations that are owed, and given up until they are retried. */
    held: number
    owed: number
    parked: number
  }
  engines: EngineState[]
  /** Of this process in the last ten minutes. Null: nothing was done. */
  seconds: { intake: Seconds | null; preview: Seconds | null }
  /** All that is stored, before it is sealed. */
  storage: { files: number; bytes: number }
}

export interface EngineState {
  engine: string
  /** By which it judges. Null: it does not tell. */
  signatures: string | null
  /** When they were made. Null: it does not tell. */
  signaturesAt: Date | null
  ok: boolean
  cause?: string
}

export interface Seconds {
  p50: number
  p99: number
}

export interface OverviewParts {
  records: Pick<Records, 'filesByDay' | 'storedFiles' | 'heldState' | 'outboxState'>
  /** Null: scanning is switched off. */
  scanners: Scanner[] | null
  metrics: Pick<Metrics, 'intakeSeconds' | 'copySeconds'>
  clock: Clock
}

export const mostDays = 365
const dayMs = 24 * 60 * 60 * 1000
/** A page that is left open asks again and again. */
const freshMs = 30_000
const engineWithinMs = 2000

/** `days`: 1 to 365, today included. What is counted is at most half a minute old. Throws `Unavailable`. */
export function createOverview({
  records,
  scanners,
  metrics,
  clock,
}: OverviewParts): (days: number) => Promise<Overview> {
  const counted = remembered(freshMs, clock, async () => {
    const to = clock.now()
    const from = new Date(to.getTime() - (mostDays - 1) * dayMs)
    const [byDay, storage, held, owed] = await Promise.all([
      records.filesByDay({ from, to }),
      records.storedFiles(),
      records.heldState(),
      records.outboxState(),
    ])
    return { to, byDay, storage, held: held.person + held.engine, owed: owed.pending, parked: owed.parked }
  })
  const engines = remembered(freshMs, clock, () =>
    Promise.all((scanners ?? []).map((scanner) => stateOf(scanner, clock))),
  )
  return async (days) => {
    const [{ to, byDay, storage, held, owed, parked }, states, intake, preview] = await Promise.all([
      counted(),
      engines(),
      secondsOf(metrics.intakeSeconds),
      secondsOf(metrics.copySeconds, { kind: 'preview' }),
    ])
    const from = dayOf(new Date(to.getTime() - (days - 1) * dayMs))
    const within = byDay.filter(({ day }) => day >= from)
    const sum = (of: 'files' | 'bytes') => within.reduce((total, one) => total + one[of], 0)
    return {
      from,
      to: dayOf(to),
      byDay: within,
      totals: { files: sum('files'), bytes: sum('bytes'), held, owed, parked },
      engines: states,
      seconds: { intake, preview },
      storage,
    }
  }
}

function dayOf(date: Date): string {
  return date.toISOString().slice(0, 10)
}

async function stateOf(scanner: Scanner, clock: Clock): Promise<EngineState> {
  const answered = new AbortController()
  const late = clock.wait(engineWithinMs, answered.signal).then(() => {
    throw new Error(`no answer within ${engineWithinMs} ms`)
  })
  try {
    const signatures = await Promise.race([scanner.check(), late])
    const { version = null, madeAt = null } = signatures ?? {}
    return { engine: scanner.name, signatures: version, signaturesAt: madeAt, ok: true }
  } catch (error) {
    const cause = (error as Error).message
    return { engine: scanner.name, signatures: null, signaturesAt: null, ok: false, cause }
  } finally {
    late.catch(() => {})
    answered.abort()
  }
}

async function secondsOf(summary: Metrics['intakeSeconds'], labels: { kind?: string } = {}): Promise<Seconds | null> {
  const { values } = await summary.get()
  const at = (quantile: number) =>
    values.find(({ labels: { kind, ...rest } }) => kind === labels.kind && rest.quantile === quantile)?.value ?? 0
  // Nothing takes no time at all: this is what it tells of nothing.
  return at(0.5) > 0 ? { p50: at(0.5), p99: at(0.99) } : null
}
