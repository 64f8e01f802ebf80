import WebSocket from 'ws'
import type { Clock } from '../../clock.ts'
import type { Events } from '../../telemetry/events.ts'
import type { GenesysClient } from '../client.ts'
import { publicLookup, type Resolve } from '../media/connect.ts'
import type { MediaHosts } from '../media/hosts.ts'

/** What comes on a channel. All of it may be missing. */
export interface Frame {
  topicName?: unknown
  eventBody?: unknown
}

/** Listens to up to 1,000 topics, on one channel of the notification service with one socket, for as long as it runs. */
export interface Listener {
  start(): void
  isOpen(): boolean
  stop(): Promise<void>
}

export interface ListenerOptions {
  topics: string[]
  genesys: Pick<GenesysClient, 'createChannel' | 'subscribe'>
  hosts: MediaHosts
  clock: Clock
  events: Pick<Events, 'listening' | 'notListening' | 'topicRejected'>
  /** An event of a topic; not the service's own frames. */
  heard(frame: Frame): void
  /** From now on events come. Those from before are lost: the service keeps none. */
  opened(): void
  resolve?: Resolve
}

/** The service sends a heartbeat every 30 s (FACTS 3.1). */
const pingAfterMs = 40_000
const silentAfterMs = 75_000
const watchEveryMs = 5000

/** A channel lives for 24 hours after it was last subscribed. */
const renewAfterMs = 20 * 3600_000

const firstBackOffMs = 1000
const longestBackOffMs = 60_000
const handshakeMs = 10_000
const stopWithinMs = 5000
const longestFrame = 4 * 1024 * 1024

interface Channel {
  id: string
  connectUri: string
  subscribedAt: number
}

/** Why a socket is of no use any more. `again`: its channel is still good for another. */
interface Ended {
  reason: string
  again: boolean
}

export function createListener(options: ListenerOptions): Listener {
  const { topics, genesys, hosts, clock, events } = options
  const stopping = new AbortController()
  let channel: Channel | null = null
  let socket: WebSocket | null = null
  let loop: Promise<void> | null = null
  let open = false

  const now = () => clock.now().getTime()

  async function run(): Promise<void> {
    for (let failures = 0; !stopping.signal.aborted; ) {
      const openedAt = now()
      let ended: Ended
      try {
        channel ??= await makeChannel()
        ended = await listenOn(channel)
      } catch (error) {
        ended = { reason: (error as Error).message, again: false }
      }
      open = false
      if (!ended.again) channel = null
      if (stopping.signal.aborted) return
      events.notListening(ended.reason)
      // What was good for a minute is begun again at once; what fails again and again, less and less often.
      failures = now() - openedAt >= 60_000 ? 0 : failures + 1
      const backOffMs = failures === 0 ? 0 : Math.min(firstBackOffMs * 2 ** (failures - 1), longestBackOffMs)
      if (backOffMs > 0) await clock.wait(backOffMs, stopping.signal)
    }
  }

  async function makeChannel(): Promise<Channel> {
    const made = await genesys.createChannel()
    await subscribe(made.id)
    return { ...made, subscribedAt: now() }
  }

  async function subscribe(channelId: string): Promise<void> {
    for (const { topic, reason } of await genesys.subscribe(channelId, topics)) events.topicRejected(topic, reason)
  }

  /** Resolves when the socket is of no use any more. The one before ends only when this one is open. */
  async function listenOn(one: Channel): Promise<Ended> {
    const ended = new AbortController()
    const previous = socket
    const current = connect(one.connectUri)
    socket = current
    let heardAt = now()
    try {
      return await new Promise<Ended>((resolve) => {
        const end = (reason: string, again: boolean) => resolve({ reason, again })
        let wasOpen = false
        current.on('open', () => {
          wasOpen = true
          open = true
          heardAt = now()
          previous?.terminate()
          events.listening(topics.length)
          options.opened()
        })
        current.on('message', (data) => {
          heardAt = now()
          const frame = frameOf(data)
          const over = frame && endOf(frame)
          if (over) end(over, false)
          else if (frame && isEvent(frame)) options.heard(frame)
        })
        // One that could not be opened says nothing for its channel.
        current.on('error', (error) => end(error.message, wasOpen))
        current.on('close', (code) => end(`the socket was closed (${code})`, wasOpen))
        stopping.signal.addEventListener('abort', () => end('stopped', false), { signal: ended.signal })
        void watch(current, () => heardAt, one, end, ended.signal)
      })
    } finally {
      ended.abort()
      // It may yet bring something until the next one is open; what has failed brings nothing.
      if (stopping.signal.aborted || current.readyState !== WebSocket.OPEN) current.terminate()
    }
  }

  async function watch(
    current: WebSocket,
    heardAt: () => number,
    one: Channel,
    end: (reason: string, again: boolean) => void,
    ended: AbortSignal,
  ): Promise<void> {
    for (;;) {
      await clock.wait(watchEveryMs, ended)
      if (ended.aborted) return
      const silentMs = now() - heardAt()
      if (silentMs >= silentAfterMs) {
        current.terminate()
        return end('the socket is silent', true)
      }
      if (silentMs >= pingAfterMs && current.readyState === WebSocket.OPEN)
        current.send(JSON.stringify({ message: 'ping' }))
      if (now() - one.subscribedAt < renewAfterMs) continue
      try {
        await subscribe(one.id)
        one.subscribedAt = now()
      } catch (error) {
        return end(`the channel could not be renewed: ${(error as Error).message}`, false)
      }
    }
  }

  function connect(address: string): WebSocket {
    // The same hosts as for files, and the same look at addresses.
    const url = new URL(address.replace(/^ws/, 'http'))
    const { exempt } = hosts.check(url)
    return new WebSocket(address, {
      handshakeTimeout: handshakeMs,
      maxPayload: longestFrame,
      perMessageDeflate: false,
      followRedirects: false,
      ...(!exempt && { lookup: publicLookup(options.resolve) }),
    })
  }

  return {
    start() {
      loop ??= run()
    },
    isOpen: () => open,
    async stop() {
      stopping.abort()
      socket?.terminate()
      // A call that runs may take its time: nothing comes of it any more.
      const ended = new AbortController()
      await Promise.race([loop, clock.wait(stopWithinMs, ended.signal)])
      ended.abort()
    },
  }
}

function frameOf(data: WebSocket.RawData): Frame | null {
  try {
    const frame: unknown = JSON.parse(String(data))
    return typeof frame === 'object' && frame !== null ? frame : null
  } catch {
    return null
  }
}

const isEvent = ({ topicName }: Frame) =>
  typeof topicName === 'string' && topicName !== 'channel.metadata' && !topicName.startsWith('v2.system.')

/** What the service says of its own, after which this channel is left: maintenance, another subscriber, a revoked token. */
function endOf({ topicName }: Frame): string | null {
  const [, what] = /^v2\.system\.(socket_closing|no_longer_subscribed|token_revoked)\b/.exec(String(topicName)) ?? []
  return what === undefined ? null : `the service says ${what}`
}
