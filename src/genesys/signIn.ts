import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import type { components } from './api.d.ts'
import { CredentialsRefused } from './errors.ts'
import { askOnce, type CodeClient, exchangeCode } from './exchange.ts'
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

export interface SignInOptions extends CodeClient {
  /** Origin, without a slash at the end. */
  apiUrl: string
  /** As it is registered for the client at the platform. */
  redirectUri: string
  clock: Clock
}

export function beginSignIn(options: SignInOptions): SignIn {
  const { loginUrl, apiUrl, clientId, redirectUri, clock } = options
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

  return {
    url: `${loginUrl}/oauth/authorize?${query}`,
    state,
    async finish(code) {
      const { accessToken, refreshToken } = await exchangeCode(options, { code, verifier, redirectUri }, clock)
      if (refreshToken === null)
        throw new CredentialsRefused(
          'the login host gives this client no refresh token, so nobody could stay signed in',
        )
      const headers = { authorization: `Bearer ${accessToken}` }
      const me = await askOnce(`${apiUrl}/api/v2/users/me`, { headers }, clock)
      if (me.status !== 200) throw new CredentialsRefused(`${apiUrl}/api/v2/users/me answers ${me.status}`)
      const { id = '', name = '', state: userState } = (me.body ?? {}) as Partial<Schemas['UserMe']>
      if (id === '' || userState !== 'active') throw new CredentialsRefused('the user is not active')
      return { clientId, user: { id, name }, refreshToken }
    },
  }
}
