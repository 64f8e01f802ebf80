import type { FastifyInstance } from 'fastify'
import { clientOf, org, type User, userOf } from '../org.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { Access } from './authorize.ts'
import { notFound } from './errors.ts'
import { type Grant, type Tokens, userIdOf } from './tokens.ts'

type Schemas = components['schemas']

interface Parts {
  access: Access
  tokens: Tokens
  switches: Switches
}

/** Who am I: `users/me`, which wants a user, and `tokens/me`, which works with client credentials and then names none. */
export function meRoutes({ access, tokens, switches }: Parts) {
  return async (app: FastifyInstance) => {
    app.get<{ Querystring: { expand?: string | string[] } }>(
      '/api/v2/users/me',
      async (request): Promise<Schemas['UserMe']> => {
        const grant = access.tokenOf(request)
        const user = userOf(userIdOf(grant))
        if (!user) throw notFound()
        // The official SDK repeats the parameter; commas are taken too.
        const expand = new Set([request.query.expand ?? []].flat().flatMap((names) => names.split(',')))
        return {
          ...personOf(user),
          state: switches.userState,
          ...(expand.has('authorization') && {
            authorization: { roles: [{ id: roleId, name: user.role }], permissions: [...user.permissions] },
          }),
          ...(expand.has('organization') && { organization: { id: org.id, name: org.name, version: 1 } }),
          ...(expand.has('token') && { token: tokenInfo(grant, switches) }),
        }
      },
    )

    app.get('/api/v2/tokens/me', async (request) => tokenInfo(access.tokenOf(request), switches))
    app.head('/api/v2/tokens/me', async (_, reply) => reply.send())
    app.delete('/api/v2/tokens/me', async (request, reply) => {
      tokens.revoke(access.tokenOf(request))
      return reply.send()
    })
  }
}

const roleId = '00000000-0000-4000-8000-00000000f001'

function personOf({ id, name, email }: User) {
  return {
    id,
    name,
    email,
    username: email,
    division: { id: org.divisionId, name: 'Home', selfUri: `/api/v2/authorization/divisions/${org.divisionId}` },
    version: 1,
    selfUri: `/api/v2/users/${id}`,
  }
}

function tokenInfo({ clientId, userId }: Grant, switches: Switches): Schemas['TokenInfo'] {
  const organization = { id: org.id, name: org.name }
  return {
    organization,
    homeOrganization: organization,
    // Client credentials have roles, not scopes.
    authorizedScope: userId === undefined ? [] : ['conversations', 'user-basic-info'],
    OAuthClient: {
      id: switches.otherClient ? 'another-client' : clientId,
      name: clientOf(clientId)?.name ?? clientId,
      organization: { id: org.id },
      authorizedGrantType: userId === undefined ? 'CLIENT-CREDENTIALS' : 'CODE',
    },
    ...(userId !== undefined && switches.clonedUser && { clonedUser: { id: userId, organization: { id: org.id } } }),
  }
}
