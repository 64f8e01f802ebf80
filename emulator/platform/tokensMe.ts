import type { FastifyInstance } from 'fastify'
import { org } from '../org.ts'
import type { components } from '../platform.d.ts'

/** `GET /api/v2/tokens/me`: works with client credentials, and then names no user. */
export async function tokensMeRoute(app: FastifyInstance): Promise<void> {
  app.get(
    '/api/v2/tokens/me',
    async (): Promise<components['schemas']['TokenInfo']> => ({
      organization: { id: org.id, name: org.name },
      homeOrganization: { id: org.id, name: org.name },
      authorizedScope: [],
      OAuthClient: {
        id: org.client.id,
        name: org.client.name,
        organization: { id: org.id },
        authorizedGrantType: 'CLIENT-CREDENTIALS',
      },
    }),
  )
}
