import { randomUUID } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import { type GenesysClient, longestCallMs } from '../genesys/client.ts'
import type { Delivered, Leased } from '../records/questions/outbox.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'
import { attempt } from './attempt.ts'
import type { Limits, Texts } from './texts.ts'
import { createViews } from './views.ts'
import type { ConfirmationWay } from './way.ts'

/** Takes confirmations from the outbox to Genesys Cloud. Nothing that goes wrong with one reaches another, or a caller. */
export interface Courier {
  start(): void
  /** Something was settled, and may be owed. */
  wake(): void
  /** Takes no more; resolves when what runs has ended, or after a bound, when leases that are left run out by themselves. */
  stop(): Promise<void>
}

export interface CourierOptions {
  records: Pick<Records, 'leaseConfirmations' | 'settleConfirmation' | 'attachment' | 'outboxState'>
  genesys: Pick<GenesysClient, 'getConversation'>
  texts: Pick<Texts, 'sentence'>
  /** In order: the first that Genesys takes. */
  ways: ConfirmationWay[]
  limits: Limits
  clock: Clock
  events: Pick<Events, 'confirmed' | 'confirmationDelayed' | 'confirmationParked' | 'courierFailed' | 'outboxCounted'>
  /** Deliveries at once, each to another conversation. */
  concurrency?: number
  /** Spreads the timetable: 0 to 1. */
  random?: () => number
}

/** Calls of the longest delivery: two views, a look, two messages, and a view and a change for the attributes. */
const mostCalls = 7

/** Longer than the longest delivery, so that nobody else begins what is still running. */
const leaseMs = (mostCalls + 1) * longestCallMs

/** The outbox may be changed from another process, which cannot wake us. */
const longestRestMs = 2000

/** Counting everything after every delivery would cost more than the deliveries. */
const countEveryMs = 1000

const retrySettlingMs = 1000
const stopWithinMs = 15_000

export function createCourier(options: CourierOptions): Courier {
  const { records, clock, events, concurrency = 8 } = options
  const parts = { ...options, views: createViews(options.genesys, clock) }
  /** Each with its conversation. */
  const running = new Map<Promise<void>, string>()
  const stopping = new AbortController()
  let rest = new AbortController()
  let loop: Promise<void> | null = null
  let counted: { at: number; nextDueAt: Date | null } | null = null

  const now = () => clock.now().getTime()
  // With a reason of our own: the one that there is else is an error with its stack, for each file.
  const wake = () => rest.abort('woken')

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Made before the outbox is asked: who wakes us from here on is not missed.
      rest = new AbortController()
      const restMs = await round().catch((error: unknown) => {
        events.courierFailed(error)
        return longestRestMs
      })
      if (!stopping.signal.aborted) await clock.wait(restMs, rest.signal)
    }
  }

  /** Begins what is due, as far as there is room, and tells how long there is surely nothing to do. */
  async function round(): Promise<number> {
    const room = concurrency - running.size
    const leased = room > 0 ? await lease(room) : []
    for (const one of leased) {
      const delivery = deliver(one).finally(() => {
        running.delete(delivery)
        wake()
      })
      running.set(delivery, one.conversationId)
    }
    if (counted === null || now() - counted.at >= countEveryMs || now() < counted.at) await count()
    const untilDue = (counted?.nextDueAt?.getTime() ?? Number.POSITIVE_INFINITY) - now()
    return untilDue > 0 ? Math.min(untilDue, longestRestMs) : longestRestMs
  }

  async function lease(limit: number): Promise<Leased[]> {
    const at = clock.now()
    return records.leaseConfirmations({
      lease: randomUUID(),
      now: at,
      until: new Date(at.getTime() + leaseMs),
      limit,
      busy: [...running.values()],
    })
  }

  async function count(): Promise<void> {
    const { pending, parked, nextDueAt } = await records.outboxState()
    counted = { at: now(), nextDueAt }
    events.outboxCounted(pending, parked)
  }

  async function deliver(leased: Leased): Promise<void> {
    const until = now() + leaseMs
    try {
      const attachment = await insist(() => records.attachment(leased.attachmentId), until)
      // What is erased is owed to nobody any more, and erasing has said so in the outbox.
      if (!attachment || attachment.state === 'erased') return
      const outcome = await attempt(leased, attachment, parts)
      const { attachmentId, lease } = leased
      const held = await insist(() => records.settleConfirmation({ attachmentId, lease, outcome }), until)
      if (held) tell(leased, outcome)
    } catch (error) {
      // The lease runs out, and then it is taken up again as uncertain.
      events.courierFailed(error)
    }
  }

  /** Asks the records again while they are unavailable and the lease is held. */
  async function insist<T>(ask: () => Promise<T>, until: number): Promise<T> {
    for (;;) {
      try {
        return await ask()
      } catch (error) {
        if (!(error instanceof Unavailable) || stopping.signal.aborted || now() + retrySettlingMs >= until) throw error
        await clock.wait(retrySettlingMs, stopping.signal)
      }
    }
  }

  function tell({ attachmentId, attempts }: Leased, outcome: Delivered): void {
    if (outcome.kind === 'delivered') events.confirmed(attachmentId, outcome.way, attempts + 1)
    else if (outcome.kind === 'retry') events.confirmationDelayed(attachmentId, outcome.reason, outcome.nextAt)
    else events.confirmationParked(attachmentId, outcome.reason)
  }

  return {
    start() {
      loop ??= run()
    },
    wake() {
      // A delivery that ends makes room, and begins the next round.
      if (running.size < concurrency) wake()
    },
    async stop() {
      stopping.abort()
      wake()
      const ended = new AbortController()
      const finished = Promise.allSettled([loop]).then(() => Promise.allSettled(running.keys()))
      await Promise.race([finished, clock.wait(stopWithinMs, ended.signal)])
      ended.abort()
    },
  }
}
