import type { Clock } from '../../clock.ts'
import type { GenesysClient } from '../../genesys/client.ts'
import { messagesWithFiles, type Sides } from '../../genesys/conversation.ts'
import { GenesysRefused } from '../../genesys/errors.ts'
import { nextAttemptAt } from '../../outbox/timetable.ts'
import type { Learned } from '../../records/questions/fetches.ts'
import type { LeasedLookup, LookedUp } from '../../records/questions/lookups.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import { failureOf } from './failure.ts'
import { sourcesOf } from './sources.ts'

export interface LookupParts {
  genesys: Pick<GenesysClient, 'getConversation' | 'getMessage' | 'getMessages'>
  records: Pick<Records, 'knownMessages'>
  scan: 'required' | 'off'
  sides: Sides
  clock: Clock
  events: Pick<Events, 'pullFailed'>
  random?: () => number
}

/** The bulk call takes no more ids (FACTS 2.3). */
const mostIds = 1000

/** Asks the platform which files came with a message, or with a conversation's messages that we do not know yet. Never throws. */
export async function lookUp(leased: LeasedLookup, parts: LookupParts): Promise<LookedUp> {
  try {
    const { conversationId, messageId } = leased
    const learned =
      messageId === null
        ? await ofConversation(conversationId, parts)
        : await ofMessage(conversationId, messageId, parts)
    if (learned === null) return { kind: 'missing', reason: 'the message is of another conversation' }
    return { kind: 'done', learned, scan: parts.scan }
  } catch (error) {
    // 400 is how a path of the platform answers to what cannot be an id.
    if (error instanceof GenesysRefused && [400, 404].includes(error.status))
      return { kind: 'missing', reason: error.message }
    const { reason, retryAfterSeconds } = failureOf(error, parts.events)
    const { clock, random = Math.random } = parts
    const nextAt = nextAttemptAt(leased.attempts + 1, clock.now(), { retryAfterSeconds, random })
    if (nextAt) return { kind: 'retry', nextAt, reason }
    return { kind: 'parked', reason: `given up after ${leased.attempts + 1} attempts: ${reason}` }
  }
}

async function ofMessage(
  conversationId: string,
  messageId: string,
  { genesys, sides }: LookupParts,
): Promise<Learned[] | null> {
  const message = await genesys.getMessage(messageId)
  return message.conversationId === conversationId ? sourcesOf(message, sides) : null
}

async function ofConversation(conversationId: string, { genesys, records, sides }: LookupParts): Promise<Learned[]> {
  const conversation = await genesys.getConversation(conversationId)
  const known = new Set(await records.knownMessages(conversationId))
  const ids = messagesWithFiles(conversation, sides).filter((id) => !known.has(id))
  const learned: Learned[] = []
  for (let from = 0; from < ids.length; from += mostIds)
    for (const message of await messages(conversationId, ids.slice(from, from + mostIds), genesys))
      learned.push(...sourcesOf(message, sides))
  return learned
}

/** By the bulk call, or one by one where that is refused: that client credentials may make it is expected, not confirmed. */
async function messages(conversationId: string, ids: string[], genesys: LookupParts['genesys']) {
  if (ids.length > 1)
    try {
      return await genesys.getMessages(conversationId, ids)
    } catch (error) {
      if (!(error instanceof GenesysRefused)) throw error
    }
  const found = []
  for (const id of ids) found.push(await genesys.getMessage(id))
  return found
}
