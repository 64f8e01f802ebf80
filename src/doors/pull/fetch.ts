import { randomBytes } from 'node:crypto'
import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { Gone } from '../../errors.ts'
import type { GenesysClient, MessageData } from '../../genesys/client.ts'
import { GenesysRefused } from '../../genesys/errors.ts'
import type { Media } from '../../genesys/media/download.ts'
import { MediaForbidden, MediaGone } from '../../genesys/media/errors.ts'
import type { Intake } from '../../intake/intake.ts'
import { newAlert } from '../../outbox/alerts.ts'
import { nextAttemptAt } from '../../outbox/timetable.ts'
import type { Fetched, LeasedFetch } from '../../records/questions/fetches.ts'
import type { Events } from '../../telemetry/events.ts'
import { failureOf } from './failure.ts'
import { isTooOld, keptDays, type Source, sourcesOf } from './sources.ts'

export interface FetchParts {
  genesys: Pick<GenesysClient, 'getMessage'>
  media: Media
  intake: Intake
  clock: Clock
  events: Pick<Events, 'pullFailed'>
  /** Whether the operator's webhook is told of what cannot be fetched. */
  alerts: boolean
  random?: () => number
}

/** Nobody waits for an answer, so nobody goes away. */
const noOneWaits = new AbortController().signal

/** `judged`: the file went through intake, which has settled it. `not_held`: somebody else has, or it was erased. */
export type FetchOutcome = Fetched | { kind: 'judged'; attachment: Attachment } | { kind: 'not_held' }

/** Brings one file in: the same intake as through every door. Never throws. */
export async function fetchOne(leased: LeasedFetch, parts: FetchParts): Promise<FetchOutcome> {
  const { attachmentId, lease, learnedAt, conversationId, messageId, language, filename, declaredType } = leased
  const { genesys, media, intake, clock } = parts
  let message: MessageData | null = null
  const source = async (): Promise<Source> => {
    message = await genesys.getMessage(messageId)
    const found = sourcesOf(message, 'both').find(({ sourceId }) => sourceId === leased.sourceId)
    if (!found) throw new MediaForbidden('the message has this file no more')
    return found
  }
  const unfetched = (reason: string): FetchOutcome => ({
    kind: 'unfetched',
    reason,
    alert: parts.alerts ? newAlert('unfetched') : null,
  })
  try {
    const { media: first } = await source()
    const { attachment, repeated } = await intake(
      {
        door: 'pull',
        deploymentId: null,
        conversationId,
        countsFor: conversationId,
        messageId,
        language,
        filename,
        declaredType,
        sentBy: leased.sentBy,
        delivery: null,
        fetch: { attachmentId, lease, learnedAt },
        spend: null,
        unproven: false,
        proved: async () => {},
        gone: noOneWaits,
        atMost: first.size,
        bytes: media.download(first, async () => (await source()).media),
      },
      { who: '(pull)', requestId: `fetch_${randomBytes(10).toString('hex')}` },
    )
    return repeated ? { kind: 'became', attachmentId: attachment.id } : { kind: 'judged', attachment }
  } catch (error) {
    if (error instanceof Gone) return { kind: 'not_held' }
    const final = finalReason(error, message, clock.now())
    if (final !== null) return unfetched(final)
    const { reason, retryAfterSeconds } = failureOf(error, parts.events)
    const nextAt = nextAttemptAt(leased.attempts + 1, clock.now(), {
      retryAfterSeconds,
      random: parts.random ?? Math.random,
    })
    if (nextAt) return { kind: 'retry', nextAt, reason }
    return unfetched(`given up after ${leased.attempts + 1} attempts: ${reason}`)
  }
}

/** What another attempt would end in, too; null: it may end better. */
function finalReason(error: unknown, message: MessageData | null, now: Date): string | null {
  if (error instanceof MediaForbidden) return error.message
  if (error instanceof MediaGone && message && isTooOld(message, now))
    return `the platform keeps files for ${keptDays} days, and this one is older: ${error.message}`
  if (error instanceof GenesysRefused && error.status === 404 && !message) return error.message
  return null
}
