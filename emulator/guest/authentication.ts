import type { FastifyInstance } from 'fastify'
import { org } from '../org.ts'
import { isRecord } from '../parse.ts'
import { badCredentials, badRequest } from '../platform/errors.ts'
import { newSecret } from '../platform/tokens.ts'
import type { components } from '../platform.d.ts'
import { pushed } from './frames.ts'
import type { Jwts } from './jwt.ts'
import type { Sessions } from './sessions.ts'

type Schemas = components['schemas']

/** UNCONFIRMED on the platform. */
const jwtLifetimeSeconds = 3600

const base = '/api/v2/webdeployments/token'

/**
 * Guests who prove who they are. The customer's own login is not played: any code or id token that it might have given is
 * taken, and stands for one customer.
 */
export function authenticationRoutes({ sessions, jwts }: { sessions: Sessions; jwts: Jwts }) {
  const refreshTokens = new Map<string, string>()
  const sign = (customer: string) => jwts.sign({ customer }, jwtLifetimeSeconds).jwt

  return async (app: FastifyInstance) => {
    app.post(
      `${base}/oauthcodegrantjwtexchange`,
      async ({ body }): Promise<Schemas['WebDeploymentsAuthorizationResponse']> => {
        if (!isRecord(body) || body.deploymentId !== org.deploymentId) throw badRequest('The deployment is not known.')
        const oauth = isRecord(body.oauth) ? body.oauth : {}
        const proof = oauth.code ?? oauth.idToken
        if (typeof proof !== 'string' || proof === '') throw badRequest('A code or an id token is required.')
        const refreshToken = newSecret()
        refreshTokens.set(refreshToken, proof)
        return { jwt: sign(proof), refreshToken }
      },
    )

    app.post(`${base}/refresh`, async ({ body }): Promise<Schemas['SignedData']> => {
      const customer = isRecord(body) ? refreshTokens.get(String(body.refreshToken)) : undefined
      if (customer === undefined) throw badCredentials()
      return { jwt: sign(customer) }
    })

    /** Logs out: every connection of an authenticated session hears of it. Which sessions the platform means is UNCONFIRMED. */
    app.delete(`${base}/revoke`, async ({ headers }, reply) => {
      const jwt = /^bearer +(\S+)$/i.exec(headers.authorization ?? '')?.[1]
      const customer = jwts.check(jwt)?.customer
      if (customer === undefined) throw badCredentials()
      for (const [token, of] of refreshTokens) if (of === customer) refreshTokens.delete(token)
      for (const session of sessions.list())
        if (session.authenticated) sessions.push(session, pushed('LogoutEvent', {}))
      return reply.send()
    })
  }
}
