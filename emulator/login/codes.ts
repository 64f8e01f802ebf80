import { createHash } from 'node:crypto'
import { newSecret } from '../platform/tokens.ts'
import { refused } from './errors.ts'

/** What was signed in for; a code stands for it once. */
export interface SignIn {
  clientId: string
  userId: string
  redirectUri: string
  /** SHA-256 of the verifier in base64url (RFC 7636). Without one the client must prove itself by its secret. */
  challenge?: string
}

export interface Codes {
  issue(signIn: SignIn): string
  /** Throws `PlatformError` 400: unknown, spent, expired, another client's or redirect's, or not proven by the verifier. */
  redeem(code: string | null, proof: { clientId: string; redirectUri: string | null; verifier: string | null }): SignIn
  /** A token by which the sign-in can be used again. */
  issueRefresh(signIn: SignIn): string
  /** Throws `PlatformError` 400. */
  refresh(token: string | null, clientId: string): SignIn
}

/** UNCONFIRMED on the platform; RFC 6749 asks for at most ten minutes. */
const codeLifetimeMs = 5 * 60_000

export function createCodes(now: () => Date): Codes {
  const codes = new Map<string, SignIn & { expiresAt: number }>()
  const refreshTokens = new Map<string, SignIn>()
  const invalid = (why: string) => refused(400, 'invalid_grant', why)

  return {
    issue(signIn) {
      const code = newSecret()
      codes.set(code, { ...signIn, expiresAt: now().getTime() + codeLifetimeMs })
      return code
    },
    redeem(code, { clientId, redirectUri, verifier }) {
      const signIn = codes.get(String(code))
      codes.delete(String(code))
      if (!signIn || now().getTime() >= signIn.expiresAt) throw invalid('the code is unknown, spent or expired')
      if (signIn.clientId !== clientId) throw invalid('the code is of another client')
      if (signIn.redirectUri !== redirectUri) throw invalid('redirect_uri is another one')
      if (signIn.challenge !== undefined && signIn.challenge !== challengeOf(verifier ?? '')) {
        throw invalid('code_verifier does not match')
      }
      return signIn
    },
    issueRefresh(signIn) {
      const token = newSecret()
      refreshTokens.set(token, signIn)
      return token
    },
    refresh(token, clientId) {
      const signIn = refreshTokens.get(String(token))
      if (signIn?.clientId !== clientId) throw invalid('the refresh token is unknown')
      return signIn
    },
  }
}

function challengeOf(verifier: string): string {
  return createHash('sha256').update(verifier).digest('base64url')
}
