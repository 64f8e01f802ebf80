import type { Clock } from './clock.ts'
import type { Config } from './config.ts'
import { type TakenEvents, takeEvents } from './doors/pull/eventBridge.ts'
import { fetchOne } from './doors/pull/fetch.ts'
import { lookUp } from './doors/pull/lookup.ts'
import { createPullDoor, type PullDoor } from './doors/pull/pull.ts'
import { createPuller } from './doors/pull/puller.ts'
import { createQueueListener, type QueueListener } from './doors/pull/queues.ts'
import { sentenceOf } from './doors/pull/sentence.ts'
import type { GenesysClient } from './genesys/client.ts'
import { createMedia } from './genesys/media/download.ts'
import { mediaHosts } from './genesys/media/hosts.ts'
import { createListener } from './genesys/notifications/listener.ts'
import type { Intake } from './intake/intake.ts'
import type { Texts } from './outbox/texts.ts'
import type { Records } from './records/records.ts'
import type { Events } from './telemetry/events.ts'

/** The part of the service that learns of files and fetches them. */
export interface Pulling {
  door: PullDoor
  takeEvents(body: unknown): Promise<TakenEvents>
  /** Of how many channels to the queues how many are open. */
  listening(): ReturnType<QueueListener['state']>
  start(): void
  /** Something may be due. */
  wake(): void
  stop(): Promise<void>
}

export interface PullingParts {
  config: Config & { genesys: NonNullable<Config['genesys']> }
  records: Records
  genesys: GenesysClient
  intake: Intake
  texts: Texts
  scan: 'required' | 'off'
  clock: Clock
  events: Events
}

/**
 * Old conversations that are begun, as a part of our own limit of requests: each costs two calls and two or three for
 * each of its files, and what is new must not wait for what is old.
 */
const backfillShare = 1 / 10

/** How the pull door's parts meet. Several may work over the same records. */
export function createPulling(parts: PullingParts): Pulling {
  const { config, records, genesys, intake, texts, scan, clock, events } = parts
  const { domain, apiUrl, loginUrl, exemptOrigins, requestsPerMinute } = config.genesys
  const hosts = mediaHosts({ domain, apiUrl, loginUrl, exemptOrigins, further: config.pull.downloadHosts })
  const { maxFileBytes: maxBytes, agentFiles } = config.policy
  const sides = agentFiles === 'record' ? 'both' : 'customer'
  const media = createMedia({ hosts, bearer: genesys.bearer, maxBytes, clock, events })
  const puller = createPuller({
    records,
    lookUp: (leased) => lookUp(leased, { genesys, records, scan, sides, clock, events }),
    fetchOne: (leased) =>
      fetchOne(leased, {
        genesys,
        media,
        intake,
        alerts: config.alert?.on.includes('unfetched') ?? false,
        clock,
        events,
      }),
    judged: (attachment) => {
      if (attachment.state === 'refused') events.seenFileRefused(attachment)
    },
    backfillsPerMinute: Math.max(1, requestsPerMinute * backfillShare),
    clock,
    events,
  })
  const door = createPullDoor({
    records,
    puller,
    sentenceOf: (attachments, language) =>
      sentenceOf(attachments, language ?? config.confirm.language, texts, config.policy),
    clock,
  })
  const listener = createQueueListener({
    queues: config.pull.queues,
    sides,
    createListener: (options) => createListener({ ...options, genesys, hosts, clock, events }),
    records,
    wake: () => puller.wake(),
    clock,
    events,
  })
  return {
    door,
    listening: () => listener.state(),
    async takeEvents(body) {
      const taken = await takeEvents(body, { sides, records, clock })
      puller.wake()
      return taken
    },
    start() {
      puller.start()
      listener.start()
    },
    wake: () => puller.wake(),
    async stop() {
      await listener.stop()
      await puller.stop()
    },
  }
}
