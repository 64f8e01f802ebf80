import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import type { components } from '../platform.d.ts'
import type { World } from '../world/world.ts'
import { conversationOr404 } from './conversations.ts'
import { badRequest } from './errors.ts'
import { fullView } from './views.ts'

/** Ends a conversation by disconnecting all of its participants; nothing else can be changed here. */
export function endingRoute(world: World) {
  return async (app: FastifyInstance) => {
    app.patch<{ Params: { conversationId: string } }>(
      '/api/v2/conversations/messages/:conversationId',
      async ({ params, body }): Promise<components['schemas']['Conversation']> => {
        const conversation = conversationOr404(world, params.conversationId)
        if (!isRecord(body) || body.state !== 'disconnected')
          throw badRequest('Only the state disconnected can be set.')
        world.end(conversation)
        return fullView(conversation)
      },
    )
  }
}
