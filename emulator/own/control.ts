import type { Clock } from '../clock.ts'
import { type Fault, type Faults, parseFaults } from '../faults.ts'
import { pushed } from '../guest/frames.ts'
import type { Sessions } from '../guest/sessions.ts'
import type { OpenMessaging } from '../open/openMessaging.ts'
import type { Delivery } from '../open/webhooks.ts'
import { isWholeNumber, Malformed } from '../parse.ts'
import type { NotificationStream } from '../platform/notifications/stream.ts'
import type { RateLimit } from '../platform/rateLimit.ts'
import type { Tokens } from '../platform/tokens.ts'
import type { LoggedRequest, RequestLog } from '../requestLog.ts'
import type { SocketKind, Sockets } from '../sockets.ts'
import { parseSwitches, type Switches } from '../switches.ts'
import { type Conversation, connected, customerOf } from '../world/conversation.ts'
import { attach, type CustomerFile } from '../world/message.ts'
import type { Profiles } from '../world/profiles.ts'
import type { CustomerMessage, World } from '../world/world.ts'
import { customerStartEvent } from './eventBridge.ts'

/** No conversation has this id. */
export class UnknownConversation extends Error {}

/** Nobody is there to say it. */
export class NoAgent extends Error {}

export interface ConversationOptions {
  agent?: boolean
  agentUserId?: string
  queueId?: string
}

/** The agent's ids are null while no agent is connected. */
export interface ConversationIds {
  id: string
  customerParticipantId: string
  customerCommunicationId: string
  agentParticipantId: string | null
  agentCommunicationId: string | null
}

export type GuestEvent = 'expire' | 'logout'

/** What a test asks about a conversation, without the platform's shapes around it. */
export interface ConversationSummary {
  id: string
  /** Of all participants together; where two have the same name, the customer's value. */
  attributes: Record<string, string>
  /** In the order in which they were sent. */
  messages: MessageSummary[]
}

export interface MessageSummary {
  id: string
  direction: 'inbound' | 'outbound'
  /** Empty when only a file was sent. */
  text: string
  attachments: { id: string; filename: string; mime: string; sha256: string; contentSizeBytes: number }[]
}

/**
 * What a script may do to the emulator from outside the platform's own surface. The `_emulator` routes and the object that
 * `startEmulator` gives are both this.
 */
export interface Control {
  /** An agent is connected unless `agent` is false. In the named queue and with the first agent unless others are named. */
  createConversation(options?: ConversationOptions): ConversationIds
  /** As it is now. Throws `UnknownConversation`, as do all that take an id. */
  ids(id: string): ConversationIds
  /** The connected agent says something. Throws `NoAgent`, and `Malformed` for nothing said. */
  agentSends(id: string, text: string, file?: CustomerFile): { messageId: string }

  conversation(id: string): ConversationSummary
  /** As the stock Messenger sends. Throws `GuestRefusal` when it would not; then nothing was sent. */
  customerSends(id: string, message: CustomerMessage): { messageId: string }
  /** Takes the conversation from the queue; each agent who joins is a new participant. Does nothing if one is connected. */
  connectAgent(id: string, userId?: string): ConversationIds
  /** Back to the queue. Does nothing if no agent is connected. */
  disconnectAgent(id: string): ConversationIds
  /** Every conversation's id, in the order in which they began; those that guests began on the socket too. */
  conversations(): { id: string }[]
  /** Everyone leaves, as when an agent ends it. */
  endConversation(id: string): void
  /** What befalls the guest's session: its time is over, or its customer logged out. Throws `Malformed` without a session. */
  guestEvent(id: string, event: GuestEvent): void
  /** What EventBridge delivered when the customer joined: the body of the event. */
  eventBridgeEvent(id: string): object
  /** Changes the named ones and returns all. A change of the rate limit begins every token's minute anew. Throws `Malformed`. */
  setSwitches(changes: Partial<Switches>): Switches
  /** From now on the deployment's supported content profile is this one. Throws `Malformed` when there is none. */
  useProfile(supportedContentId: string): void
  /** Replaces the whole list. Throws `Malformed`. */
  setFaults(faults: Fault[]): void
  /** The last 10,000 requests on the platform's surface, newest last. */
  requests(): LoggedRequest[]
  revokeTokens(): { revoked: number }
  /** What became of the posts to webhooks of Open Messaging, oldest first. */
  webhookDeliveries(): Delivery[]
  /** The emulator's time is moved on; what falls due on the way happens. 0: what is due by now happens. Throws `Malformed`. */
  advance(seconds: number): { now: string }
  time(): { now: string }
  /** Drops open sockets, of one kind or all, without a close frame or with one that has this code. Throws `Malformed`. */
  cutSockets(options?: { kind?: SocketKind; code?: number }): { cut: number }
  /** `v2.system.socket_closing` goes to every open notification socket; a minute later they are closed. */
  announceSocketsClosing(): void
}

/** Ten years. */
const longestAdvanceSeconds = 10 * 365 * 24 * 3600

