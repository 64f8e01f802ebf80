import type { FastifyInstance } from 'fastify'
import { type Client, clientOf } from '../org.ts'
import { PlatformError } from '../platform/errors.ts'
import type { Grant, Tokens } from '../platform/tokens.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { Codes, SignIn } from './codes.ts'
import { refused } from './errors.ts'

type TokenResponse = components['schemas']['OAuthTokenResponse']

interface Parts {
  tokens: Tokens
  codes: Codes
  switches: Switches
}

/** `POST /oauth/token` of the login host: for client credentials, for a code, and for a refresh token. */
export function tokenRoute({ tokens, codes, switches }: Parts) {
  function issue(grant: Grant): TokenResponse {
    const lifetimeSeconds = switches.tokenLifetimeSeconds
    return {
      access_token: tokens.issue(grant, lifetimeSeconds).value,
      token_type: 'bearer',
      expires_in: lifetimeSeconds,
    }
  }

  const issueTo = ({ clientId, userId }: SignIn, refreshToken: string): TokenResponse => {
    return { ...issue({ clientId, userId }), refresh_token: refreshToken }
  }

  const answerTo: Record<string, (form: URLSearchParams, authorization: string | undefined) => TokenResponse> = {
    client_credentials: (_, authorization) => issue({ clientId: confidentialClient(authorization).id }),

    authorization_code(form, authorization) {
      const client = anyClient(form, authorization)
      const proof = { clientId: client.id, redirectUri: form.get('redirect_uri'), verifier: form.get('code_verifier') }
      const signIn = codes.redeem(form.get('code'), proof)
      if (signIn.challenge === undefined) confidentialClient(authorization)
      return issueTo(signIn, codes.issueRefresh(signIn))
    },

    // UNCONFIRMED whether the refresh token changes; here it stays.
    refresh_token(form, authorization) {
      const refreshToken = form.get('refresh_token')
      return issueTo(codes.refresh(refreshToken, anyClient(form, authorization).id), String(refreshToken))
    },
  }

  return async (app: FastifyInstance) => {
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
      done(null, new URLSearchParams(String(body)))
    })

    app.post('/oauth/token', async ({ body, headers }): Promise<TokenResponse> => {
      const form = body instanceof URLSearchParams ? body : new URLSearchParams()
      // Who asks is judged before what for, unless a form says it: a page has no secret.
      if (!form.has('client_id')) confidentialClient(headers.authorization)
      const grant = form.get('grant_type')
      if (grant === null) throw refused(400, 'invalid_request', 'grant_type is required in a form-encoded body')
      const answer = Object.hasOwn(answerTo, grant) ? answerTo[grant] : undefined
      if (!answer) throw refused(400, 'unsupported_grant_type', `grant_type ${grant} is not supported`)
      return answer(form, headers.authorization)
    })
  }
}

/** By its header if there is one, else by the name in the form. */
function anyClient(form: URLSearchParams, authorization: string | undefined): Client {
  if (authorization !== undefined) return confidentialClient(authorization)
  const client = clientOf(form.get('client_id'))
  if (!client) throw notFound()
  return client
}

/**
 * Both bodies are documented. Their statuses are UNCONFIRMED: one public client expects 400 for an unknown client and 401
 * for a wrong secret. A header that is missing or is not base64 names no client, so it is answered like an unknown one.
 */
function confidentialClient(authorization: string | undefined): Client {
  const encoded = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const [id, ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  const client = clientOf(id)
  if (!client) throw notFound()
  if (client.secret === undefined || secret.join(':') !== client.secret) {
    throw new PlatformError(401, 'invalid_client', 'authentication failed')
  }
  return client
}

const notFound = () => refused(400, 'invalid_client', 'client not found')
