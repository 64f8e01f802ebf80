import { randomUUID } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '../../clock.ts'
import { isRecord } from '../../parse.ts'
import type { SocketDoor } from '../../sockets.ts'
import type { Switches } from '../../switches.ts'
import type { World } from '../../world/world.ts'
import type { UrlOf } from '../views.ts'
import type { Channels } from './channels.ts'
import { eventsOf } from './topics.ts'

const heartbeatSeconds = 30
/** How long before it is closed a socket hears of it: about a minute. */
const warningSeconds = 60

const prefix = '/channels/'
const metadata = (message: string) => ({ topicName: 'channel.metadata', eventBody: { message } })

interface Parts {
  channels: Channels
  world: World
  switches: Switches
  urlOf: UrlOf
  clock: Clock
}

export interface NotificationStream extends SocketDoor {
  /** Announces maintenance to every open socket, and closes them a minute later. */
  announceClosing(): void
  /** Drops every open socket; with a close frame if `code` is given. Gives how many there were. */
  cut(code?: number): number
}

/** The streaming host: what happens to conversations, told on the channels that asked for it. Nothing is kept for later. */
export function notificationStream({ channels, world, switches, urlOf, clock }: Parts): NotificationStream {
  const open = new Set<WebSocket>()

  world.onChange((conversation) => {
    const events = eventsOf(conversation, switches.mediaInNotifications === 'given' ? urlOf : undefined)
    for (const { topic, body } of events) {
      for (const { topics, connection } of channels.list())
        if (topics.includes(topic)) connection?.send(frame(topic, body))
    }
  })

  return {
    serves: (path) => path.startsWith(prefix),
    /** UNCONFIRMED how an unknown channel is refused. */
    admit: ({ pathname }) => (channels.find(pathname.slice(prefix.length)) ? 101 : 404),
    opened(socket, { pathname }) {
      const channel = channels.find(pathname.slice(prefix.length))
      if (!channel) return socket.terminate()
      const send = (message: object) => socket.send(JSON.stringify(message))
      const connection = { send, close: () => socket.close(1000) }
      channels.connect(channel, connection)
      open.add(socket)
      const endHeartbeat = clock.every(heartbeatSeconds, () => send(metadata('WebSocket Heartbeat')))
      socket.on('message', (data) => isPing(data) && send(metadata('pong')))
      socket.on('error', () => socket.terminate())
      socket.on('close', () => {
        endHeartbeat()
        open.delete(socket)
        channels.disconnect(channel, connection)
      })
    },
    announceClosing() {
      const warned = [...open]
      // The text is invented; unlike an event it has no version.
      const { version: _, ...warning } = frame('v2.system.socket_closing', {
        message: 'This socket will be closed soon',
      })
      for (const socket of warned) socket.send(JSON.stringify(warning))
      clock.after(warningSeconds, () => {
        for (const socket of warned) socket.close(1001)
      })
    },
    cut(code) {
      const dropped = [...open]
      for (const socket of dropped) code === undefined ? socket.terminate() : socket.close(code)
      return dropped.length
    },
  }
}

function frame(topicName: string, eventBody: object) {
  return { topicName, version: '2', eventBody, metadata: { CorrelationId: randomUUID() } }
}

function isPing(data: RawData): boolean {
  try {
    const message: unknown = JSON.parse(String(data))
    return isRecord(message) && message.message === 'ping'
  } catch {
    return false
  }
}
