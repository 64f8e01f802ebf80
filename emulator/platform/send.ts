import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { OutboundContent } from '../world/message.ts'
import { allows, type Profiles } from '../world/profiles.ts'
import type { World } from '../world/world.ts'
import type { Access } from './authorize.ts'
import { conversationOr404 } from './conversations.ts'
import { badRequest, invalidValue, notFound } from './errors.ts'
import type { OutboundMedia } from './media.ts'
import { userIdOf } from './tokens.ts'
import { type FileView, messageData } from './views.ts'

type MessageData = components['schemas']['MessageData']

const bodyFields = ['textBody', 'mediaIds', 'messagingTemplate']

/** Longest text in characters (reference of AdditionalMessage; the limits page says 4000). */
const maxTextLength = 2000

interface Parts {
  world: World
  switches: Switches
  files: FileView
  access: Access
  media: OutboundMedia
  profiles: Profiles
}

/** The one call that puts a visible message into a conversation. */
export function sendRoutes({ world, switches, files, access, media, profiles }: Parts) {
  function contentOf(body: unknown, leg: { conversationId: string; communicationId: string }): OutboundContent {
    const { textBody, mediaIds } = parse(body)
    if (textBody !== null) return { text: textBody }
    const attachment = media.attachmentOf(mediaIds[0], leg)
    // Outbound media that the profile does not list stops the message; this answer is UNCONFIRMED.
    if (!allows(profiles.ofDeployment().outbound, attachment.mime)) throw badRequest('The media type is not allowed.')
    return { attachment }
  }

  return async (app: FastifyInstance) => {
    app.post<{ Params: { conversationId: string; communicationId: string } }>(
      '/api/v2/conversations/messages/:conversationId/communications/:communicationId/messages',
      async (request): Promise<MessageData> => {
        const { params, body } = request
        if (switches.sendWithClientCredentials === 'userContextRequired') userIdOf(access.tokenOf(request))
        const conversation = conversationOr404(world, params.conversationId)
        const sender = conversation.participants.find(
          ({ communicationId }) => communicationId === params.communicationId,
        )
        if (!sender) throw notFound()
        // That only a connected agent's communication can send is what every public sample does; this answer is UNCONFIRMED.
        if (sender.purpose !== 'agent' || sender.endTime) {
          throw badRequest('The communication is not a connected communication of an agent.')
        }
        const message = world.agentSends(conversation, sender.communicationId, contentOf(body, params))
        return messageData(message, conversation, files)
      },
    )
  }
}

function parse(body: unknown): { textBody: string; mediaIds: [] } | { textBody: null; mediaIds: unknown[] } {
  if (!isRecord(body)) throw badRequest('A message body is required.')
  const given = bodyFields.filter((field) => body[field] !== undefined && body[field] !== null)
  if (given.length !== 1) throw badRequest('Only one message body field can be accepted, and one is required.')
  const { textBody, mediaIds } = body
  // No template exists, so nothing names one. Whether several media make several messages is UNCONFIRMED: one is taken.
  if (Array.isArray(mediaIds) && mediaIds.length === 1) return { textBody: null, mediaIds }
  if (textBody === undefined || textBody === null)
    throw invalidValue(`Nothing is known by this value of [${given[0]}].`)
  if (typeof textBody !== 'string' || textBody === '')
    throw invalidValue('Value of [textBody] is not valid: text is required.')
  if (textBody.length > maxTextLength) {
    throw invalidValue(`Value of [textBody] is not valid: at most ${maxTextLength} characters are allowed.`)
  }
  return { textBody, mediaIds: [] }
}
