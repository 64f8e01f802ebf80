import { randomUUID } from 'node:crypto'
import { type Proof, prove } from '../access/prove.ts'
import type { Clock } from '../clock.ts'
import { createLoop, type Loop } from '../loop.ts'
import type { StoredFile } from '../records/questions/stored.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'
import type { Storage } from '../storage/storage.ts'
import type { Events } from '../telemetry/events.ts'

export interface ScrubOptions {
  records: Records
  storage: Storage
  keys: KeyRing
  /** Every stored file is read within so many days. */
  days: number
  clock: Clock
  events: Events
}

/** How often it is looked whether files are due. */
const restMs = 60_000
/** Longer than a batch takes. */
const leaseMs = 3_600_000
const batch = 20
const dayMs = 24 * 60 * 60 * 1000
/** Of its days a walk takes so much: what is left over is for times when nothing ran. */
const share = 0.9

/**
 * Reads every stored file again and again, the newest first and evenly over its days, and no more than half of the time: bytes that
 * rot are found while a backup still has them. What is damaged or missing is told; nothing is changed. One process at a time.
 */
export function createScrub({ days, ...parts }: ScrubOptions): Loop {
  const { records, clock, events } = parts
  const lease = randomUUID()

  async function round(signal: AbortSignal): Promise<void> {
    await beginDue()
    while (!signal.aborted) {
      const now = clock.now()
      const until = new Date(now.getTime() + leaseMs)
      const due = await records.leaseScrub({ lease, now, until, withinMs: days * share * dayMs, limit: batch })
      if (due.length === 0) return
      for (const file of due) {
        if (signal.aborted) return
        const began = clock.now().getTime()
        await read(file)
        const took = clock.now().getTime() - began
        if (took > 0) await clock.wait(took, signal)
      }
    }
  }

  /** Counting goes through all records, so it is done once a walk. */
  async function beginDue(): Promise<void> {
    const now = clock.now()
    const before = new Date(now.getTime() - days * dayMs)
    const walk = await records.scrubState()
    if (walk && (walk.endedAt === null || walk.beganAt > before)) return
    await records.beginScrub({ total: await records.storedCount(), now, before })
  }

  async function read(file: StoredFile): Promise<void> {
    const attachment = await records.attachment(file.id)
    const proof = attachment ? await prove(attachment, parts) : 'gone'
    const found = proof === 'damaged' || proof === 'missing' ? foundOf(file, proof) : null
    await records.settleScrub({ lease, reached: file, found })
    if (proof !== 'gone') events.scrubbed(file.id, proof)
  }

  function foundOf({ id }: StoredFile, proof: Proof) {
    const entry = { at: clock.now(), who: '(service)', what: 'scrub_find', object: id } as const
    return { ...entry, outcome: proof, requestId: null, detail: null }
  }

  return createLoop({ round, restMs, clock, failed: (error) => events.scrubFailed(error) })
}
