import type { FastifyInstance } from 'fastify'
import { newMessageId } from '../ids.ts'
import { isRecord } from '../parse.ts'
import { badRequest, invalidValue, notFound } from '../platform/errors.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import { type Conversation, hasEnded } from '../world/conversation.ts'
import { attach, type CustomerFile } from '../world/message.ts'
import { allows, type Profiles } from '../world/profiles.ts'
import type { World } from '../world/world.ts'
import { fetchFile } from './fetchFile.ts'
import { integrationOr404 } from './integrationRoutes.ts'
import type { Integration, Integrations } from './integrations.ts'

type Schemas = components['schemas']
type Route = { Params: { integrationId: string }; Querystring: { prefetchConversationId?: string } }

interface Parts {
  integrations: Integrations
  profiles: Profiles
  world: World
  switches: Switches
  now: () => Date
}

const base = '/api/v2/conversations/messages/:integrationId/inbound/open'

/** What comes in over Open Messaging: messages, typing, and receipts of outbound messages. */
export function inboundRoutes({ integrations, profiles, world, switches, now }: Parts) {
  /** Sender and time of each message that came: together they must be unique. */
  const seen = new Set<string>()

  /** The sender's open conversation, or a new one. */
  function conversationOf({ id }: Integration, sender: string): Conversation {
    const known = openConversation(world, id, sender)
    if (known) return known
    const conversation = world.begin({ channel: { messenger: 'open', id }, guestAddress: sender })
    if (switches.agentTakesGuests) world.connectAgent(conversation)
    return conversation
  }

  /** What is not of an allowed type is dropped; that what cannot be fetched is dropped too is UNCONFIRMED. */
  async function fileOf(body: Record<string, unknown>, integration: Integration): Promise<CustomerFile | undefined> {
    const described = attachmentIn(body)
    const types = profiles.find(integration.supportedContentId)?.inbound ?? []
    if (!described || !allows(types, described.mime)) return undefined
    return fetchFile(described.url, described.filename, described.mime)
  }

  return async (app: FastifyInstance) => {
    app.post<Route>(`${base}/message`, async (request): Promise<Schemas['OpenMessageNormalizedMessage']> => {
      const integration = integrationOr404(integrations, request.params.integrationId)
      const body = recordOf(request.body)
      if (isRecord(body.metadata) && body.metadata.customAttributes !== undefined) {
        throw badRequest('customAttributes belong into the metadata of the channel.')
      }
      const { from, time, messageId } = channelIn(body)
      const text = typeof body.text === 'string' ? body.text : ''
      if (text === '' && !attachmentIn(body)) throw badRequest('A text or an attachment is required.')
      const once = `${integration.id} ${from.id} ${messageId ?? ''} ${time}`
      // That a repetition gets this answer is UNCONFIRMED.
      if (seen.has(once)) throw invalidValue('The combination of id and time is not unique.')
      seen.add(once)
      const file = await fileOf(body, integration)
      const conversation = conversationOf(integration, String(from.id))
      const message = world.channelSends(conversation, {
        text,
        ...(file && { attachment: attach(file, now()) }),
        ...(messageId !== undefined && { channelMessageId: messageId }),
      })
      const content = Array.isArray(body.content) ? (body.content as Schemas['OpenMessageContent'][]) : undefined
      return {
        id: message.id,
        channel: channelView(integration, from, time, messageId),
        type: 'Text',
        ...(text !== '' && { text }),
        ...(content && { content: content.map((item) => ({ ...item, contentType: 'Attachment' })) }),
        ...(request.query.prefetchConversationId === 'true' && { conversationId: conversation.id }),
      }
    })

    app.post<Route>(`${base}/event`, async ({ params, body }): Promise<Schemas['OpenEventNormalizedMessage']> => {
      const integration = integrationOr404(integrations, params.integrationId)
      const { from, time } = channelIn(recordOf(body))
      const channel = channelView(integration, from, time)
      return { id: newMessageId(), channel, type: 'Event', events: [{ eventType: 'Typing' }] }
    })

    app.post<Route>(`${base}/receipt`, async ({ params, body }): Promise<Schemas['OpenReceiptNormalizedMessage']> => {
      const integration = integrationOr404(integrations, params.integrationId)
      const { id, status, channel, isFinalReceipt } = recordOf(body)
      const message = world.message(String(id))
      if (message?.direction !== 'outbound') throw notFound()
      // The official page has these two only. Which status the message then shows is inferred from the names.
      if (status !== 'Delivered' && status !== 'Failed') throw invalidValue('Value of [status] is not valid.')
      message.delivery = status === 'Delivered' ? 'delivery-success' : 'delivery-failed'
      const { to, time } = recordOf(channel)
      return {
        id: message.id,
        channel: {
          id: integration.id,
          platform: 'Open',
          type: 'Private',
          to: { id: String(recordOf(to).id) },
          from: { id: integration.id, idType: 'Opaque' },
          time: timeOf(time),
        },
        type: 'Receipt',
        status,
        ...(typeof isFinalReceipt === 'boolean' && { isFinalReceipt }),
        direction: 'Outbound',
      }
    })
  }
}

/** The conversation in which a sender is now. */
export function openConversation(world: World, integrationId: string, customer: string): Conversation | undefined {
  return world.conversations().find((one) => {
    return one.channel.id === integrationId && one.guestAddress === customer && !hasEnded(one)
  })
}

function channelView(
  { id }: Integration,
  from: Schemas['OpenMessagingFromRecipient'],
  time: string,
  messageId?: string,
): Schemas['OpenMessagingChannel'] {
  const about = { id, platform: 'Open', type: 'Private', to: { id }, from, time } as const
  return messageId === undefined ? about : { ...about, messageId }
}

function channelIn(body: Record<string, unknown>) {
  const { from, time, messageId } = recordOf(body.channel)
  const { id, idType, nickname, firstName, lastName } = recordOf(from)
  if (typeof id !== 'string' || typeof idType !== 'string') throw badRequest('channel.from needs id and idType.')
  const names = Object.entries({ nickname, firstName, lastName }).filter(([, name]) => typeof name === 'string')
  return {
    from: { id, idType, ...Object.fromEntries(names) } as Schemas['OpenMessagingFromRecipient'],
    time: timeOf(time),
    ...(typeof messageId === 'string' && { messageId }),
  }
}

/** The first one; Throws `PlatformError` 400 when it lacks what the model requires. */
function attachmentIn({ content }: Record<string, unknown>) {
  const first: unknown = Array.isArray(content) ? content[0] : undefined
  if (first === undefined) return undefined
  const { mediaType, url, mime, filename } = recordOf(recordOf(first).attachment)
  if (typeof mediaType !== 'string' || typeof url !== 'string' || typeof mime !== 'string') {
    throw badRequest('An attachment needs mediaType, url and mime.')
  }
  return { url, mime, filename: typeof filename === 'string' ? filename : 'attachment' }
}

function timeOf(value: unknown): string {
  if (typeof value !== 'string' || Number.isNaN(Date.parse(value))) throw badRequest('channel.time is required.')
  return value
}

function recordOf(value: unknown): Record<string, unknown> {
  if (!isRecord(value)) throw badRequest('The body is not valid.')
  return value
}
