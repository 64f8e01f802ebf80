import type { Clock } from '../clock.ts'
import type { Events } from '../telemetry/events.ts'
import { objectIn, segment } from './answers.ts'
import type { components } from './api.d.ts'
import { type Answer, ask, NoAnswer, numberIn, retryAfterOf } from './ask.ts'
import type { Conversation } from './conversation.ts'
import { AnswerLost, CredentialsRefused, GenesysRefused, GenesysUnavailable } from './errors.ts'
import type { Grant } from './grants.ts'
import { createPace } from './pace.ts'
import { type Bearer, createTokens } from './token.ts'

type Schemas = components['schemas']
export type MessageData = Schemas['MessageData']

/** Who the token says that we are. */
export interface TokenHolder {
  organization: { id: string | null; name: string | null }
  client: { id: string | null; name: string | null }
}

/** Longest time that a call waits for its turns by our own pace. Not part of its budget: the platform is not slow then. */
const longestTurnsMs = 60_000

/** Longest time of one call with all its waits and tries. */
const callMs = 20_000

/** Longest time from a call to its end, for whoever must plan with it. */
export const longestCallMs = longestTurnsMs + callMs

/**
 * The calls to the Platform API that we make, in its own words. Every one takes at most its time budget once it has its
 * turn by our own pace, renews the token once when it is refused, and throws nothing but the errors of `errors.ts`.
 */
export interface GenesysClient {
  /** The full view. */
  getConversation(conversationId: string): Promise<Conversation>
  /**
   * Sends a text to the customer on a connected agent's communication. Never repeated unless the platform surely did not
   * take it; throws `AnswerLost` when it may have.
   */
  sendMessage(conversationId: string, communicationId: string, textBody: string): Promise<void>
  /**
   * Sends a text to a customer of Open Messaging, in the open conversation if there is one. Never repeated unless the platform
   * surely did not take it; throws `AnswerLost` when it may have.
   */
  sendAgentless(to: { integrationId: string; customerId: string }, textBody: string): Promise<void>
  /** At most 1,000 ids; ids that the conversation does not have are left out. */
  getMessages(conversationId: string, ids: string[]): Promise<MessageData[]>
  /** One message, with the conversation that it belongs to. */
  getMessage(messageId: string): Promise<MessageData>
  /** A channel of the notification service. Whoever has its address hears what comes on it. */
  createChannel(): Promise<{ id: string; connectUri: string }>
  /** Makes these the topics of a channel, and keeps it for another 24 hours. Gives those that are refused, and why. */
  subscribe(channelId: string, topics: string[]): Promise<{ topic: string; reason: string }[]>
  /** A call that has no function of its own here, by the same rules. */
  call(asked: Call): Promise<unknown>
  /** Adds to a participant's attributes and overwrites those named. */
  patchParticipantAttributes(
    conversationId: string,
    participantId: string,
    attributes: Record<string, string>,
  ): Promise<void>
  /** Whether the credentials work, for health and doctor. Who asks while one asks already gets the same answer. */
  checkToken(): Promise<TokenHolder>
  /** How many tokens were given so far. What holds for a token's life is remembered under this number. */
  tokensGiven(): number
  /** For downloads, which the same limits bound. */
  bearer: Bearer
}

export interface GenesysClientOptions {
  /** Origins, without a slash at the end. */
  loginUrl: string
  apiUrl: string
  grant: Grant
  /** The platform's own default is 300 a minute for one token (its limits page). */
  requestsPerMinute: number
  clock: Clock
  events: Pick<Events, 'genesysAnswered' | 'genesysTokenAsked'>
  /** Spreads the waits between tries: 0 to 1. */
  random?: () => number
}

export interface Call {
  /** `METHOD /path` with names in place of ids: for counters and errors. */
  route: string
  path: string
  body?: unknown
  /** May be done twice without harm. */
  repeatable: boolean
}

/** What is left to a call: when it must end, and how long it may yet wait for turns, which puts off its end. */
interface Budget {
  ends: number
  turnsLeftMs: number
}

/** How one try ended, other than well. `again`: surely not done, or repeatable, and worth another try within the budget. */
type Failed =
  | { kind: 'unauthorized' }
  | { kind: 'again'; error: GenesysUnavailable }
  | { kind: 'final'; error: GenesysRefused | GenesysUnavailable | AnswerLost }

/** Longest time of one try. */
const tryMs = 10_000

/** A 429 that asks for no longer speaks of the minute's limit, which all calls share; a longer one of some limit of its own. */
const longestHoldSeconds = 60

