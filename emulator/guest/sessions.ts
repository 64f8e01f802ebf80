import type { Clock } from '../clock.ts'
import type { UrlOf } from '../platform/views.ts'
import type { Switches } from '../switches.ts'
import { type Conversation, hasEnded } from '../world/conversation.ts'
import type { Attachment } from '../world/message.ts'
import type { World } from '../world/world.ts'
import { disconnectEvent, type Frame, pushed, structuredMessage } from './frames.ts'
import { maxConnections } from './limits.ts'
import { GuestRefusal } from './refusal.ts'

/** A file that a guest has announced. */
export interface Upload {
  id: string
  name: string
  mime: string
  /** As announced. */
  sizeBytes: number
  /** Once its bytes have come and were not found wanting. */
  attachment?: Attachment
  sent: boolean
}

export interface GuestConnection {
  send(frame: Frame): void
  /** With a close frame. */
  close(): void
}

/** What a guest token stands for. Whoever has the token can read and write here. */
export interface GuestSession {
  token: string
  /** Begun with the first message. */
  conversation?: Conversation
  readOnly: boolean
  authenticated: boolean
  expiresAt: Date
  uploads: Map<string, Upload>
  /** Oldest first. */
  connections: GuestConnection[]
}

export interface Opened {
  session: GuestSession
  newSession: boolean
  clearedExistingSession: boolean
}

export interface Sessions {
  /** Throws `GuestRefusal` 4006 or 4007. */
  find(token: string): GuestSession
  /** The session of a token, made if there is none. Throws `GuestRefusal` 4006 when it has expired and is not to begin anew. */
  open(token: string, startNew: boolean): Opened
  ofConversation(id: string): GuestSession | undefined
  /** That of an announced file. */
  ofUpload(id: string): GuestSession | undefined
  /** Where the guest's next message goes; begun if need be. Throws `GuestRefusal` 409 when nothing may be sent any more. */
  conversationOf(session: GuestSession): Conversation
  /** The session lives on for its full time. */
  touch(session: GuestSession): void
  /** One too many closes the oldest. */
  connect(session: GuestSession, connection: GuestConnection): void
  disconnect(session: GuestSession, connection: GuestConnection): void
  push(session: GuestSession, frame: Frame): void
  /** The session ends as if its time were over. */
  expire(session: GuestSession): void
  /** For good, with its conversation: the token is unknown from then on. */
  clear(session: GuestSession): void
  list(): GuestSession[]
}

interface Parts {
  world: World
  switches: Switches
  clock: Clock
  urlOf: UrlOf
}

export function createSessions({ world, switches, clock, urlOf }: Parts): Sessions {
  const sessions = new Map<string, GuestSession>()
  const hasExpired = ({ expiresAt }: GuestSession) => clock.now() >= expiresAt

  const ofConversation = (id: string) => [...sessions.values()].find(({ conversation }) => conversation?.id === id)

  function push({ connections }: GuestSession, frame: Frame): void {
    for (const connection of connections) connection.send(frame)
  }

  function touch(session: GuestSession): void {
    const expiresAt = new Date(clock.now().getTime() + switches.sessionDurationSeconds * 1000)
    session.expiresAt = expiresAt
    clock.after(switches.sessionDurationSeconds, () => {
      if (session.expiresAt === expiresAt && sessions.get(session.token) === session) expire(session)
    })
  }

  // The sample has it as a response, though nothing was asked.
  function expire(session: GuestSession): void {
    session.expiresAt = clock.now()
    push(session, { ...pushed('SessionExpiredEvent', {}), type: 'response' })
  }

  function begin(token: string): GuestSession {
    const session: GuestSession = {
      token,
      readOnly: false,
      authenticated: false,
      expiresAt: clock.now(),
      uploads: new Map(),
      connections: [],
    }
    sessions.set(token, session)
    touch(session)
    return session
  }

  /** Its connections stay. What becomes of the conversation that it had is UNCONFIRMED; here it goes on. */
  function beginAnew(session: GuestSession): void {
    delete session.conversation
    session.readOnly = false
    session.uploads.clear()
    touch(session)
  }

  // What happens in a conversation reaches its guest on every connection.
  world.onChange((conversation, message) => {
    const session = ofConversation(conversation.id)
    if (!session) return
    if (message) {
      touch(session)
      push(session, pushed('StructuredMessage', structuredMessage(message, conversation, urlOf), message.tracingId))
    }
    if (hasEnded(conversation) && !session.readOnly) {
      session.readOnly = switches.conversationDisconnect === 'ReadOnly'
      push(session, pushed('StructuredMessage', disconnectEvent(clock.now(), session.readOnly)))
    }
  })

  return {
    find(token) {
      const session = sessions.get(token)
      if (!session) throw new GuestRefusal(4007, 'session not found')
      if (hasExpired(session)) throw new GuestRefusal(4006, 'session expired')
      return session
    },
    open(token, startNew) {
      const known = sessions.get(token)
      if (known && !startNew) {
        if (hasExpired(known)) throw new GuestRefusal(4006, 'session expired')
        return { session: known, newSession: false, clearedExistingSession: false }
      }
      const session = known ?? begin(token)
      if (known) beginAnew(known)
      return { session, newSession: true, clearedExistingSession: known !== undefined }
    },
    ofConversation,
    ofUpload: (id) => [...sessions.values()].find(({ uploads }) => uploads.has(id)),
    conversationOf(session) {
      const { conversation } = session
      if (session.readOnly) throw new GuestRefusal(409, 'The conversation is read-only')
      if (conversation && !hasEnded(conversation)) return conversation
      const next = world.begin()
      next.authenticated = session.authenticated
      session.conversation = next
      if (switches.agentTakesGuests) world.connectAgent(next)
      return next
    },
    touch,
    connect(session, connection) {
      if (session.connections.includes(connection)) return
      session.connections.push(connection)
      if (session.connections.length <= maxConnections) return
      const oldest = session.connections.shift()
      oldest?.send(pushed('ConnectionClosedEvent', {}))
      oldest?.close()
    },
    disconnect(session, connection) {
      session.connections = session.connections.filter((one) => one !== connection)
    },
    push,
    expire,
    clear(session) {
      sessions.delete(session.token)
      session.readOnly = true
      if (session.conversation) world.end(session.conversation)
      push(session, pushed('SessionClearedEvent', {}))
    },
    list: () => [...sessions.values()],
  }
}
