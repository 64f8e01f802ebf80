import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import type { Loop } from './loop.ts'
import { alertOf } from './outbox/alerts.ts'
import { createDecisions, type Decisions } from './quarantine/decisions.ts'
import { createRescan } from './quarantine/rescan.ts'
import { createWaiting } from './quarantine/waiting.ts'
import type { Records } from './records/records.ts'
import type { Scanner } from './scan/scanner.ts'
import type { KeyRing } from './seal/keys.ts'
import type { Storage } from './storage/storage.ts'
import type { Events } from './telemetry/events.ts'

export interface QuarantineParts {
  config: Config
  records: Records
  storage: Storage
  keys: KeyRing
  /** Null: scanning is switched off, so nothing is judged late. */
  scanners: Scanner[] | null
  /** Something is owed. */
  wake(): void
  clock: Clock
  events: Events
}

/** What becomes of files after they were settled: by people, and by engines that have more to say. */
export function createQuarantine(parts: QuarantineParts): { decisions: Decisions; loops: Loop[] } {
  const { config, scanners, ...rest } = parts
  const { quarantine, rescanDays } = config.policy
  const decisions = createDecisions({
    ...rest,
    policy: quarantine,
    alertOf: (attachment) => alertOf(attachment, config.alert?.on ?? []),
  })
  if (!scanners) return { decisions, loops: [] }
  const options = { ...rest, scanners, decisions }
  const loops = [createWaiting({ ...options, codes: quarantine.codes })]
  if (rescanDays > 0) loops.push(createRescan({ ...options, days: rescanDays }))
  return { decisions, loops }
}
