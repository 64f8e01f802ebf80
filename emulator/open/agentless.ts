import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import { badRequest, invalidValue } from '../platform/errors.ts'
import { type FileView, messageData } from '../platform/views.ts'
import type { components } from '../platform.d.ts'
import { connected, customerOf } from '../world/conversation.ts'
import type { World } from '../world/world.ts'
import { openConversation } from './inbound.ts'
import { integrationOr404 } from './integrationRoutes.ts'
import type { Integrations } from './integrations.ts'

interface Parts {
  integrations: Integrations
  world: World
  files: FileView
}

const path = '/api/v2/conversations/messages/agentless'

/**
 * A text to a customer of Open Messaging without any agent; the call is meant for client credentials. Of the messengers that
 * the platform takes here (`sms`, `whatsapp`, `open`) only `open` is played. On whose leg the message lies is UNCONFIRMED.
 */
export function agentlessRoute({ integrations, world, files }: Parts) {
  return async (app: FastifyInstance) => {
    app.post(path, async ({ body }): Promise<components['schemas']['SendAgentlessOutboundMessageResponse']> => {
      const { fromAddress, toAddress, textBody, useExistingActiveConversation } = parse(body)
      const { id } = integrationOr404(integrations, fromAddress)
      const known = useExistingActiveConversation ? openConversation(world, id, toAddress) : undefined
      const conversation = known ?? world.begin({ channel: { messenger: 'open', id }, guestAddress: toAddress })
      const leg = connected(conversation, 'agent') ?? connected(conversation, 'acd') ?? customerOf(conversation)
      const message = world.agentSends(conversation, leg.communicationId, { text: textBody })
      return {
        id: message.id,
        conversationId: conversation.id,
        fromAddress,
        toAddress,
        messengerType: 'open',
        useExistingActiveConversation,
        message: messageData(message, conversation, files),
        timestamp: message.time.toISOString(),
        selfUri: `${path}/${message.id}`,
      }
    })
  }
}

function parse(body: unknown) {
  if (!isRecord(body)) throw badRequest('A message is required.')
  const { fromAddress, toAddress, toAddressMessengerType, textBody, useExistingActiveConversation } = body
  if (toAddressMessengerType !== 'open') throw invalidValue('Value of [toAddressMessengerType] is not valid.')
  for (const [name, value] of Object.entries({ fromAddress, toAddress, textBody })) {
    if (typeof value !== 'string' || value === '') throw badRequest(`${name} is required.`)
  }
  return {
    fromAddress: String(fromAddress),
    toAddress: String(toAddress),
    textBody: String(textBody),
    useExistingActiveConversation: useExistingActiveConversation === true,
  }
}
