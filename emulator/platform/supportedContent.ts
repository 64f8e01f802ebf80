import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import type { components } from '../platform.d.ts'
import type { Profile, ProfileContent, Profiles } from '../world/profiles.ts'
import { badRequest, invalidValue, notFound } from './errors.ts'

type Schemas = components['schemas']
type Route = { Params: { supportedContentId: string } }

const base = '/api/v2/conversations/messaging/supportedcontent'
const one = `${base}/:supportedContentId`

/** The supported content profiles: which types of files the platform takes from customers and sends to them. */
export function supportedContentRoutes(profiles: Profiles) {
  function find(id: string): Profile {
    const profile = profiles.find(id)
    if (!profile) throw notFound()
    return profile
  }

  return async (app: FastifyInstance) => {
    app.get(base, async (): Promise<Schemas['SupportedContentListing']> => {
      const entities = profiles.list().map(profileView)
      return { entities, pageSize: entities.length, pageNumber: 1, total: entities.length, pageCount: 1 }
    })
    app.post(base, async ({ body }) => {
      const { name, inbound = [], outbound = [] } = parseProfile(body)
      if (name === undefined) throw badRequest('A name is required.')
      return profileView(profiles.create({ name, inbound, outbound }))
    })
    app.get(`${base}/default`, async () => profileView(profiles.byDefault()))
    app.put(`${base}/default`, async ({ body }) => {
      if (!isRecord(body) || typeof body.id !== 'string') throw badRequest('An id is required.')
      const profile = find(body.id)
      profiles.makeDefault(profile)
      return profileView(profile)
    })
    app.get<Route>(one, async ({ params }) => profileView(find(params.supportedContentId)))
    app.patch<Route>(one, async ({ params, body }) => {
      const profile = find(params.supportedContentId)
      profiles.change(profile, parseProfile(body))
      return profileView(profile)
    })
    app.delete<Route>(one, async ({ params }, reply) => {
      const profile = find(params.supportedContentId)
      // That the default cannot be deleted is documented; the answer, and that one in use cannot be, is UNCONFIRMED.
      if (profile === profiles.byDefault() || profile === profiles.ofDeployment())
        throw badRequest('The profile is in use.')
      profiles.remove(profile)
      return reply.code(204).send()
    })
  }
}

function profileView(profile: Profile): Schemas['SupportedContent'] {
  const { id, name, inbound, outbound, version, dateCreated, dateModified } = profile
  return {
    id,
    name,
    dateCreated: dateCreated.toISOString(),
    dateModified: dateModified.toISOString(),
    version,
    mediaTypes: {
      allow: { inbound: inbound.map((type) => ({ type })), outbound: outbound.map((type) => ({ type })) },
    },
    selfUri: `${base}/${id}`,
  }
}

function parseProfile(body: unknown): Partial<ProfileContent> {
  if (!isRecord(body)) throw badRequest('A profile is required.')
  const { name, mediaTypes } = body
  if (name !== undefined && (typeof name !== 'string' || name === ''))
    throw invalidValue('Value of [name] is not valid.')
  const allow = isRecord(mediaTypes) && isRecord(mediaTypes.allow) ? mediaTypes.allow : {}
  return {
    ...(name !== undefined && { name }),
    ...(allow.inbound !== undefined && { inbound: parseTypes(allow.inbound) }),
    ...(allow.outbound !== undefined && { outbound: parseTypes(allow.outbound) }),
  }
}

function parseTypes(value: unknown): string[] {
  if (!Array.isArray(value)) throw invalidValue('Value of [mediaTypes] is not valid.')
  return value.map((entry) => {
    const type: unknown = isRecord(entry) ? entry.type : undefined
    if (typeof type !== 'string' || !/^(\*\/\*|[\w.+-]+\/(\*|[\w.+-]+))$/.test(type)) {
      throw invalidValue(`Value of [mediaTypes] is not valid: ${JSON.stringify(type)}`)
    }
    return type
  })
}
