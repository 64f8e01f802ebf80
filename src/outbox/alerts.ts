import { createHmac, randomBytes, randomUUID } from 'node:crypto'
import type { Attachment } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import type { AlertKind, AlertOutcome, LeasedAlert, NewAlert } from '../records/questions/alerts.ts'
import type { Records } from '../records/records.ts'
import { causes, type Events } from '../telemetry/events.ts'
import { nextAttemptAt } from './timetable.ts'

/**
 * What is owed to the webhook about a file, by what the operator wants to be told: that a file was refused which an agent
 * may have seen; that one was accepted, through whatever door; that one could not be fetched. Null: nothing.
 */
export function alertOf(
  { state, agentMayHaveSeen }: Pick<Attachment, 'state' | 'agentMayHaveSeen'>,
  on: readonly AlertKind[],
): NewAlert | null {
  const kind = on.find((one) => one === state)
  if (kind === undefined || (kind === 'refused' && !agentMayHaveSeen)) return null
  return newAlert(kind)
}

export function newAlert(kind: AlertKind): NewAlert {
  return { id: `alr_${randomBytes(16).toString('hex')}`, kind }
}

/** Takes alerts to the operator's webhook. Nothing that goes wrong there reaches anything else. */
export interface Alerter {
  start(): void
  /** Something was settled, and may be owed. */
  wake(): void
  /** Takes no more; resolves when what runs has ended. */
  stop(): Promise<void>
}

export interface AlerterOptions {
  records: Pick<Records, 'leaseAlerts' | 'settleAlert' | 'alertState' | 'attachment'>
  url: string
  secret: string
  clock: Clock
  events: Pick<Events, 'alerted' | 'alertDelayed' | 'alertParked' | 'alerterFailed' | 'alertsCounted'>
  /** Spreads the timetable: 0 to 1. */
  random?: () => number
}

const mostAtOnce = 4
const tryMs = 10_000
/** Longer than the longest attempt. */
const leaseMs = 60_000
const longestRestMs = 2000
const longestReason = 500

export function createAlerter(options: AlerterOptions): Alerter {
  const { records, clock, events } = options
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  let rest = new AbortController()
  let loop: Promise<void> | null = null

  const wake = () => rest.abort()

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      rest = new AbortController()
      const restMs = await round().catch((error: unknown) => {
        events.alerterFailed(error)
        return longestRestMs
      })
      if (!stopping.signal.aborted) await clock.wait(restMs, rest.signal)
    }
  }

  async function round(): Promise<number> {
    const now = clock.now()
    const limit = mostAtOnce - running.size
    const until = new Date(now.getTime() + leaseMs)
    const leased = limit > 0 ? await records.leaseAlerts({ lease: randomUUID(), now, until, limit }) : []
    for (const one of leased) {
      const sending = deliver(one)
        // The lease runs out, and then it is sent again, with the same id.
        .catch((error: unknown) => events.alerterFailed(error))
        .finally(() => {
          running.delete(sending)
          wake()
        })
      running.add(sending)
    }
    const { pending, parked, nextDueAt } = await records.alertState()
    events.alertsCounted(pending, parked)
    const untilDue = (nextDueAt?.getTime() ?? Number.POSITIVE_INFINITY) - clock.now().getTime()
    return untilDue > 0 ? Math.min(untilDue, longestRestMs) : longestRestMs
  }

  async function deliver(leased: LeasedAlert): Promise<void> {
    const outcome = await attempt(leased)
    const { id, lease, kind } = leased
    if (!(await records.settleAlert({ id, lease, outcome, at: clock.now() }))) return
    if (outcome.kind === 'delivered') events.alerted(id, kind, leased.attempts + 1)
    if (outcome.kind === 'retry') events.alertDelayed(id, outcome.reason, outcome.nextAt)
    if (outcome.kind === 'parked') events.alertParked(id, outcome.reason)
  }

  async function attempt(leased: LeasedAlert): Promise<AlertOutcome> {
    let failure: { reason: string; retryAfterSeconds: number | null }
    try {
      const attachment = await records.attachment(leased.attachmentId)
      if (!attachment || attachment.state === 'erased') return { kind: 'dropped' }
      const { status, retryAfter } = await post(leased, attachment, options)
      if (status >= 200 && status < 300) return { kind: 'delivered' }
      failure = { reason: `the webhook answers ${status}`, retryAfterSeconds: retryAfter }
    } catch (error) {
      if (error instanceof Unavailable) throw error
      failure = { reason: `the webhook does not answer: ${causes(error).error}`, retryAfterSeconds: null }
    }
    const reason = failure.reason.slice(0, longestReason)
    const { random = Math.random } = options
    const { retryAfterSeconds } = failure
    const nextAt = nextAttemptAt(leased.attempts + 1, clock.now(), { retryAfterSeconds, random })
    if (nextAt) return { kind: 'retry', nextAt, reason }
    return { kind: 'parked', reason: `given up after ${leased.attempts + 1} attempts: ${reason}` }
  }

  return {
    start() {
      loop ??= run()
    },
    wake,
    async stop() {
      stopping.abort()
      wake()
      await Promise.allSettled([loop])
      await Promise.allSettled([...running])
    },
  }
}

/** One POST, signed as pushes to us are. Redirects are not followed, and nothing of the answer's body is read. */
async function post(
  { id, kind, createdAt }: LeasedAlert,
  attachment: Attachment,
  { url, secret, clock }: AlerterOptions,
): Promise<{ status: number; retryAfter: number | null }> {
  const body = JSON.stringify({ id, kind: `file.${kind}`, at: createdAt.toISOString(), attachment })
  const { pathname, search } = new URL(url)
  const time = Math.floor(clock.now().getTime() / 1000)
  const signature = createHmac('sha256', secret).update(`${time}.POST ${pathname}${search}\n${body}`).digest('hex')
  const over = new AbortController()
  const answered = new AbortController()
  void clock.wait(tryMs, answered.signal).then(() => over.abort(new Error(`no answer within ${tryMs} ms`)))
  try {
    const response = await fetch(url, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-clipgate-alert-id': id,
        'x-clipgate-signature': `t=${time},v1=${signature}`,
      },
      body,
      redirect: 'manual',
      signal: over.signal,
    })
    await response.body?.cancel()
    const after = response.headers.get('retry-after') ?? ''
    return { status: response.status, retryAfter: /^\d{1,9}$/.test(after) ? Number(after) : null }
  } finally {
    answered.abort()
  }
}
