import type { Clock } from '../clock.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { customerParticipantId } from '../genesys/conversation.ts'
import { GenesysRefused } from '../genesys/errors.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'
import { attributesOf } from './attributes.ts'
import type { ConfirmationWay } from './way.ts'

/** Files of a conversation that count for its worst state. */
const filesRead = 200

/**
 * Attributes of the customer's participant, for agent scripts. The customer sees nothing of them. They say how the
 * conversation's files stand now, so that writing them again changes nothing.
 */
export function attributesWay({
  genesys,
  records,
  clock,
  events,
}: {
  genesys: GenesysClient
  records: Pick<Records, 'newestOfConversation'>
  clock: Clock
  events: Pick<Events, 'genesysWayRefused'>
}): ConfirmationWay {
  return {
    name: 'attributes',
    async confirm({ conversationId, views }) {
      try {
        const view = await views.recent(conversationId, { do: (view) => customerParticipantId(view) !== null })
        const participantId = customerParticipantId(view)
        if (participantId === null)
          return { kind: 'not_this_way', reason: 'the conversation has no customer', final: true }
        const attachments = await records.newestOfConversation({ conversationId, limit: filesRead })
        await genesys.patchParticipantAttributes(conversationId, participantId, attributesOf(attachments, clock.now()))
        return { kind: 'delivered', possiblyRepeated: false }
      } catch (error) {
        if (!(error instanceof GenesysRefused)) throw error
        events.genesysWayRefused('attributes', error.message)
        return { kind: 'not_this_way', reason: error.message, final: true }
      }
    },
  }
}
