import { randomBytes } from 'node:crypto'
import { authenticationRequired, badCredentials, credentialsExpired, userContextRequired } from './errors.ts'

/** To whom a token is given: an app, and the user who signed in there. Client credentials have no user. */
export interface Grant {
  clientId: string
  userId?: string
}

export interface Token extends Grant {
  value: string
  expiresAt: Date
}

export interface Tokens {
  issue(grant: Grant, lifetimeSeconds: number): Token
  /** Reads an Authorization header. Throws `PlatformError` 401 when it has no token, an unknown one or an expired one. */
  check(authorization: string | undefined): Token
  revoke(token: Token): void
  /** From now on no token issued so far is known. Returns how many there were. */
  revokeAll(): number
}

/** What is allowed so many times for each user in each app. */
export function ownerOf({ clientId, userId = '' }: Grant): string {
  return `${clientId}/${userId}`
}

/** Throws `PlatformError` 400 for a token without a user. */
export function userIdOf({ userId }: Grant): string {
  if (userId === undefined) throw userContextRequired()
  return userId
}

export function createTokens(now: () => Date): Tokens {
  const issued = new Map<string, Token>()
  return {
    issue(grant, lifetimeSeconds) {
      const expiresAt = new Date(now().getTime() + lifetimeSeconds * 1000)
      const token = { ...grant, value: newSecret(), expiresAt }
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
    revoke(token) {
      issued.delete(token.value)
    },
    revokeAll() {
      const known = issued.size
      issued.clear()
      return known
    },
  }
}

/** Opaque, and not to be guessed. */
export function newSecret(): string {
  return randomBytes(32).toString('base64url')
}
