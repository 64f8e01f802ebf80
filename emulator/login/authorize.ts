import type { FastifyInstance } from 'fastify'
import { clientOf, org } from '../org.ts'
import type { Switches } from '../switches.ts'
import type { Codes } from './codes.ts'
import { refused } from './errors.ts'

type Query = Record<string, string | undefined>

/**
 * `GET /oauth/authorize`: where a browser goes to sign in. Nobody is asked: the switch `signIn` says who comes back, or that
 * the sign-in failed. Redirects go to loopback addresses only, as nothing else is registered here.
 */
export function authorizeRoute({ codes, switches }: { codes: Codes; switches: Switches }) {
  return async (app: FastifyInstance) => {
    app.get<{ Querystring: Query }>('/oauth/authorize', async ({ query }, reply) => {
      const { client_id, redirect_uri, response_type, state, code_challenge, code_challenge_method } = query
      const client = clientOf(client_id)
      if (!client) throw refused(400, 'invalid_client', 'client not found')
      const target = parseRedirect(redirect_uri)
      const back = (answer: Record<string, string>) => {
        for (const [name, value] of Object.entries(answer)) target.searchParams.set(name, value)
        if (state !== undefined) target.searchParams.set('state', state)
        return reply.redirect(target.href, 302)
      }
      if (response_type !== 'code') return back({ error: 'unsupported_response_type' })
      if (code_challenge !== undefined && code_challenge_method !== 'S256') return back({ error: 'invalid_request' })
      if (code_challenge === undefined && client.secret === undefined) return back({ error: 'invalid_request' })
      if (switches.signIn === 'denied') return back({ error: 'access_denied' })
      const code = codes.issue({
        clientId: client.id,
        userId: org[switches.signIn].id,
        redirectUri: String(redirect_uri),
        ...(code_challenge !== undefined && { challenge: code_challenge }),
      })
      return back({ code })
    })
  }
}

const loopback = ['127.0.0.1', 'localhost', '[::1]']

function parseRedirect(text: string | undefined): URL {
  const url = URL.canParse(text ?? '') ? new URL(String(text)) : undefined
  if (!url || !loopback.includes(url.hostname)) throw refused(400, 'invalid_request', 'redirect_uri is not registered')
  return url
}
