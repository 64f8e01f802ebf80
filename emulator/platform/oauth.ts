import { STATUS_CODES } from 'node:http'
import type { FastifyInstance } from 'fastify'
import { org } from '../org.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import { PlatformError } from './errors.ts'
import type { Tokens } from './tokens.ts'

type TokenResponse = components['schemas']['OAuthTokenResponse']

/** `POST /oauth/token` of the login host, for client credentials. */
export function oauthRoutes({ tokens, switches }: { tokens: Tokens; switches: Switches }) {
  return async (app: FastifyInstance) => {
    app.addContentTypeParser('application/x-www-form-urlencoded', { parseAs: 'string' }, (_request, body, done) => {
      done(null, new URLSearchParams(String(body)))
    })

    app.post('/oauth/token', async (request): Promise<TokenResponse> => {
      checkClient(request.headers.authorization)
      checkGrant(request.body)
      const lifetimeSeconds = switches.tokenLifetimeSeconds
      return {
        access_token: tokens.issue(org.client.id, lifetimeSeconds).value,
        token_type: 'bearer',
        expires_in: lifetimeSeconds,
      }
    })
  }
}

/** The login host's errors have a form of their own, with the text under two names. */
export function loginErrorBody({ code, message }: PlatformError): components['schemas']['OAuthTokenError'] {
  return { error: code ?? 'server_error', description: message, error_description: message }
}

/** Which names the login host gives to errors other than those of a client is UNCONFIRMED; these are RFC 6749's. */
export function loginErrorOfStatus(status: number, retryAfter?: number): PlatformError {
  const error = status === 400 || status === 401 ? 'invalid_client' : 'temporarily_unavailable'
  return new PlatformError(status, error, STATUS_CODES[status] ?? 'Unknown error', retryAfter)
}

/**
 * Both bodies are documented. Their statuses are UNCONFIRMED: one public client expects 400 for an unknown client and 401
 * for a wrong secret. A header that is missing or is not base64 names no client, so it is answered like an unknown one.
 */
function checkClient(authorization: string | undefined): void {
  const encoded = /^basic +(\S+)$/i.exec(authorization ?? '')?.[1] ?? ''
  const [id, ...secret] = Buffer.from(encoded, 'base64').toString('utf8').split(':')
  if (id !== org.client.id) throw new PlatformError(400, 'invalid_client', 'client not found')
  if (secret.join(':') !== org.client.secret) throw new PlatformError(401, 'invalid_client', 'authentication failed')
}

/** The error names are RFC 6749's; which the platform gives here is UNCONFIRMED. */
function checkGrant(form: unknown): void {
  const grant = form instanceof URLSearchParams ? form.get('grant_type') : null
  if (grant === null) throw new PlatformError(400, 'invalid_request', 'grant_type is required in a form-encoded body')
  if (grant !== 'client_credentials') {
    throw new PlatformError(400, 'unsupported_grant_type', `grant_type ${grant} is not supported`)
  }
}
