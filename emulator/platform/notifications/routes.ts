import type { FastifyInstance, FastifyRequest } from 'fastify'
import { isRecord } from '../../parse.ts'
import type { components } from '../../platform.d.ts'
import type { Switches } from '../../switches.ts'
import type { Access } from '../authorize.ts'
import { badRequest, missingPermissions, notFound } from '../errors.ts'
import { ownerOf } from '../tokens.ts'
import type { Channel, Channels } from './channels.ts'
import { isTopic, topicTemplates } from './topics.ts'

type Schemas = components['schemas']
type Route = { Params: { channelId: string }; Querystring: { ignoreErrors?: string } }

interface Parts {
  channels: Channels
  access: Access
  switches: Switches
  /** Where sockets are opened: `ws://host:port`. */
  socketOrigin: () => string
}

const mostTopics = 1000
const subscriptionsPath = '/api/v2/notifications/channels/:channelId/subscriptions'

/** The calls that make channels and say what comes on them. */
export function notificationRoutes({ channels, access, switches, socketOrigin }: Parts) {
  const viewOf = ({ id, expiresAt }: Channel): Schemas['Channel'] => ({
    id,
    connectUri: `${socketOrigin()}/channels/${id}`,
    expires: expiresAt.toISOString(),
  })

  /** Another owner's channel is answered like none. */
  function find(request: FastifyRequest<Route>): Channel {
    const channel = channels.find(request.params.channelId)
    if (channel?.owner !== ownerOf(access.tokenOf(request))) throw notFound()
    return channel
  }

  /** The topics asked for, each with its verdict. UNCONFIRMED which permissions a topic wants, and the error's status and code. */
  function judged(request: FastifyRequest<Route>, channel: Channel): Schemas['ChannelTopic'][] {
    const topics = parseTopics(request.body).map((id) => verdictOn(id, channel, switches))
    const rejected = topics.filter(({ state }) => state === 'Rejected')
    if (rejected.length > 0 && request.query.ignoreErrors !== 'true') throw missingPermissions()
    return topics
  }

  function subscribe(channel: Channel, already: string[], topics: Schemas['ChannelTopic'][]) {
    const permitted = topics.filter(({ state }) => state === 'Permitted').map(({ id }) => String(id))
    const all = [...new Set([...already, ...permitted])]
    if (all.length > mostTopics) throw badRequest(`A channel takes at most ${mostTopics} topics.`)
    channels.subscribe(channel, all)
    return { entities: topics }
  }

  return async (app: FastifyInstance) => {
    app.post('/api/v2/notifications/channels', async (request): Promise<Schemas['Channel']> => {
      const token = access.tokenOf(request)
      return viewOf(channels.create(ownerOf(token), token.value))
    })

    app.get<{ Querystring: { includechannels?: string } }>(
      '/api/v2/notifications/channels',
      async (request): Promise<Schemas['ChannelEntityListing']> => {
        const { value, ...grant } = access.tokenOf(request)
        const own = channels.list().filter(({ owner }) => owner === ownerOf(grant))
        const ofToken = own.filter(({ token }) => token === value).map(viewOf)
        if (request.query.includechannels !== 'oauthclient') return { entities: ofToken }
        // That they exist is shown, their ids are not.
        const others = own
          .filter(({ token }) => token !== value)
          .map((one) => ({ expires: one.expiresAt.toISOString() }))
        return { entities: [...ofToken, ...others] }
      },
    )

    app.head<Route>('/api/v2/notifications/channels/:channelId', async (request, reply) => {
      find(request)
      return reply.send()
    })

    app.get<Route>(subscriptionsPath, async (request): Promise<Schemas['ChannelTopicEntityListing']> => {
      const channel = find(request)
      return { entities: channel.topics.map((id) => permitted(id, channel)) }
    })
    app.post<Route>(subscriptionsPath, async (request) => {
      const channel = find(request)
      return subscribe(channel, channel.topics, judged(request, channel))
    })
    app.put<Route>(subscriptionsPath, async (request) => {
      const channel = find(request)
      return subscribe(channel, [], judged(request, channel))
    })
    app.delete<Route>(subscriptionsPath, async (request, reply) => {
      channels.subscribe(find(request), [])
      return reply.send()
    })

    app.get('/api/v2/notifications/availabletopics', async (): Promise<Schemas['AvailableTopicEntityListing']> => {
      return { entities: topicTemplates.map((id) => ({ id, visibility: 'Public', transports: ['All'] })) }
    })
  }
}

function verdictOn(id: string, channel: Channel, switches: Switches): Schemas['ChannelTopic'] {
  if (!isTopic(id)) return { ...rejected(id, channel), rejectionReason: 'The topic is not known.' }
  if (switches.notificationTopics === 'permitted') return permitted(id, channel)
  return { ...rejected(id, channel), rejectionReason: 'A permission is missing.', missingPermissions: [] }
}

const selfUri = ({ id }: Channel) => `/api/v2/notifications/channels/${id}/subscriptions`
const permitted = (id: string, channel: Channel) => ({ id, state: 'Permitted', selfUri: selfUri(channel) }) as const
const rejected = (id: string, channel: Channel) => ({ id, state: 'Rejected', selfUri: selfUri(channel) }) as const

function parseTopics(body: unknown): string[] {
  if (!Array.isArray(body)) throw badRequest('The body must be a list of topics.')
  return body.map((topic) => {
    if (!isRecord(topic) || typeof topic.id !== 'string') throw badRequest('Each topic needs an id.')
    return topic.id
  })
}
