import { randomBytes } from 'node:crypto'
import { authenticationRequired, badCredentials, credentialsExpired } from './errors.ts'

export interface Token {
  value: string
  /** The user and the app to whom it was given. */
  owner: string
  expiresAt: Date
}

export interface Tokens {
  issue(owner: string, lifetimeSeconds: number): Token
  /** Reads an Authorization header. Throws `PlatformError` 401 when it has no token, an unknown one or an expired one. */
  check(authorization: string | undefined): Token
  /** From now on no token issued so far is known. Returns how many there were. */
  revokeAll(): number
}

export function createTokens(now: () => Date): Tokens {
  const issued = new Map<string, Token>()
  return {
    issue(owner, lifetimeSeconds) {
      const expiresAt = new Date(now().getTime() + lifetimeSeconds * 1000)
      const token = { value: randomBytes(32).toString('base64url'), owner, expiresAt }
      issued.set(token.value, token)
      return token
    },
    check(authorization) {
      const value = /^bearer +(\S+)$/i.exec(authorization ?? '')?.[1]
      if (value === undefined) throw authenticationRequired()
      const token = issued.get(value)
      if (!token) throw badCredentials()
      if (now() >= token.expiresAt) throw credentialsExpired()
      return token
    },
    revokeAll() {
      const known = issued.size
      issued.clear()
      return known
    },
  }
}
