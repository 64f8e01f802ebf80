import type { Way } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import type { GenesysClient } from '../genesys/client.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'
import { agentlessWay } from './agentlessWay.ts'
import { attributesWay } from './attributesWay.ts'
import { messageWay, type Sender } from './messageWay.ts'
import type { ConfirmationWay } from './way.ts'

export interface WayParts {
  genesys: GenesysClient
  /** A service user whose token sends messages. */
  user: Sender | null
  records: Pick<Records, 'newestOfConversation'>
  clock: Clock
  events: Pick<Events, 'genesysWayRefused'>
}

const ways: Record<Way, (parts: WayParts) => ConfirmationWay> = {
  message: messageWay,
  agentless: agentlessWay,
  attributes: attributesWay,
}

export function wayNamed(name: Way, parts: WayParts): ConfirmationWay {
  return ways[name](parts)
}