const firstBackOffMs = 500
const busy = [502, 503, 504]

export function createGenesysClient(options: GenesysClientOptions): GenesysClient {
  const { apiUrl, clock, events, random = Math.random } = options
  const tokens = createTokens({ ...options, tryMs })
  const pace = createPace(options.requestsPerMinute, clock)
  const now = () => clock.now().getTime()

  async function call(asked: Call): Promise<unknown> {
    const budget: Budget = { ends: now() + callMs, turnsLeftMs: longestTurnsMs }
    let renewed = false
    for (let tries = 0; ; tries++) {
      const outcome = await attempt(asked, budget)
      if (outcome.kind === 'done') return outcome.body
      if (outcome.kind === 'final') throw outcome.error
      if (outcome.kind === 'unauthorized') {
        if (renewed) throw new CredentialsRefused(`${asked.route}: 401, with a token that was just given`)
        renewed = true
        continue
      }
      const { error } = outcome
      // At least our own wait: a platform that says "in 0 seconds" again and again is not asked in a tight loop.
      const backOffMs = firstBackOffMs * 2 ** tries * (0.5 + random() / 2)
      const waitMs = Math.max(backOffMs, (error.retryAfterSeconds ?? 0) * 1000)
      if (now() + waitMs >= budget.ends) throw error
      await clock.wait(waitMs)
    }
  }

  async function attempt(asked: Call, budget: Budget): Promise<Failed | { kind: 'done'; body: unknown }> {
    let token: string
    try {
      token = await tokens.get()
    } catch (error) {
      if (error instanceof GenesysUnavailable) return { kind: 'again', error }
      throw error
    }
    await turn(budget)
    const left = budget.ends - now()
    if (left <= 0) throw new GenesysUnavailable(`${asked.route}: no time left`)
    try {
      const answer = await send(asked, token, Math.min(tryMs, left))
      if (answer.status === 401) tokens.drop(token)
      if (answer.status === 429) {
        const seconds = retryAfterOf(answer.headers, clock.now())
        if (seconds !== null && seconds <= longestHoldSeconds) pace.hold(seconds * 1000)
      }
      if (answer.status >= 200 && answer.status < 300) return { kind: 'done', body: answer.body }
      return failureOf(asked, answer, clock.now())
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      const { cause } = error
      if (!error.notSent && !asked.repeatable)
        return { kind: 'final', error: new AnswerLost(`${asked.route}: the answer was lost`, { cause }) }
      return { kind: 'again', error: new GenesysUnavailable(`${asked.route}: no answer`, { cause }) }
    }
  }

  async function turn(budget: Budget): Promise<void> {
    const from = now()
    await pace.turn(from + budget.turnsLeftMs)
    const waited = Math.max(0, now() - from)
    budget.turnsLeftMs -= waited
    budget.ends += waited
  }

  async function send({ route, path, body }: Call, token: string, withinMs: number): Promise<Answer> {
    const init: RequestInit = {
      method: route.slice(0, route.indexOf(' ')),
      headers: {
        authorization: `Bearer ${token}`,
        accept: 'application/json',
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }
    try {
      const answer = await ask(`${apiUrl}${path}`, init, withinMs, clock)
      events.genesysAnswered({
        route,
        status: answer.status,
        count: numberIn(answer.headers, 'inin-ratelimit-count'),
        allowed: numberIn(answer.headers, 'inin-ratelimit-allowed'),
      })
      return answer
    } catch (error) {
      events.genesysAnswered({ route, status: 0, count: null, allowed: null })
      throw error
    }
  }

  let checking: Promise<TokenHolder> | null = null

  async function checkToken(): Promise<TokenHolder> {
    const body = await call({
      route: 'GET /api/v2/tokens/me',
      path: '/api/v2/tokens/me?preserveIdleTTL=true',
      repeatable: true,
    })
    const { organization, OAuthClient } = objectIn<Schemas['TokenInfo']>(body)
    return {
      organization: { id: organization?.id ?? null, name: organization?.name ?? null },
      client: { id: OAuthClient?.id ?? null, name: OAuthClient?.name ?? null },
    }
  }

  return {
    call,
    async getConversation(conversationId) {
      const body = await call({
        route: 'GET /api/v2/conversations/{id}',
        path: `/api/v2/conversations/${segment(conversationId)}`,
        repeatable: true,
      })
      return objectIn<Conversation>(body)
    },
    async sendMessage(conversationId, communicationId, textBody) {
      await call({
        route: 'POST /api/v2/conversations/messages/{id}/communications/{communicationId}/messages',
        path: `/api/v2/conversations/messages/${segment(conversationId)}/communications/${segment(communicationId)}/messages`,
        body: { textBody } satisfies Schemas['AdditionalMessage'],
        repeatable: false,
      })
    },
    async sendAgentless({ integrationId, customerId }, textBody) {
      await call({
        route: 'POST /api/v2/conversations/messages/agentless',
        path: '/api/v2/conversations/messages/agentless',
        body: {
          fromAddress: integrationId,
          toAddress: customerId,
          toAddressMessengerType: 'open',
          textBody,
          useExistingActiveConversation: true,
        } satisfies Schemas['SendAgentlessOutboundMessageRequest'],
        repeatable: false,
      })
    },
    async getMessages(conversationId, ids) {
      const body = await call({
        route: 'POST /api/v2/conversations/messages/{id}/messages/bulk',
        path: `/api/v2/conversations/messages/${segment(conversationId)}/messages/bulk`,
        body: ids,
        repeatable: true,
      })
      return objectIn<Schemas['TextMessageListing']>(body).entities ?? []
    },
    async getMessage(messageId) {
      const body = await call({
        route: 'GET /api/v2/conversations/messages/{messageId}/details',
        path: `/api/v2/conversations/messages/${segment(messageId)}/details`,
        repeatable: true,
      })
      return objectIn<MessageData>(body)
    },
    async createChannel() {
      const body = await call({
        route: 'POST /api/v2/notifications/channels',
        path: '/api/v2/notifications/channels',
        repeatable: true,
      })
      const { id, connectUri } = objectIn<Schemas['Channel']>(body)
      if (!id || !connectUri || !URL.canParse(connectUri))
        throw new GenesysUnavailable('Genesys answers with a channel that has no address')
      return { id, connectUri }
    },
    async subscribe(channelId, topics) {
      const body = await call({
        route: 'PUT /api/v2/notifications/channels/{channelId}/subscriptions',
        path: `/api/v2/notifications/channels/${segment(channelId)}/subscriptions?ignoreErrors=true`,
        body: topics.map((id) => ({ id })),
        repeatable: true,
      })
      const { entities = [] } = objectIn<Schemas['ChannelTopicEntityListing']>(body)
      return entities
        .filter(({ state }) => state === 'Rejected')
        .map(({ id, rejectionReason, missingPermissions }) => ({
          topic: id ?? '',
          reason: [rejectionReason, ...(missingPermissions ?? [])].filter(Boolean).join(' '),
        }))
    },
    async patchParticipantAttributes(conversationId, participantId, attributes) {
      await call({
        route: 'PATCH /api/v2/conversations/{id}/participants/{participantId}/attributes',
        path: `/api/v2/conversations/${segment(conversationId)}/participants/${segment(participantId)}/attributes`,
        body: { attributes } satisfies Schemas['ParticipantAttributes'],
        repeatable: true,
      })
    },
    checkToken() {
      checking ??= checkToken().finally(() => {
        checking = null
      })
      return checking
    },
    tokensGiven: () => tokens.given(),
    bearer: {
      async get() {
        const token = await tokens.get()
        await pace.turn(now() + longestTurnsMs)
        return token
      },
      drop: (token) => tokens.drop(token),
    },
  }
}

function failureOf({ route, repeatable }: Call, { status, headers, body }: Answer, now: Date): Failed {
  if (status === 401) return { kind: 'unauthorized' }
  const retryAfterSeconds = retryAfterOf(headers, now)
  const unavailable = () => new GenesysUnavailable(`${route}: ${status}`, { retryAfterSeconds })
  if (status === 429) return { kind: 'again', error: unavailable() }
  if (status >= 500 || status === 408) {
    if (!repeatable) return { kind: 'final', error: new AnswerLost(`${route}: ${status}`, { retryAfterSeconds }) }
    return { kind: busy.includes(status) ? 'again' : 'final', error: unavailable() }
  }
  const { code, message, contextId } = (body ?? {}) as Partial<Record<keyof Schemas['ErrorBody'], unknown>>
  const correlationId = headers.get('inin-correlation-id') ?? textOf(contextId)
  return {
    kind: 'final',
    error: new GenesysRefused(route, { status, code: textOf(code), message: textOf(message), correlationId }),
  }
}

function textOf(value: unknown): string | null {
  return typeof value === 'string' ? value.slice(0, 300) : null
}
