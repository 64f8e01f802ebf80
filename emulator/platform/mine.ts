import type { FastifyInstance } from 'fastify'
import type { components } from '../platform.d.ts'
import type { World } from '../world/world.ts'
import type { Access } from './authorize.ts'
import { userIdOf } from './tokens.ts'
import { fullView, messageView } from './views.ts'

type Schemas = components['schemas']

/** The conversations that the user who is logged in takes part in now, in both views. Client credentials are refused. */
export function myConversationRoutes({ world, access }: { world: World; access: Access }) {
  return async (app: FastifyInstance) => {
    app.get('/api/v2/conversations', async (request): Promise<Schemas['ConversationEntityListing']> => {
      return { entities: world.conversationsOf(userIdOf(access.tokenOf(request))).map(fullView) }
    })
    app.get('/api/v2/conversations/messages', async (request): Promise<Schemas['MessageConversationEntityListing']> => {
      return { entities: world.conversationsOf(userIdOf(access.tokenOf(request))).map(messageView) }
    })
  }
}
