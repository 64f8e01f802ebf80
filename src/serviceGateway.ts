import { openContent } from './access/download.ts'
import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { createCompleter } from './doors/gateway/complete.ts'
import { createOutcomes, type Outcomes } from './doors/gateway/outcomes.ts'
import { createSessions } from './doors/gateway/sessions.ts'
import { createGatewaySocket, type GatewaySocket } from './doors/gateway/socket.ts'
import { createUploads, type Uploads } from './doors/gateway/uploads.ts'
import type { GenesysClient } from './genesys/client.ts'
import { createGuestUpload } from './genesys/guest/upload.ts'
import { mediaHosts } from './genesys/media/hosts.ts'
import type { Intake } from './intake/intake.ts'
import type { Loop } from './loop.ts'
import type { Texts } from './outbox/texts.ts'
import type { Records } from './records/records.ts'
import type { KeyRing } from './seal/keys.ts'
import type { Storage } from './storage/storage.ts'
import type { Events } from './telemetry/events.ts'

export interface GatewayParts {
  config: Config & { gateway: NonNullable<Config['gateway']> }
  records: Records
  storage: Storage
  keys: KeyRing
  /** Null: without credentials the conversation of a file is not found. */
  genesys: GenesysClient | null
  intake: Intake
  texts: Texts
  /** Whether conversations are owed confirmations. */
  confirms: boolean
  /** Something is owed. */
  wake(): void
  /** Where clients reach us: without a slash at its end. */
  publicUrl(): string
  clock: Clock
  events: Events
}

/** The part of the service that stands between customers' clients and the platform. */
export interface Gateway {
  uploads: Uploads
  outcomes: Outcomes
  socket: GatewaySocket
  /** Null: there are no credentials. */
  completer: Loop | null
}

export function createGateway(parts: GatewayParts): Gateway {
  const { config, records, storage, keys, genesys, intake, texts, clock, events } = parts
  const { gateway } = config
  const sessions = createSessions(keys, records, clock)
  const completer =
    genesys &&
    createCompleter({ records, genesys, confirm: parts.confirms ? texts : null, wake: parts.wake, clock, events })
  const hosts = mediaHosts({ ...gateway, loginUrl: gateway.apiUrl, further: gateway.uploadHosts })
  const guest = createGuestUpload({ hosts, clock })
  const { policy } = config
  const outcomes = createOutcomes({
    records,
    sessions,
    policy,
    texts,
    open: async (attachment) => (await openContent(attachment, { records, keys, storage })).bytes(),
    guest,
    clock,
    events,
  })
  const { publicUrl } = parts
  const uploads = createUploads({ records, sessions, outcomes, intake, policy, guest, publicUrl, clock, events })
  const socket = createGatewaySocket({
    agentFiles: policy.agentFiles,
    deployments: gateway.deployments,
    guestUrl: gateway.guestUrl,
    sessions,
    uploads,
    outcomes,
    records,
    sent: () => completer?.wake(),
    clock,
    events,
  })
  return { uploads, outcomes, socket, completer }
}
