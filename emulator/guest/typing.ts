import type { FastifyInstance } from 'fastify'
import { isRecord, isWholeNumber } from '../parse.ts'
import { conversationOr404 } from '../platform/conversations.ts'
import { badRequest } from '../platform/errors.ts'
import type { World } from '../world/world.ts'
import { pushed, typingEvent } from './frames.ts'
import type { Sessions } from './sessions.ts'

/** Milliseconds for which typing is shown if the caller does not say. */
const defaultDuration = 5000

interface Parts {
  world: World
  sessions: Sessions
  now: () => Date
}

/** The agent types: the guest sees it on the socket, and nothing of it stays. */
export function typingRoute({ world, sessions, now }: Parts) {
  return async (app: FastifyInstance) => {
    app.post<{ Params: { conversationId: string; communicationId: string } }>(
      '/api/v2/conversations/messages/:conversationId/communications/:communicationId/typing',
      async ({ params, body }, reply) => {
        conversationOr404(world, params.conversationId)
        if (!isRecord(body) || !isRecord(body.typing)) throw badRequest('typing is required.')
        const { duration } = body.typing
        const session = sessions.ofConversation(params.conversationId)
        const event = typingEvent(now(), isWholeNumber(duration, 0) ? duration : defaultDuration)
        if (session) sessions.push(session, pushed('StructuredMessage', event))
        return reply.send()
      },
    )
  }
}
