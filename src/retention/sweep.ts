import type { AttachmentId } from '../attachment.ts'
import { Conflict, NotFound, Unavailable } from '../errors.ts'
import type { Decisions } from '../quarantine/decisions.ts'
import { type EraseParts, erase } from './erase.ts'

export interface SweepParts extends EraseParts {
  decisions: Pick<Decisions, 'destroy'>
}

export interface SweepOptions {
  /** Null: files are kept until they are erased. */
  retentionDays: number | null
  /** Ends the sweep early: the next one goes on. */
  signal?: AbortSignal
}

export interface SweepResult {
  /** Objects without a record. */
  orphans: number
  /** Files past their days. */
  expired: number
}

/** How long a sender's own name for a delivery is remembered. */
const deliveryKeptDays = 7
/** How long what was looked at is remembered, so that a backfill is resumed, and an event known again (retried for 4 days). */
const lookupKeptDays = 35
/** The longest for which a policy can have a verdict serve again. */
const verdictKeptDays = 30
const dayMs = 24 * 60 * 60 * 1000
const batch = 500

/**
 * Ends what is over: files past their days, held ones that nobody decided on, erasures that were cut short, bytes that no record claims, deliveries that
 * need not be known any more. Only objects over a day old are orphans, and the records are asked just before: a younger
 * one may belong to a file that is being settled, or to a commit whose outcome was not known.
 * What cannot be ended now does not hold up the rest: throws `Unavailable` after all that could be done is done.
 */
export async function sweep({ retentionDays, signal }: SweepOptions, parts: SweepParts): Promise<SweepResult> {
  const { records, storage, decisions, clock, events } = parts
  const now = clock.now()
  const dayAgo = new Date(now.getTime() - dayMs)
  const bySweep = { who: 'sweep', requestId: null }
  const failures: unknown[] = []
  /** Tells how many were done. */
  const each = async <T>(items: T[], work: (item: T) => Promise<unknown>): Promise<number> => {
    let done = 0
    for (const item of items) {
      if (signal?.aborted) break
      await work(item).then(
        () => done++,
        (error: unknown) => failures.push(error),
      )
    }
    return done
  }
  const eraseAll = async (find: () => Promise<AttachmentId[]>, unsentBefore: Date | null = null): Promise<number> => {
    for (let all = 0; ; ) {
      const ids = await find()
      const done = await each(ids, (id) =>
        erase(id, { ...bySweep, unsentBefore }, parts).catch((error: unknown) => {
          // Somebody else has erased it, or it was sent meanwhile.
          if (!(error instanceof NotFound)) throw error
        }),
      )
      all += done
      if (ids.length < batch || done === 0) return all
    }
  }
  const removeUnclaimed = async (keys: string[]): Promise<number> => {
    const claimed = new Set(await records.storedAmong(keys))
    return each(
      keys.filter((key) => !claimed.has(key)),
      (key) => storage.remove(key),
    )
  }

  let expired = 0
  if (retentionDays !== null) {
    const before = new Date(now.getTime() - retentionDays * dayMs)
    expired = await eraseAll(() => records.receivedBefore({ before, limit: batch }))
  }
  // Came through the gateway, and nobody sent it.
  await eraseAll(() => records.unsentFiles({ before: dayAgo, limit: batch }), dayAgo)
  for (;;) {
    const ids = await records.heldTooLong({ now, limit: batch })
    const done = await each(ids, (id) =>
      decisions.destroy(id, { ...bySweep, reason: 'nobody decided in time' }).catch((error: unknown) => {
        // Somebody has decided meanwhile, or erased it.
        if (!(error instanceof Conflict || error instanceof NotFound)) throw error
      }),
    )
    if (ids.length < batch || done === 0) break
  }
  // An erasure of a record without bytes may have been cut short before this.
  await records.truncateLog().catch((error: unknown) => failures.push(error))
  for (;;) {
    const ids = await records.storedInVain(batch)
    const done = await each(ids, async (id) => {
      await storage.remove(id)
      await records.bytesRemoved(id)
    })
    if (ids.length < batch || done === 0) break
  }

  const removeOrphans = async (): Promise<number> => {
    const ids = await records.masterKeyIds()
    if (ids.length > 0 && !(await storage.isOwnedBy(ids)))
      throw new Unavailable('the storage belongs to another installation, and nothing in it is swept')
    await storage.removeUnfinished(dayAgo).catch((error: unknown) => failures.push(error))
    let removed = 0
    let old: string[] = []
    for await (const { key, storedAt } of storage.list()) {
      if (signal?.aborted) break
      if (storedAt > dayAgo) continue
      old.push(key)
      if (old.length < batch) continue
      removed += await removeUnclaimed(old)
      old = []
    }
    return removed + (await removeUnclaimed(old))
  }
  const orphans = await removeOrphans().catch((error: unknown) => {
    failures.push(error)
    return 0
  })

  await records.forgetVerdicts({ before: new Date(now.getTime() - verdictKeptDays * dayMs) })
  await records.forgetGatewayFiles({
    before: dayAgo,
    completedBefore: new Date(now.getTime() - lookupKeptDays * dayMs),
  })
  await records.forgetSpent(now)
  await records.forgetSessions(now)
  await records.forgetAlerts({ before: new Date(now.getTime() - deliveryKeptDays * dayMs) })
  await records.forgetLookups({ before: new Date(now.getTime() - lookupKeptDays * dayMs) })
  // A day more than ours: nodes may differ in what day it is.
  await records.forgetUsage(new Date(now.getTime() - 2 * dayMs).toISOString().slice(0, 10))
  await records.forgetDeliveries({ before: new Date(now.getTime() - deliveryKeptDays * dayMs) })
  events.swept({ orphans, expired })
  if (failures.length > 0) throw new Unavailable(`the sweep left ${failures.length} undone`, { cause: failures[0] })
  return { orphans, expired }
}
