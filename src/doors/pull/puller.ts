import { randomUUID } from 'node:crypto'
import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { Unavailable } from '../../errors.ts'
import type { LeasedFetch } from '../../records/questions/fetches.ts'
import type { LeasedLookup, LookedUp } from '../../records/questions/lookups.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import type { FetchOutcome } from './fetch.ts'

/** Looks at what was spoken of, and fetches what was found. Several may work over the same records: leases keep them apart. */
export interface Puller {
  start(): void
  /** Something was asked for. */
  wake(): void
  /** Resolves when this puller has settled something, or the time is over. */
  settled(withinMs: number): Promise<void>
  /** Takes no more; resolves when what runs has ended, or after a bound, when leases that are left run out by themselves. */
  stop(): Promise<void>
}

export interface PullerOptions {
  records: Pick<Records, 'leaseLookups' | 'settleLookup' | 'leaseFetches' | 'settleFetch' | 'pullState'>
  lookUp(leased: LeasedLookup): Promise<LookedUp>
  fetchOne(leased: LeasedFetch): Promise<FetchOutcome>
  /** A file was judged. */
  judged(attachment: Attachment): void
  /** Old conversations that are begun a minute. */
  backfillsPerMinute: number
  clock: Clock
  events: Pick<
    Events,
    'lookedUp' | 'lookupDelayed' | 'lookupGivenUp' | 'fetchDelayed' | 'fileUnfetched' | 'pullFailed' | 'pullCounted'
  >
}

/** Conversations and messages that are looked at at once, beside one of a backfill. */
const mostLookups = 4
/** Files that are fetched at once. */
const mostFetches = 8

/** Longer than the longest look-up: a view and two calls for its messages, each with its turns. */
const lookupLeaseMs = 5 * 60_000
/** Longer than the longest fetch: two calls, the wait for a place, the longest download. */
const fetchLeaseMs = 10 * 60_000

/** The records may be changed from another process, which cannot wake us. */
const longestRestMs = 2000
const retrySettlingMs = 1000
const stopWithinMs = 15_000

export function createPuller(options: PullerOptions): Puller {
  const { records, clock, events } = options
  const running = {
    lookups: new Set<Promise<void>>(),
    backfills: new Set<Promise<void>>(),
    fetches: new Set<Promise<void>>(),
  }
  const fetching = new Set<string>()
  const stopping = new AbortController()
  let rest = new AbortController()
  let change = new AbortController()
  let loop: Promise<void> | null = null
  let backfillAt = Number.NEGATIVE_INFINITY

  const betweenBackfillsMs = 60_000 / options.backfillsPerMinute
  const now = () => clock.now().getTime()
  const wake = () => rest.abort()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Made before the records are asked: who wakes us from here on is not missed.
      rest = new AbortController()
      const restMs = await round().catch((error: unknown) => {
        events.pullFailed(error)
        return longestRestMs
      })
      if (!stopping.signal.aborted) await clock.wait(restMs, rest.signal)
    }
  }

  /** Begins what is due, as far as there is room, and tells how long there is surely nothing to do. */
  async function round(): Promise<number> {
    for (const leased of await leaseLookups(mostLookups - running.lookups.size, false))
      begin(running.lookups, () => settleLookup(leased))
    if (now() - backfillAt >= betweenBackfillsMs || now() < backfillAt)
      for (const leased of await leaseLookups(1 - running.backfills.size, true)) {
        backfillAt = now()
        begin(running.backfills, () => settleLookup(leased))
      }
    for (const leased of await leaseFetches(mostFetches - running.fetches.size)) {
      fetching.add(leased.attachmentId)
      begin(running.fetches, () => settleFetch(leased).finally(() => fetching.delete(leased.attachmentId)))
    }
    const state = await records.pullState()
    events.pullCounted({ lookups: state.lookups.pending, fetching: state.fetching, unfetched: state.unfetched })
    const untilDue = (state.nextDueAt?.getTime() ?? Number.POSITIVE_INFINITY) - now()
    const untilBackfill = backfillAt + betweenBackfillsMs - now()
    return Math.min(...[untilDue, untilBackfill].filter((ms) => ms > 0), longestRestMs)
  }

  function begin(among: Set<Promise<void>>, work: () => Promise<void>): void {
    const one = work()
      // The lease runs out, and then it is taken up again.
      .catch((error: unknown) => events.pullFailed(error))
      .finally(() => {
        among.delete(one)
        wake()
        change.abort()
        change = new AbortController()
      })
    among.add(one)
  }

  function term(ms: number) {
    const at = clock.now()
    return { lease: randomUUID(), now: at, until: new Date(at.getTime() + ms) }
  }

  const leaseLookups = async (limit: number, backfills: boolean) =>
    limit > 0 ? records.leaseLookups({ ...term(lookupLeaseMs), limit, backfills }) : []

  const leaseFetches = async (limit: number) =>
    limit > 0 ? records.leaseFetches({ ...term(fetchLeaseMs), limit, busy: [...fetching] }) : []

  async function settleLookup(leased: LeasedLookup): Promise<void> {
    const outcome = await options.lookUp(leased)
    const found = await insist(() => records.settleLookup({ leased, outcome, at: clock.now() }), lookupLeaseMs)
    if (found === null) return
    const { conversationId, messageId } = leased
    if (outcome.kind === 'done') events.lookedUp(conversationId, messageId, found)
    else if (outcome.kind === 'retry') events.lookupDelayed(conversationId, outcome.reason, outcome.nextAt)
    else events.lookupGivenUp(conversationId, outcome.kind, outcome.reason)
  }

  async function settleFetch(leased: LeasedFetch): Promise<void> {
    const outcome = await options.fetchOne(leased)
    if (outcome.kind === 'not_held') return
    if (outcome.kind === 'judged') return options.judged(outcome.attachment)
    const held = await insist(() => records.settleFetch({ fetch: leased, outcome, at: clock.now() }), fetchLeaseMs)
    if (!held) return
    const { attachmentId } = leased
    if (outcome.kind === 'retry') events.fetchDelayed(attachmentId, outcome.reason, outcome.nextAt)
    if (outcome.kind === 'unfetched') events.fileUnfetched(attachmentId, leased.conversationId, outcome.reason)
  }

  /** Asks the records again while they are unavailable, for as long as a lease may last. */
  async function insist<T>(ask: () => Promise<T>, forMs: number): Promise<T> {
    const until = now() + forMs
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof Unavailable) || stopping.signal.aborted || now() >= until) throw error
        await clock.wait(retrySettlingMs, stopping.signal)
      }
    }
  }

  return {
    start() {
      loop ??= run()
    },
    wake,
    settled: (withinMs) => clock.wait(withinMs, change.signal),
    async stop() {
      stopping.abort()
      wake()
      const ended = new AbortController()
      const all = () => Promise.allSettled(Object.values(running).flatMap((some) => [...some]))
      const finished = Promise.allSettled([loop]).then(all)
      await Promise.race([finished, clock.wait(stopWithinMs, ended.signal)])
      ended.abort()
    },
  }
}
