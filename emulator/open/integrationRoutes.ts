import type { FastifyInstance } from 'fastify'
import { isRecord } from '../parse.ts'
import { badRequest, invalidValue, notFound } from '../platform/errors.ts'
import type { components } from '../platform.d.ts'
import type { Profiles } from '../world/profiles.ts'
import type { Integration, IntegrationContent, Integrations } from './integrations.ts'

type Schemas = components['schemas']
type Route = { Params: { integrationId: string } }

const base = '/api/v2/conversations/messaging/integrations/open'
const one = `${base}/:integrationId`

/** A secret must be longer. */
const shortSecret = 15

interface Parts {
  integrations: Integrations
  profiles: Profiles
}

/** Open Messaging integrations. The platform posts to port 443 only; here any http address will do. */
export function integrationRoutes({ integrations, profiles }: Parts) {
  function parse(body: unknown): Partial<IntegrationContent> {
    if (!isRecord(body)) throw badRequest('An integration is required.')
    const url = textOf(body, 'outboundNotificationWebhookUrl')
    if (url !== undefined && !URL.canParse(url))
      throw invalidValue('Value of [outboundNotificationWebhookUrl] is not valid.')
    const secret = textOf(body, 'outboundNotificationWebhookSignatureSecretToken')
    if (secret !== undefined && secret.length <= shortSecret) {
      throw invalidValue('Value of [outboundNotificationWebhookSignatureSecretToken] is too short.')
    }
    const name = textOf(body, 'name')
    const profile = isRecord(body.supportedContent) ? profiles.find(String(body.supportedContent.id)) : undefined
    if (isRecord(body.supportedContent) && !profile) throw notFound()
    return {
      ...(name !== undefined && { name }),
      ...(url !== undefined && { webhookUrl: url }),
      ...(secret !== undefined && { secret }),
      ...(isRecord(body.webhookHeaders) && { webhookHeaders: body.webhookHeaders as Record<string, string> }),
      ...(profile && { supportedContentId: profile.id }),
    }
  }

  return async (app: FastifyInstance) => {
    app.get(base, async (): Promise<Schemas['OpenIntegrationEntityListing']> => {
      const entities = integrations.list().map(integrationView)
      return { entities, pageSize: entities.length, pageNumber: 1, total: entities.length, pageCount: 1 }
    })
    app.post(base, async ({ body }) => {
      const { name, webhookUrl, secret, ...rest } = parse(body)
      if (name === undefined || webhookUrl === undefined || secret === undefined) {
        throw badRequest('Name, webhook url and secret are required.')
      }
      const byDefault = { webhookHeaders: {}, supportedContentId: profiles.byDefault().id }
      return integrationView(integrations.create({ ...byDefault, ...rest, name, webhookUrl, secret }))
    })
    app.get<Route>(one, async ({ params }) => integrationView(integrationOr404(integrations, params.integrationId)))
    app.patch<Route>(one, async ({ params, body }) => {
      const integration = integrationOr404(integrations, params.integrationId)
      integrations.change(integration, parse(body))
      return integrationView(integration)
    })
    app.delete<Route>(one, async ({ params }, reply) => {
      integrations.remove(integrationOr404(integrations, params.integrationId))
      return reply.send()
    })
  }
}

/** Throws `PlatformError` 404. */
export function integrationOr404(integrations: Integrations, id: string): Integration {
  const integration = integrations.find(id)
  if (!integration) throw notFound()
  return integration
}

function integrationView(integration: Integration): Schemas['OpenIntegration'] {
  const { id, name, webhookUrl, secret, webhookHeaders, supportedContentId, dateCreated, dateModified } = integration
  return {
    id,
    name,
    supportedContent: { id: supportedContentId },
    outboundNotificationWebhookUrl: webhookUrl,
    outboundNotificationWebhookSignatureSecretToken: secret,
    webhookHeaders,
    status: 'Active',
    dateCreated: dateCreated.toISOString(),
    dateModified: dateModified.toISOString(),
    createStatus: 'Completed',
    selfUri: `${base}/${id}`,
  }
}

function textOf(body: Record<string, unknown>, name: string): string | undefined {
  const value = body[name]
  if (value === undefined) return undefined
  if (typeof value !== 'string' || value === '') throw invalidValue(`Value of [${name}] is not valid.`)
  return value
}
