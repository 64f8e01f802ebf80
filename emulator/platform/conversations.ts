import type { FastifyInstance } from 'fastify'
import type { components } from '../platform.d.ts'
import type { Conversation } from '../world/conversation.ts'
import type { World } from '../world/world.ts'
import { badRequest, notFound } from './errors.ts'
import { type FileView, fullView, messageData, messageView } from './views.ts'

type MessageData = components['schemas']['MessageData']
type TextMessageListing = components['schemas']['TextMessageListing']

const maxBulkIds = 1000

/** The calls that read conversations and messages. */
export function conversationRoutes({ world, files }: { world: World; files: FileView }) {
  const find = (id: string) => conversationOr404(world, id)

  return async (app: FastifyInstance) => {
    app.get<{ Params: { conversationId: string } }>('/api/v2/conversations/:conversationId', async ({ params }) =>
      fullView(find(params.conversationId)),
    )

    app.get<{ Params: { conversationId: string } }>(
      '/api/v2/conversations/messages/:conversationId',
      async ({ params }) => messageView(find(params.conversationId)),
    )

    app.get<{ Params: { conversationId: string; messageId: string } }>(
      '/api/v2/conversations/messages/:conversationId/messages/:messageId',
      async ({ params }): Promise<MessageData> => {
        const conversation = find(params.conversationId)
        const message = conversation.messages.find(({ id }) => id === params.messageId)
        if (!message) throw notFound()
        return messageData(message, conversation, files)
      },
    )

    app.get<{ Params: { messageId: string } }>(
      '/api/v2/conversations/messages/:messageId/details',
      async ({ params }): Promise<MessageData> => {
        const message = world.message(params.messageId)
        if (!message) throw notFound()
        return messageData(message, find(message.conversationId), files)
      },
    )

    app.post<{ Params: { conversationId: string } }>(
      '/api/v2/conversations/messages/:conversationId/messages/bulk',
      async ({ params, body }): Promise<TextMessageListing> => {
        const conversation = find(params.conversationId)
        const ids = parseIds(body)
        // Ids of other conversations or of no message are left out: UNCONFIRMED, read from "being filtered" in the reference.
        const asked = conversation.messages.filter(({ id }) => ids.has(id))
        return { entities: asked.map((message) => messageData(message, conversation, files)) }
      },
    )
  }
}

/** Throws `PlatformError` 404. */
export function conversationOr404(world: World, id: string): Conversation {
  const conversation = world.conversation(id)
  if (!conversation) throw notFound()
  return conversation
}

function parseIds(body: unknown): Set<string> {
  if (!Array.isArray(body) || !body.every((id) => typeof id === 'string')) {
    throw badRequest('The body must be a list of message ids.')
  }
  if (body.length > maxBulkIds) throw badRequest(`At most ${maxBulkIds} message ids can be requested.`)
  return new Set(body)
}
