import type { FastifyInstance } from 'fastify'
import { authenticationRequired, badCredentials, errorOfStatus, tooManyRequests } from '../platform/errors.ts'
import type { UrlOf } from '../platform/views.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { Conversation } from '../world/conversation.ts'
import { structuredMessage } from './frames.ts'
import type { Jwts } from './jwt.ts'
import { isAllowedOrigin } from './origin.ts'
import type { GuestPaces } from './pace.ts'
import { GuestPace } from './refusal.ts'
import type { Sessions } from './sessions.ts'

type Entity = components['schemas']['WebMessagingMessage']
type Listing = components['schemas']['WebMessagingMessageEntityList']
type Query = { pageSize?: string; pageNumber?: string }

interface Parts {
  sessions: Sessions
  jwts: Jwts
  paces: GuestPaces
  switches: Switches
  urlOf: UrlOf
}

/** `GET /api/v2/webmessaging/messages`: what a guest's conversation holds, newest first, for the JWT of its session. */
export function historyRoute({ sessions, jwts, paces, switches, urlOf }: Parts) {
  function sessionOf(authorization: string | undefined) {
    const jwt = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
    if (jwt === undefined) throw authenticationRequired()
    const token = jwts.check(jwt)?.session
    const session = sessions.list().find((one) => one.token === token)
    if (!session) throw badCredentials()
    return session
  }

  return async (app: FastifyInstance) => {
    app.get<{ Querystring: Query }>('/api/v2/webmessaging/messages', async ({ headers, query }): Promise<Listing> => {
      if (!isAllowedOrigin(headers.origin, switches.allowedDomains)) throw errorOfStatus(403)
      const { token, conversation } = sessionOf(headers.authorization)
      count(paces, token)
      const pageSize = Math.max(1, Number(query.pageSize ?? 25) || 25)
      const pageNumber = Math.max(1, Number(query.pageNumber ?? 1) || 1)
      const newestFirst = [...(conversation?.messages ?? [])].reverse()
      const page = newestFirst.slice((pageNumber - 1) * pageSize, pageNumber * pageSize)
      return {
        entities: page.map((message) => entityOf(structuredMessage(message, conversation as Conversation, urlOf))),
        pageSize,
        pageNumber,
        total: newestFirst.length,
        pageCount: Math.ceil(newestFirst.length / pageSize),
      }
    })
  }
}

/** An entity is a frame's body, but for members that its schema does not have. */
function entityOf({ channel, metadata: _, ...body }: ReturnType<typeof structuredMessage>): Entity {
  const { time, messageId } = channel ?? {}
  return {
    ...(body as Entity),
    channel: { ...(time && { time }), ...(messageId && { messageId }) },
    originatingEntity: 'Human',
  }
}

function count(paces: GuestPaces, token: string): void {
  try {
    paces.count('historyOfSession', token)
  } catch (error) {
    throw error instanceof GuestPace ? tooManyRequests(error.retryAfter) : error
  }
}
