import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import type { components } from '../platform.d.ts'
import type { World } from '../world/world.ts'
import { conversationOr404 } from './conversations.ts'
import { badRequest, invalidValue, notFound } from './errors.ts'

type ParticipantAttributes = components['schemas']['ParticipantAttributes']
type Route = { Params: { conversationId: string; participantId: string } }

/** Both calls add to a participant's attributes and overwrite those named. One answers 202 without a body, the other with them. */
export function attributeRoutes(world: World) {
  function merge({ conversationId, participantId }: Route['Params'], body: unknown): ParticipantAttributes {
    const conversation = conversationOr404(world, conversationId)
    const participant = conversation.participants.find(({ id }) => id === participantId)
    if (!participant) throw notFound()
    world.setAttributes(conversation, participant, parseAttributes(body))
    return { attributes: { ...participant.attributes } }
  }

  return async (app: FastifyInstance) => {
    app.patch<Route>(
      '/api/v2/conversations/:conversationId/participants/:participantId/attributes',
      async ({ params, body }, reply) => {
        merge(params, body)
        return reply.code(202).send()
      },
    )

    app.patch<Route>(
      '/api/v2/conversations/messages/:conversationId/participants/:participantId/attributes',
      async ({ params, body }, reply) => reply.code(202).send(merge(params, body)),
    )
  }
}

function parseAttributes(body: unknown): Record<string, string> {
  if (!isRecord(body) || !isRecord(body.attributes)) throw badRequest('Attributes are required.')
  for (const [name, value] of Object.entries(body.attributes)) {
    if (typeof value !== 'string') throw invalidValue(`Value of attribute [${name}] is not valid: it must be a string.`)
  }
  return body.attributes as Record<string, string>
}
