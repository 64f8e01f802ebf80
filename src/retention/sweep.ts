import { type EraseParts, erase } from './erase.ts'

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
const dayMs = 24 * 60 * 60 * 1000
const batch = 500

/**
 * Ends what is over: files past their days, erasures that were cut short, bytes that no record claims, deliveries that
 * need not be known any more. Only objects over a day old are orphans, and the records are asked just before: a younger
 * one may belong to a file that is being settled, or to a commit whose outcome was not known.
 */
export async function sweep({ retentionDays, signal }: SweepOptions, parts: EraseParts): Promise<SweepResult> {
  const { records, storage, clock, events } = parts
  const now = clock.now()
  const dayAgo = new Date(now.getTime() - dayMs)
  const bySweep = { who: 'sweep', requestId: null }
  let expired = 0
  if (retentionDays !== null) {
    const before = new Date(now.getTime() - retentionDays * dayMs)
    for (;;) {
      const ids = await records.receivedBefore({ before, limit: batch })
      for (const id of ids) await erase(id, bySweep, parts)
      expired += ids.length
      if (ids.length < batch || signal?.aborted) break
    }
  }
  for (const id of await records.erasedButStored(batch)) await erase(id, bySweep, parts)

  let orphans = 0
  let old: string[] = []
  const removeUnclaimed = async () => {
    const claimed = new Set(await records.storedAmong(old))
    for (const key of old.filter((key) => !claimed.has(key))) {
      await storage.remove(key)
      orphans++
    }
    old = []
  }
  for await (const { key, storedAt } of storage.list()) {
    if (signal?.aborted) break
    if (storedAt > dayAgo) continue
    old.push(key)
    if (old.length === batch) await removeUnclaimed()
  }
  await removeUnclaimed()

  await records.forgetDeliveries({ before: new Date(now.getTime() - deliveryKeptDays * dayMs) })
  events.swept({ orphans, expired })
  return { orphans, expired }
}
