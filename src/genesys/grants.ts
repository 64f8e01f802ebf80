import { CredentialsRefused } from './errors.ts'
import { readUserToken, type UserToken, writeUserToken } from './userToken.ts'

/** What the login host is asked with. */
export interface Asked {
  /** Null: the form names the client, as one without a secret does. */
  authorization: string | null
  form: Record<string, string>
}

/** What an access token is asked for by. */
export interface Grant {
  /** Throws `CredentialsRefused` when there is nothing to ask with. */
  ask(): Promise<Asked>
  /** The whole answer that gave a token. */
  given(body: unknown): Promise<void>
}

export const basic = (clientId: string, clientSecret: string) =>
  `Basic ${Buffer.from(`${clientId}:${clientSecret}`).toString('base64')}`

export function clientCredentials(clientId: string, clientSecret: string): Grant {
  const asked = { authorization: basic(clientId, clientSecret), form: { grant_type: 'client_credentials' } }
  return { ask: async () => asked, given: async () => {} }
}

/**
 * A user who has signed in: `refresh_token`, kept in a file so that it survives a restart. Whether the platform gives another
 * one with each access token is unconfirmed, so the one that came last counts.
 */
export function userGrant({
  clientId,
  clientSecret,
  file,
}: {
  clientId: string
  /** Null: a client with PKCE and without a secret. */
  clientSecret: string | null
  file: string
}): Grant {
  /** One that could not be written. */
  let unsaved: UserToken | null = null
  let asked: UserToken | null = null

  return {
    async ask() {
      const token = unsaved ?? (await readUserToken(file))
      if (!token) throw new CredentialsRefused('no service user has signed in; run: clipgate genesys sign-in')
      if (token.clientId !== clientId)
        throw new CredentialsRefused('the service user has signed in to another client; run: clipgate genesys sign-in')
      asked = token
      const form = { grant_type: 'refresh_token', refresh_token: token.refreshToken }
      if (clientSecret === null) return { authorization: null, form: { ...form, client_id: clientId } }
      return { authorization: basic(clientId, clientSecret), form }
    },
    async given(body) {
      const { refresh_token } = body as { refresh_token?: unknown }
      const next = typeof refresh_token === 'string' && refresh_token !== '' ? refresh_token : asked?.refreshToken
      if (!asked || !next || (next === asked.refreshToken && !unsaved)) return
      // Lost with the process when it cannot be written, and then somebody signs in again.
      unsaved = { ...asked, refreshToken: next }
      const saving = unsaved
      await writeUserToken(file, saving).then(
        () => {
          if (unsaved === saving) unsaved = null
        },
        () => {},
      )
    },
  }
}