interface Parts {
  world: World
  switches: Switches
  faults: Faults
  tokens: Tokens
  rateLimit: RateLimit
  requestLog: RequestLog
  stream: NotificationStream
  sockets: Sockets
  sessions: Sessions
  openMessaging: OpenMessaging
  profiles: Profiles
  clock: Clock
}

export function createControl(parts: Parts): Control {
  const {
    world,
    switches,
    faults,
    tokens,
    rateLimit,
    requestLog,
    stream,
    sockets,
    sessions,
    openMessaging,
    profiles,
    clock,
  } = parts

  function find(id: string): Conversation {
    const conversation = world.conversation(id)
    if (!conversation) throw new UnknownConversation(`unknown conversation: ${id}`)
    return conversation
  }

  return {
    createConversation({ agent = true, agentUserId, queueId } = {}) {
      const conversation = world.begin(queueId === undefined ? {} : { queueId })
      if (agent) world.connectAgent(conversation, agentUserId)
      return idsOf(conversation)
    },
    ids: (id) => idsOf(find(id)),
    agentSends(id, text, file) {
      const conversation = find(id)
      const agent = connected(conversation, 'agent')
      if (!agent) throw new NoAgent('no agent is connected')
      if (text === '' && !file) throw new Malformed('text is empty')
      const content = file ? { attachment: attach(file, clock.now()), ...(text !== '' && { text }) } : { text }
      return { messageId: world.agentSends(conversation, agent.communicationId, content).id }
    },
    conversation: (id) => summaryOf(find(id)),
    customerSends: (id, message) => ({ messageId: world.customerSends(find(id), message).id }),
    connectAgent(id, userId) {
      const conversation = find(id)
      world.connectAgent(conversation, userId)
      return idsOf(conversation)
    },
    disconnectAgent(id) {
      const conversation = find(id)
      world.disconnectAgent(conversation)
      return idsOf(conversation)
    },
    conversations: () => world.conversations().map(({ id }) => ({ id })),
    endConversation: (id) => world.end(find(id)),
    guestEvent(id, event) {
      const session = sessions.ofConversation(find(id).id)
      if (!session) throw new Malformed('the conversation was not begun on the guest socket')
      if (event === 'expire') sessions.expire(session)
      else if (event === 'logout') sessions.push(session, pushed('LogoutEvent', {}))
      else throw new Malformed(`wrong event: ${JSON.stringify(event)}`)
    },
    eventBridgeEvent: (id) => customerStartEvent(find(id)),
    setSwitches(changes) {
      Object.assign(switches, parseSwitches(changes))
      if (changes.rateLimitPerMinute !== undefined) rateLimit.reset()
      return { ...switches }
    },
    useProfile(supportedContentId) {
      const profile = profiles.find(supportedContentId)
      if (!profile) throw new Malformed(`unknown supported content profile: ${supportedContentId}`)
      profiles.refer(profile)
    },
    setFaults: (list) => faults.replace(parseFaults(list)),
    requests: () => requestLog.list(),
    webhookDeliveries: () => openMessaging.deliveries(),
    revokeTokens: () => ({ revoked: tokens.revokeAll() }),
    advance(seconds) {
      if (typeof seconds !== 'number' || !(seconds >= 0 && seconds <= longestAdvanceSeconds)) {
        throw new Malformed(`wrong advanceSeconds: ${JSON.stringify(seconds)}`)
      }
      clock.advance(seconds)
      return { now: clock.now().toISOString() }
    },
    time: () => ({ now: clock.now().toISOString() }),
    cutSockets({ kind, code } = {}) {
      if (kind !== undefined && kind !== 'notifications' && kind !== 'guest') {
        throw new Malformed(`wrong kind: ${JSON.stringify(kind)}`)
      }
      if (code !== undefined && !(isWholeNumber(code, 1000) && code <= 4999)) {
        throw new Malformed(`wrong code: ${JSON.stringify(code)}`)
      }
      return { cut: sockets.cut(kind, code) }
    },
    announceSocketsClosing: () => stream.announceClosing(),
  }
}

function idsOf(conversation: Conversation): ConversationIds {
  const customer = customerOf(conversation)
  const agent = connected(conversation, 'agent')
  return {
    id: conversation.id,
    customerParticipantId: customer.id,
    customerCommunicationId: customer.communicationId,
    agentParticipantId: agent?.id ?? null,
    agentCommunicationId: agent?.communicationId ?? null,
  }
}

function summaryOf({ id, participants, messages }: Conversation): ConversationSummary {
  return {
    id,
    attributes: Object.assign({}, ...participants.map(({ attributes }) => attributes).reverse()),
    messages: messages.map(({ id, direction, text = '', attachment }) => ({
      id,
      direction,
      text,
      attachments: attachment
        ? [
            {
              id: attachment.id,
              filename: attachment.filename,
              mime: attachment.mime,
              sha256: attachment.sha256,
              contentSizeBytes: attachment.bytes.length,
            },
          ]
        : [],
    })),
  }
}
