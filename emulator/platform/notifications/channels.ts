import { randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'

/** A channel of the notification service. Whoever has its id may open its socket. */
export interface Channel {
  id: string
  /** The user and the app whose channel it is. */
  owner: string
  /** The token with which it was made. */
  token: string
  expiresAt: Date
  /** Made, subscribed or connected. */
  lastUsed: Date
  topics: string[]
  connection?: Connection
}

/** The one socket of a channel. */
export interface Connection {
  send(frame: object): void
  /** With a close frame. */
  close(): void
}

export interface Channels {
  /** Removes another one of the owner's when there are 20. */
  create(owner: string, token: string): Channel
  /** Undefined when there is none or it has expired. */
  find(id: string): Channel | undefined
  /** In the order in which they were made. */
  list(): Channel[]
  /** Keeps the channel for another 24 hours. */
  subscribe(channel: Channel, topics: string[]): void
  /** The channel's earlier connection ends. */
  connect(channel: Channel, connection: Connection): void
  /** Does nothing if another connection has taken its place. */
  disconnect(channel: Channel, connection: Connection): void
}

const lifetimeSeconds = 24 * 3600
const mostPerOwner = 20

export function createChannels(clock: Clock): Channels {
  const channels = new Map<string, Channel>()

  function remove(channel: Channel): void {
    channels.delete(channel.id)
    channel.connection?.close()
  }

  /** UNCONFIRMED what a socket sees at the end of its channel: here a close frame. */
  function expireLater(channel: Channel): void {
    const { expiresAt } = channel
    clock.after(lifetimeSeconds, () => {
      if (channel.expiresAt === expiresAt) remove(channel)
    })
  }

  function renew(channel: Channel): void {
    channel.lastUsed = clock.now()
    channel.expiresAt = new Date(clock.now().getTime() + lifetimeSeconds * 1000)
    expireLater(channel)
  }

  /** First those that nobody is connected to, then the one with the oldest last use. */
  function makeRoom(owner: string): void {
    const own = [...channels.values()].filter((channel) => channel.owner === owner)
    if (own.length < mostPerOwner) return
    const idle = own.filter(({ connection }) => !connection)
    const [oldest] = (idle.length > 0 ? idle : own).sort((a, b) => a.lastUsed.getTime() - b.lastUsed.getTime())
    if (oldest) remove(oldest)
  }

  return {
    create(owner, token) {
      makeRoom(owner)
      const id = `streaming-0-${randomBytes(8).toString('hex')}`
      const channel: Channel = { id, owner, token, expiresAt: clock.now(), lastUsed: clock.now(), topics: [] }
      channels.set(id, channel)
      renew(channel)
      return channel
    },
    find(id) {
      const channel = channels.get(id)
      return channel && clock.now() < channel.expiresAt ? channel : undefined
    },
    list: () => [...channels.values()].filter(({ expiresAt }) => clock.now() < expiresAt),
    subscribe(channel, topics) {
      channel.topics = topics
      renew(channel)
    },
    connect(channel, connection) {
      channel.connection?.close()
      channel.connection = connection
      channel.lastUsed = clock.now()
    },
    disconnect(channel, connection) {
      if (channel.connection === connection) delete channel.connection
    },
  }
}
