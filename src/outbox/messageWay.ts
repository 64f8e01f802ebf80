import type { GenesysClient } from '../genesys/client.ts'
import { agentCommunicationId, type Conversation, hasEnded } from '../genesys/conversation.ts'
import { AnswerLost, CredentialsRefused, GenesysRefused, needsUserContext } from '../genesys/errors.ts'
import type { Events } from '../telemetry/events.ts'
import { lookFor } from './lookFor.ts'
import { type ConfirmationWay, notThisWay, type Owed, type WayAnswer } from './way.ts'

/** Whose token sends: a service user's, or the client's own. */
export type Sender = Pick<GenesysClient, 'sendMessage' | 'tokensGiven'>

const userContext = 'sending needs a user context'

/**
 * A message to the customer on the connected agent's communication. That client credentials may do so is unconfirmed on
 * the platform, and so is that a user may who is not the agent: when it says that it needs a user context, nobody asks
 * again with that token. A service user who has signed in is asked first.
 *
 * An attempt whose answer was lost is looked for by its reference before anything is sent; so the customer reads it
 * twice only when it could not be looked for, or was not to be seen yet.
 */
export function messageWay({
  genesys,
  user,
  events,
}: {
  genesys: GenesysClient
  user: Sender | null
  events: Pick<Events, 'genesysWayRefused'>
}): ConfirmationWay {
  const senders: Sender[] = user ? [user, genesys] : [genesys]
  /** The token of each, by its number, for which sending was refused. */
  const refused = new Map<Sender, number>()
  const isRefused = (sender: Sender) => refused.get(sender) === sender.tokensGiven()

  async function confirm(owed: Owed): Promise<WayAnswer> {
    const looked = owed.uncertain ? await lookFor(genesys, owed) : null
    if (looked === 'found') return { kind: 'delivered', possiblyRepeated: false }
    if (senders.every(isRefused)) return notThisWay(userContext)
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

  async function sendOn(view: Conversation, owed: Owed): Promise<WayAnswer> {
    const communicationId = agentCommunicationId(view)
    if (communicationId === null) return withoutAgent(view)
    try {
      return await send(communicationId, owed)
    } catch (error) {
      if (!(error instanceof GenesysRefused)) throw error
      // The agent may have left since the view was read, and another may have come.
      const now = await owed.views.fresh(owed.conversationId)
      const agentNow = agentCommunicationId(now)
      if (agentNow === null) return withoutAgent(now)
      if (agentNow !== communicationId) return send(agentNow, owed)
      throw error
    }
  }

  /** By the first whose token is taken. Nothing is sent by one and then by another: a lost answer ends it. */
  async function send(communicationId: string, { conversationId, text, uncertain }: Owed): Promise<WayAnswer> {
    for (const sender of senders.filter((sender) => !isRefused(sender))) {
      try {
        await sender.sendMessage(conversationId, communicationId, text)
        return { kind: 'delivered', possiblyRepeated: uncertain }
      } catch (error) {
        // A user who has signed out, or was never signed in, does not keep the client from trying.
        const signedOut = error instanceof CredentialsRefused && sender === user
        if (!signedOut && !needsUserContext(error)) throw error
        if (!signedOut) refused.set(sender, sender.tokensGiven())
        events.genesysWayRefused('message', (error as Error).message)
      }
    }
    return notThisWay(userContext)
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

function withoutAgent(view: Conversation): WayAnswer {
  if (hasEnded(view)) return notThisWay('the conversation has ended')
  return { kind: 'not_this_way', reason: 'no agent is connected', final: false }
}
