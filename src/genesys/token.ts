import type { Clock } from '../clock.ts'
import type { Events } from '../telemetry/events.ts'
import type { components } from './api.d.ts'
import { type Answer, ask, NoAnswer, retryAfterOf } from './ask.ts'
import { CredentialsRefused, GenesysUnavailable } from './errors.ts'
import type { Asked, Grant } from './grants.ts'

type TokenResponse = components['schemas']['OAuthTokenResponse']
type TokenError = components['schemas']['OAuthTokenError']

/** The access token of one grant. However many ask, one renewal runs at a time. */
export interface Tokens {
  /** Throws `CredentialsRefused` or `GenesysUnavailable`. */
  get(): Promise<string>
  /** The platform does not take this token: the next `get` renews, unless another was given meanwhile. */
  drop(token: string): void
  /** How many were given so far. What holds for a token's life is remembered under this number. */
  given(): number
}

/** The token, for whoever sends it itself. */
export interface Bearer {
  /** When it is our turn by our own pace. Throws `CredentialsRefused` or `GenesysUnavailable`. */
  get(): Promise<string>
  /** The platform does not take this token. */
  drop(token: string): void
}

export interface TokensOptions {
  loginUrl: string
  grant: Grant
  clock: Clock
  events: Pick<Events, 'genesysAnswered' | 'genesysTokenAsked'>
  /** Longest time for the login host's answer. */
  tryMs: number
}

interface Token {
  value: string
  renewAt: number
  expiresAt: number
}

const renewBeforeMs = 5 * 60_000

/** After a refusal nobody asks the login host for this long: a thousand waiting confirmations would all be refused. */
const refusedForMs = 30_000

export function createTokens({ loginUrl, grant, clock, events, tryMs }: TokensOptions): Tokens {
  let current: Token | null = null
  let renewal: Promise<Token> | null = null
  let refusal: { error: CredentialsRefused; until: number } | null = null
  let count = 0

  const now = () => clock.now().getTime()

  async function renew(): Promise<Token> {
    try {
      current = await request()
      count += 1
      refusal = null
      events.genesysTokenAsked('given')
      return current
    } catch (error) {
      if (error instanceof CredentialsRefused) refusal = { error, until: now() + refusedForMs }
      events.genesysTokenAsked(error instanceof CredentialsRefused ? 'refused' : 'unavailable')
      throw error
    } finally {
      renewal = null
    }
  }

  async function request(): Promise<Token> {
    const askedAt = now()
    const answer = await post(await grant.ask())
    if (answer.status === 200) {
      const token = tokenOf(answer.body, askedAt)
      await grant.given(answer.body)
      return token
    }
    if (answer.status === 429 || answer.status >= 500)
      throw new GenesysUnavailable(`the login host answers ${answer.status}`, {
        retryAfterSeconds: retryAfterOf(answer.headers, clock.now()),
      })
    throw new CredentialsRefused(`the login host refuses this client: ${refusalOf(answer)}`)
  }

  async function post({ authorization, form }: Asked): Promise<Answer> {
    const route = 'POST /oauth/token'
    try {
      const answer = await ask(
        `${loginUrl}/oauth/token`,
        {
          method: 'POST',
          ...(authorization !== null && { headers: { authorization } }),
          body: new URLSearchParams(form),
        },
        tryMs,
        clock,
      )
      events.genesysAnswered({ route, status: answer.status, count: null, allowed: null })
      return answer
    } catch (error) {
      if (!(error instanceof NoAnswer)) throw error
      events.genesysAnswered({ route, status: 0, count: null, allowed: null })
      throw new GenesysUnavailable('the login host does not answer', { cause: error.cause })
    }
  }

  return {
    async get() {
      if (current && now() < current.renewAt) return current.value
      const stillGood = current && now() < current.expiresAt ? current.value : null
      // One that would last longer was made before the clock was set back.
      const refusedFor = refusal ? refusal.until - now() : 0
      if (refusal && refusedFor > 0 && refusedFor <= refusedForMs) {
        if (stillGood !== null) return stillGood
        throw refusal.error
      }
      renewal ??= renew()
      try {
        return (await renewal).value
      } catch (error) {
        if (stillGood !== null && current?.value === stillGood) return stillGood
        throw error
      }
    },
    drop(token) {
      if (current?.value === token) current = null
    },
    given: () => count,
  }
}

/** Renewed five minutes before it ends, or at half its life when that is shorter than ten minutes. */
function tokenOf(body: unknown, askedAt: number): Token {
  const { access_token, expires_in } = (body ?? {}) as Partial<TokenResponse>
  const lifeMs = Number(expires_in) * 1000
  if (typeof access_token !== 'string' || access_token === '' || !(lifeMs > 0))
    throw new GenesysUnavailable('the login host answers 200 without a token')
  return {
    value: access_token,
    expiresAt: askedAt + lifeMs,
    renewAt: askedAt + Math.max(lifeMs - renewBeforeMs, lifeMs / 2),
  }
}

/** The error has a form of its own here, with the text under one name or the other. */
function refusalOf({ status, body }: Answer): string {
  const { error, description, error_description } = (body ?? {}) as Partial<TokenError>
  return [status, error, description ?? error_description].filter((part) => part !== undefined).join(' ')
}
