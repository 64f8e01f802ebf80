import { type Attachment, reference } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Unavailable } from '../errors.ts'
import { AnswerLost, CredentialsRefused, GenesysUnavailable } from '../genesys/errors.ts'
import type { Delivered, Leased } from '../records/questions/outbox.ts'
import { causes, type Events } from '../telemetry/events.ts'
import type { Limits, Texts } from './texts.ts'
import { nextAttemptAt } from './timetable.ts'
import type { Views } from './views.ts'
import type { ConfirmationWay, Owed } from './way.ts'

export interface AttemptParts {
  texts: Pick<Texts, 'sentence'>
  ways: ConfirmationWay[]
  limits: Limits
  views: Views
  clock: Clock
  events: Pick<Events, 'courierFailed'>
  random?: () => number
}

/** Longest reason that is kept. */
const longestReason = 500

/** One attempt to confirm: the ways in order, until one delivers. Never throws: what went wrong is an outcome. */
export async function attempt(leased: Leased, attachment: Attachment, parts: AttemptParts): Promise<Delivered> {
  const { attachmentId, conversationId, language, round, uncertain } = leased
  const { texts, ways, limits, views, clock } = parts
  try {
    const owed: Owed = {
      attachmentId,
      conversationId,
      text: texts.sentence(attachment, language, limits, round),
      reference: reference(attachmentId, round),
      uncertain,
      views,
    }
    const refusals: { reason: string; final: boolean }[] = []
    const warned = await warn(owed, attachment, ways)
    for (const way of ways) {
      const answer = warned && way.name === 'attributes' ? warned : await way.confirm(owed)
      if (answer.kind === 'delivered')
        return { kind: 'delivered', way: way.name, at: clock.now(), possiblyRepeated: answer.possiblyRepeated }
      refusals.push({ reason: `${way.name}: ${answer.reason}`, final: answer.final })
    }
    const reason = refusals.map(({ reason }) => reason).join('; ')
    if (refusals.every(({ final }) => final)) return parked(reason, uncertain, parts)
    return later(leased, { reason, uncertain, retryAfterSeconds: null }, parts)
  } catch (error) {
    return later(leased, failureOf(error, uncertain, parts), parts)
  }
}

/**
 * A bad file that an agent may have opened: the agent's script is told, whichever way the customer is, and first. One that was
 * accepted and is called back is such a file, through whatever door it came.
 * Null: there is nothing to warn of, or attributes are switched off.
 */
async function warn(owed: Owed, { state, agentMayHaveSeen }: Attachment, ways: ConfirmationWay[]) {
  const attributes = ways.find(({ name }) => name === 'attributes')
  const bad = (agentMayHaveSeen && state === 'refused') || state === 'recalled'
  return bad && attributes ? attributes.confirm(owed) : null
}

interface Failure {
  reason: string
  uncertain: boolean
  retryAfterSeconds: number | null
}

/** What was uncertain stays so: another failure tells nothing of the attempt before it. */
function failureOf(error: unknown, uncertain: boolean, { events }: AttemptParts): Failure {
  const { error: reason } = causes(error)
  if (error instanceof AnswerLost) return { reason, uncertain: true, retryAfterSeconds: error.retryAfterSeconds }
  if (error instanceof GenesysUnavailable) return { reason, uncertain, retryAfterSeconds: error.retryAfterSeconds }
  if (error instanceof CredentialsRefused || error instanceof Unavailable)
    return { reason, uncertain, retryAfterSeconds: null }
  // A fault of ours, at a point that we do not know.
  events.courierFailed(error)
  return { reason: 'internal error', uncertain: true, retryAfterSeconds: null }
}

function later(leased: Leased, failure: Failure, parts: AttemptParts): Delivered {
  const { reason, uncertain, retryAfterSeconds } = failure
  const { clock, random = Math.random } = parts
  const nextAt = nextAttemptAt(leased.attempts + 1, clock.now(), { retryAfterSeconds, random })
  if (nextAt === null) return parked(`given up after ${leased.attempts + 1} attempts: ${reason}`, uncertain, parts)
  return { kind: 'retry', nextAt, uncertain, reason: reason.slice(0, longestReason) }
}

function parked(reason: string, uncertain: boolean, { clock }: AttemptParts): Delivered {
  return { kind: 'parked', at: clock.now(), uncertain, reason: reason.slice(0, longestReason) }
}
