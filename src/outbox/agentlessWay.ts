import type { GenesysClient } from '../genesys/client.ts'
import { hasEnded, openAddresses } from '../genesys/conversation.ts'
import { AnswerLost, GenesysRefused } from '../genesys/errors.ts'
import type { Events } from '../telemetry/events.ts'
import { lookFor } from './lookFor.ts'
import { type ConfirmationWay, notThisWay } from './way.ts'

/**
 * A text to the customer of an Open Messaging conversation without an agent: the call is meant for client credentials. It is
 * kept and shown like any message. Other conversations have no such way (FACTS 3.5, 5.3).
 */
export function agentlessWay({
  genesys,
  events,
}: {
  genesys: GenesysClient
  events: Pick<Events, 'genesysWayRefused'>
}): ConfirmationWay {
  return {
    name: 'agentless',
    async confirm(owed) {
      const looked = owed.uncertain ? await lookFor(genesys, owed) : null
      if (looked === 'found') return { kind: 'delivered', possiblyRepeated: false }
      const view = await owed.views.recent(owed.conversationId, { do: (view) => openAddresses(view) !== null })
      const addresses = openAddresses(view)
      if (addresses === null) return notThisWay('not a conversation of Open Messaging')
      // The call would begin another conversation.
      if (hasEnded(view)) return notThisWay('the conversation has ended')
      try {
        await genesys.sendAgentless(addresses, owed.text)
        return { kind: 'delivered', possiblyRepeated: owed.uncertain }
      } catch (error) {
        if (error instanceof AnswerLost && looked === 'impossible')
          return notThisWay('the answer was lost twice, and the conversation cannot be read')
        if (!(error instanceof GenesysRefused)) throw error
        events.genesysWayRefused('agentless', error.message)
        return notThisWay(error.message)
      }
    },
  }
}
