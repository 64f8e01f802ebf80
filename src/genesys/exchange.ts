import type { Clock } from '../clock.ts'
import type { components } from './api.d.ts'
import { type Answer, ask, NoAnswer, retryAfterOf } from './ask.ts'
import { CredentialsRefused, GenesysUnavailable } from './errors.ts'
import { basic } from './grants.ts'

/** An OAuth client with the grant "authorization code", as it is registered at the platform. */
export interface CodeClient {
  /** Origin, without a slash at the end. */
  loginUrl: string
  clientId: string
  /** Null: a client that proves itself by PKCE alone. */
  clientSecret: string | null
}

/** What a code was exchanged for. */
export interface Exchanged {
  accessToken: string
  /** Null: the platform gives this client none. */
  refreshToken: string | null
  expiresAt: Date
}

const answerMs = 10_000

/**
 * One try, and whatever is answered to it. Throws `GenesysUnavailable` when nothing is, or that it may be tried again.
 */
export async function askOnce(url: string, init: RequestInit, clock: Clock): Promise<Answer> {
  try {
    const answer = await ask(url, init, answerMs, clock)
    if (answer.status < 500 && answer.status !== 429 && answer.status !== 408) return answer
    const retryAfterSeconds = retryAfterOf(answer.headers, clock.now())
    throw new GenesysUnavailable(`${pathOf(url)} answers ${answer.status}`, { retryAfterSeconds })
  } catch (error) {
    if (error instanceof NoAnswer) throw new GenesysUnavailable(`${pathOf(url)}: no answer`, { cause: error.cause })
    throw error
  }
}

/** The second half of a sign-in with PKCE (FACTS 2.2). Throws `CredentialsRefused` or `GenesysUnavailable`. */
export async function exchangeCode(
  { loginUrl, clientId, clientSecret }: CodeClient,
  { code, verifier, redirectUri }: { code: string; verifier: string; redirectUri: string },
  clock: Clock,
): Promise<Exchanged> {
  const form = { grant_type: 'authorization_code', code, code_verifier: verifier, redirect_uri: redirectUri }
  const askedAt = clock.now().getTime()
  const { status, body } = await askOnce(
    `${loginUrl}/oauth/token`,
    {
      method: 'POST',
      ...(clientSecret !== null && { headers: { authorization: basic(clientId, clientSecret) } }),
      body: new URLSearchParams(clientSecret === null ? { ...form, client_id: clientId } : form),
    },
    clock,
  )
  if (status !== 200) throw new CredentialsRefused(`${loginUrl}/oauth/token answers ${status}`)
  const answer = (body ?? {}) as Partial<components['schemas']['OAuthTokenResponse']>
  const { access_token: accessToken, refresh_token: refreshToken, expires_in: seconds } = answer
  if (!accessToken || !(Number(seconds) > 0)) throw new GenesysUnavailable('the login host answers 200 without a token')
  return { accessToken, refreshToken: refreshToken ?? null, expiresAt: new Date(askedAt + Number(seconds) * 1000) }
}

const pathOf = (url: string) => new URL(url).pathname
