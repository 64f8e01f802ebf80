import type { Clock } from '../../clock.ts'
import type { Sides } from '../../genesys/conversation.ts'
import type { Frame, Listener, ListenerOptions } from '../../genesys/notifications/listener.ts'
import type { Ask } from '../../records/questions/lookups.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import { asksOf } from './told.ts'

/** Listens to the conversations of queues, and asks for what their customers send. */
export interface QueueListener {
  start(): void
  /** Of how many channels how many are open. */
  state(): { open: number; channels: number }
  stop(): Promise<void>
}

export interface QueueListenerParts {
  queues: string[]
  sides: Sides
  createListener(options: Pick<ListenerOptions, 'topics' | 'heard' | 'opened'>): Listener
  records: Pick<Records, 'askLookups' | 'conversationsSince'>
  /** Something was asked for. */
  wake(): void
  clock: Clock
  events: Pick<Events, 'pullFailed'>
}

/** The platform's bound on a channel (FACTS 3.1). */
export const topicsPerChannel = 1000

/** After a gap, conversations that were heard of within this time are asked again, the newest first, and so many at most. */
const lookBackMs = 2 * 3600_000
const mostLookedBack = 200

/** Events repeat the whole state of a conversation: what was asked for is remembered, so that nothing is asked twice. */
const mostRemembered = 20_000

const retryMs = 5000

export const topicOf = (queueId: string) => `v2.routing.queues.${queueId}.conversations.messages`

export function createQueueListener({ queues, createListener, ...parts }: QueueListenerParts): QueueListener {
  const { records, clock, events } = parts
  const remembered = new Set<string>()
  /** Conversations by when they were last heard of, the newest last. */
  const lately = new Map<string, number>()
  const stopping = new AbortController()
  const running = new Set<Promise<void>>()
  const listeners: Listener[] = []
  for (let from = 0; from < queues.length; from += topicsPerChannel)
    listeners.push(
      createListener({ topics: queues.slice(from, from + topicsPerChannel).map(topicOf), heard, opened: lookBack }),
    )

  function heard(frame: Frame): void {
    const { id } = (frame.eventBody ?? {}) as { id?: unknown }
    if (typeof id === 'string') {
      lately.delete(id)
      lately.set(id, clock.now().getTime())
      for (const oldest of lately.keys()) if (lately.size > mostRemembered) lately.delete(oldest)
    }
    const asks = asksOf(frame, parts.sides).filter((one) => !remembered.has(nameOf(one)))
    for (const one of asks) remembered.add(nameOf(one))
    for (const oldest of remembered) if (remembered.size > mostRemembered) remembered.delete(oldest)
    if (asks.length > 0) run(() => ask(asks))
  }

  /** The service keeps nothing of what happens while nobody listens. */
  function lookBack(): void {
    run(async () => {
      const since = clock.now().getTime() - lookBackMs
      const heardOf = [...lately].filter(([, at]) => at >= since).map(([id]) => id)
      const spokenOf = await insist(() => records.conversationsSince({ since: new Date(since), limit: mostLookedBack }))
      const conversations = [...new Set([...heardOf.reverse(), ...(spokenOf ?? [])])].slice(0, mostLookedBack)
      await ask(conversations.map((conversationId) => ({ conversationId, messageId: null, language: null })))
    })
  }

  async function ask(asks: Ask[]): Promise<void> {
    if (asks.length === 0) return
    await insist(() => records.askLookups({ asks, at: clock.now() }))
    parts.wake()
  }

  /** Until the records take it: the service will not say it again. */
  async function insist<T>(question: () => Promise<T>): Promise<T | null> {
    while (!stopping.signal.aborted)
      try {
        return await question()
      } catch (error) {
        events.pullFailed(error)
        await clock.wait(retryMs, stopping.signal)
      }
    return null
  }

  function run(work: () => Promise<void>): void {
    const one = work().finally(() => running.delete(one))
    running.add(one)
  }

  return {
    start: () => {
      for (const listener of listeners) listener.start()
    },
    state: () => ({ open: listeners.filter((one) => one.isOpen()).length, channels: listeners.length }),
    async stop() {
      stopping.abort()
      await Promise.all(listeners.map((listener) => listener.stop()))
      await Promise.allSettled([...running])
    },
  }
}

const nameOf = ({ conversationId, messageId }: Ask) => `${conversationId} ${messageId}`
