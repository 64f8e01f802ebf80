import type { Way } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import type { GenesysClient } from '../genesys/client.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'
import { attributesWay } from './attributesWay.ts'
import { messageWay } from './messageWay.ts'
import type { ConfirmationWay } from './way.ts'

export interface WayParts {
  genesys: GenesysClient
  records: Pick<Records, 'newestOfConversation'>
  clock: Clock
  events: Pick<Events, 'genesysWayRefused'>
}

const ways: Record<Way, (parts: WayParts) => ConfirmationWay> = { message: messageWay, attributes: attributesWay }

export function wayNamed(name: Way, parts: WayParts): ConfirmationWay {
  return ways[name](parts)
}
