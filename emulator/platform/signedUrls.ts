import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { PlatformError } from './errors.ts'

export interface SignedUrls {
  /** The path and query of a url that needs no token until it expires. */
  sign(path: string, lifetimeSeconds: number): string
  /** True if the query carries a signature that holds, false if it carries none. Throws `PlatformError` 403 otherwise. */
  check(path: string, query: { Expires?: string; Signature?: string }): boolean
}

/** Signed for one run of the emulator. The names in the query are invented; callers must take the url as it is. */
export function createSignedUrls(now: () => Date): SignedUrls {
  const key = randomBytes(32)
  const signatureOf = (path: string, expires: string) =>
    createHmac('sha256', key).update(`${path}\n${expires}`).digest('hex')
  return {
    sign(path, lifetimeSeconds) {
      const expires = String(Math.floor(now().getTime() / 1000) + lifetimeSeconds)
      return `${path}?Expires=${expires}&Signature=${signatureOf(path, expires)}`
    },
    check(path, { Expires, Signature }) {
      if (Signature === undefined) return false
      const expected = Buffer.from(signatureOf(path, String(Expires)))
      const given = Buffer.from(String(Signature))
      const holds = given.length === expected.length && timingSafeEqual(given, expected)
      // 403 as storage hosts answer; UNCONFIRMED for the platform's own downloads host.
      if (!holds || now().getTime() >= Number(Expires) * 1000)
        throw new PlatformError(403, 'not.authorized', 'The signature does not hold or has expired.')
      return true
    },
  }
}
