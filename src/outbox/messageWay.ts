import type { GenesysClient } from '../genesys/client.ts'
import { agentCommunicationId, type Conversation, hasEnded, newestMessageIds } from '../genesys/conversation.ts'
import { AnswerLost, GenesysRefused, needsUserContext } from '../genesys/errors.ts'
import type { Events } from '../telemetry/events.ts'
import type { ConfirmationWay, Owed, WayAnswer } from './way.ts'

/** How many of a conversation's newest messages are read for a reference. */
const messagesRead = 200

const userContext = 'sending needs a user context'

/** What became of an earlier attempt, by what can be read of the conversation. */
type Looked = 'found' | 'not_found' | 'impossible'

/**
 * A message to the customer on the connected agent's communication. That client credentials may do so is unconfirmed on
 * the platform: when it says that it needs a user context, nobody asks again until another token is given.
 *
 * An attempt whose answer was lost is looked for by its reference before anything is sent; so the customer reads it
 * twice only when it could not be looked for, or was not to be seen yet.
 */
export function messageWay({
  genesys,
  events,
}: {
  genesys: GenesysClient
  events: Pick<Events, 'genesysWayRefused'>
}): ConfirmationWay {
  /** The token, by its number, for which sending was refused. */
  let refusedToken: number | null = null

  async function confirm(owed: Owed): Promise<WayAnswer> {
    const looked = owed.uncertain ? await look(await owed.views.fresh(owed.conversationId), owed) : null
    if (looked === 'found') return { kind: 'delivered', possiblyRepeated: false }
    if (refusedToken === genesys.tokensGiven()) return notThisWay(userContext)
    const view = await owed.views.recent(owed.conversationId, { do: (view) => agentCommunicationId(view) !== null })
    try {
      return await sendOn(view, owed)
    } catch (error) {
      // Twice is enough: where nobody can look, a third copy could follow, and a fourth.
      if (error instanceof AnswerLost && looked === 'impossible')
        return notThisWay('the answer was lost twice, and the conversation cannot be read')
      throw error
    }
  }

  async function look(view: Conversation, { conversationId, reference }: Owed): Promise<Looked> {
    const ids = newestMessageIds(view, messagesRead)
    if (ids.length === 0) return 'not_found'
    try {
      const messages = await genesys.getMessages(conversationId, ids)
      const isOurs = messages.some(
        ({ direction, normalizedMessage }) =>
          direction !== 'inbound' && normalizedMessage?.text?.includes(reference) === true,
      )
      return isOurs ? 'found' : 'not_found'
    } catch (error) {
      if (error instanceof GenesysRefused) return 'impossible'
      throw error
    }
  }

  async function sendOn(view: Conversation, owed: Owed): Promise<WayAnswer> {
    const communicationId = agentCommunicationId(view)
    if (communicationId === null) return withoutAgent(view)
    try {
      return await send(communicationId, owed)
    } catch (error) {
      if (!(error instanceof GenesysRefused)) throw error
      if (needsUserContext(error)) {
        refusedToken = genesys.tokensGiven()
        events.genesysWayRefused('message', error.message)
        return notThisWay(userContext)
      }
      // The agent may have left since the view was read, and another may have come.
      const now = await owed.views.fresh(owed.conversationId)
      const agentNow = agentCommunicationId(now)
      if (agentNow === null) return withoutAgent(now)
      if (agentNow !== communicationId) return send(agentNow, owed)
      throw error
    }
  }

  async function send(communicationId: string, { conversationId, text, uncertain }: Owed): Promise<WayAnswer> {
    await genesys.sendMessage(conversationId, communicationId, text)
    return { kind: 'delivered', possiblyRepeated: uncertain }
  }

  return {
    name: 'message',
    async confirm(owed) {
      try {
        return await confirm(owed)
      } catch (error) {
        if (!(error instanceof GenesysRefused)) throw error
        events.genesysWayRefused('message', error.message)
        return notThisWay(error.message)
      }
    },
  }
}

function notThisWay(reason: string): WayAnswer {
  return { kind: 'not_this_way', reason, final: true }
}

function withoutAgent(view: Conversation): WayAnswer {
  if (hasEnded(view)) return notThisWay('the conversation has ended')
  return { kind: 'not_this_way', reason: 'no agent is connected', final: false }
}
