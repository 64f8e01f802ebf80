import type { Clock } from '../clock.ts'
import { createLoop, type Loop } from '../loop.ts'
import type { Records } from '../records/records.ts'
import type { Decisions } from './decisions.ts'
import { judgeStored, type LateParts } from './lateVerdicts.ts'

export interface WaitingOptions extends LateParts {
  records: Records
  decisions: Decisions
  /** Refused for these, a file is kept for a person. */
  codes: readonly string[]
  clock: Clock
}

const restMs = 15_000
/** Nobody else takes a file for so long; after that it is tried again. */
const againMs = 60_000

/** Judges files that came in while an engine had no verdict, once it has: one after the other. */
export function createWaiting(options: WaitingOptions): Loop {
  const { records, decisions, codes, clock, events } = options

  async function round(signal: AbortSignal): Promise<void> {
    events.heldCounted(await records.heldState())
    while (!signal.aborted) {
      const now = clock.now()
      const [id] = await records.leaseHeld({ now, until: new Date(now.getTime() + againMs), limit: 1 })
      if (id === undefined) return
      const attachment = await records.attachment(id)
      if (attachment?.state !== 'quarantined') continue
      const outcome = await judgeStored(attachment, options)
      // An engine that has no verdict for one has none for the next.
      if (outcome === null) return
      if (outcome === 'unreadable') continue
      await decisions.judged(attachment, {
        ...outcome,
        keep: outcome.code !== null && codes.includes(outcome.code),
      })
    }
  }

  return createLoop({ round, restMs, clock, failed: (error) => events.lateJudgingFailed(error) })
}
