import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { components } from './api.d.ts'
import { type Answer, ask, NoAnswer } from './ask.ts'
import { CredentialsRefused, GenesysUnavailable } from './errors.ts'
import { basic } from './grants.ts'
import type { UserToken } from './userToken.ts'

type Schemas = components['schemas']

/** How a person signs in: authorization code with PKCE (FACTS 2.2). */
export interface SignIn {
  /** Where the person's browser goes. */
  url: string
  /** Comes back with the code; another one is not ours. */
  state: string
  /** Exchanges the code. Throws `CredentialsRefused` or `GenesysUnavailable`. */
  finish(code: string): Promise<UserToken>
}

export interface SignInOptions {
  /** Origins, without a slash at the end. */
  loginUrl: string
  apiUrl: string
  clientId: string
  clientSecret: string | null
  /** As it is registered for the client at the platform. */
  redirectUri: string
  clock: Clock
}

const answerMs = 10_000

export function beginSignIn(options: SignInOptions): SignIn {
  const { loginUrl, apiUrl, clientId, clientSecret, redirectUri, clock } = options
  const state = randomBytes(24).toString('base64url')
  const verifier = randomBytes(48).toString('base64url')
  const query = new URLSearchParams({
    client_id: clientId,
    response_type: 'code',
    redirect_uri: redirectUri,
    state,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })

  async function asked(url: string, init: RequestInit): Promise<Answer> {
    try {
      const answer = await ask(url, init, answerMs, clock)
      if (answer.status >= 500 || answer.status === 429) throw new GenesysUnavailable(`${url} answers ${answer.status}`)
      if (answer.status !== 200) throw new CredentialsRefused(`${url} answers ${answer.status}`)
      return answer
    } catch (error) {
      if (error instanceof NoAnswer) throw new GenesysUnavailable(`${url} does not answer`, { cause: error.cause })
      throw error
    }
  }

  return {
    url: `${loginUrl}/oauth/authorize?${query}`,
    state,
    async finish(code) {
      const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri }
      const { body } = await asked(`${loginUrl}/oauth/token`, {
        method: 'POST',
        ...(clientSecret !== null && { headers: { authorization: basic(clientId, clientSecret) } }),
        body: new URLSearchParams(clientSecret === null ? { ...form, client_id: clientId } : form),
      })
      const { access_token, refresh_token } = (body ?? {}) as Partial<Schemas['OAuthTokenResponse']>
      if (!access_token) throw new GenesysUnavailable('the login host answers 200 without a token')
      if (!refresh_token)
        throw new CredentialsRefused(
          'the login host gives this client no refresh token, so nobody could stay signed in',
        )
      const me = await asked(`${apiUrl}/api/v2/users/me`, { headers: { authorization: `Bearer ${access_token}` } })
      const { id = '', name = '', state: userState } = (me.body ?? {}) as Partial<Schemas['UserMe']>
      if (id === '' || userState !== 'active') throw new CredentialsRefused('the user is not active')
      return { clientId, user: { id, name }, refreshToken: refresh_token }
    },
  }
}
