import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { createLoop, type Loop } from '../loop.ts'
import type { Rescanned } from '../records/questions/rescan.ts'
import type { Records } from '../records/records.ts'
import type { Scanner } from '../scan/scanner.ts'
import type { Decisions } from './decisions.ts'
import { judgeStored, type LateParts } from './lateVerdicts.ts'

export interface RescanOptions extends LateParts {
  records: Records
  decisions: Decisions
  /** Only files that came in since. */
  days: number
  clock: Clock
}

/** How often engines are asked for their signatures. */
const restMs = 60_000
/** Longer than a batch takes. */
const leaseMs = 3_600_000
const batch = 20
const dayMs = 24 * 60 * 60 * 1000

/**
 * Judges accepted files again when signatures change, the newest first, one at a time and no more than half of the time, behind
 * those that come in. What is found infected is called back; nothing else changes. A walk that has begun is ended before the next
 * one begins, so that signatures that change often do not keep it among the newest.
 */
export function createRescan(options: RescanOptions): Loop {
  const { records, decisions, scanners, days, clock, events } = options
  const lease = randomUUID()

  async function round(signal: AbortSignal): Promise<void> {
    const telling = await tellingOf(scanners)
    if (telling.length === 0) return
    const signatures = telling.map(({ name, version }) => `${name}=${version}`).join('|')
    while (!signal.aborted) {
      const now = clock.now()
      const due = await records.leaseRescan({
        lease,
        signatures,
        now,
        until: new Date(now.getTime() + leaseMs),
        oldest: new Date(now.getTime() - days * dayMs),
        limit: batch,
      })
      if (due.length === 0) return
      for (const one of due) {
        if (signal.aborted) return
        const began = clock.now().getTime()
        const went = await again(one, telling)
        if (!went) return
        const took = clock.now().getTime() - began
        if (took > 0) await clock.wait(took, signal)
      }
    }
  }

  /** False: an engine has no verdict, so that the walk rests here. */
  async function again(one: Rescanned, telling: Telling[]): Promise<boolean> {
    const attachment = await records.attachment(one.id)
    const outcome =
      attachment?.state === 'accepted'
        ? await judgeStored(attachment, { ...options, scanners: telling.map(({ scanner }) => scanner) })
        : 'unreadable'
    if (outcome === null) return false
    if (attachment && outcome !== 'unreadable' && outcome.code === 'malware')
      await decisions.recall(attachment, { ...outcome, code: outcome.code, keep: true })
    const said = outcome !== 'unreadable' && outcome.code === null ? outcome.verdicts : null
    // What an engine that does not tell its signatures said once stands.
    const others =
      attachment?.verdicts.filter(({ engine }) => !said?.some((verdict) => verdict.engine === engine)) ?? []
    await records.settleRescan({ lease, reached: one, verdicts: said && [...said, ...others] })
    return true
  }

  return createLoop({ round, restMs, clock, failed: (error) => events.lateJudgingFailed(error) })
}

interface Telling {
  scanner: Scanner
  name: string
  version: string
}

/** Engines that tell by what they judge: only of those is it known when asking again may bring something new. */
async function tellingOf(scanners: Scanner[]): Promise<Telling[]> {
  const told = await Promise.all(scanners.map(async (scanner) => ({ scanner, signatures: await scanner.signatures() })))
  return told.flatMap(({ scanner, signatures }) =>
    signatures ? [{ scanner, name: scanner.name, version: signatures.version }] : [],
  )
}
