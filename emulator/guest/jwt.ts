import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { isRecord } from '../parse.ts'

export interface Jwts {
  /** `exp` in seconds. */
  sign(claims: Record<string, string>, lifetimeSeconds: number): { jwt: string; exp: number }
  /** Undefined unless the signature holds and the time is not over. */
  check(jwt: string | undefined): Record<string, unknown> | undefined
}

/** Signed for one run of the emulator; opaque to callers. */
export function createJwts(now: () => Date): Jwts {
  const key = randomBytes(32)
  const encode = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url')
  const signatureOf = (text: string) => createHmac('sha256', key).update(text).digest()
  const seconds = () => Math.floor(now().getTime() / 1000)
  return {
    sign(claims, lifetimeSeconds) {
      const exp = seconds() + lifetimeSeconds
      const text = `${encode({ alg: 'HS256', typ: 'JWT' })}.${encode({ ...claims, exp })}`
      return { jwt: `${text}.${signatureOf(text).toString('base64url')}`, exp }
    },
    check(jwt = '') {
      const [head = '', body = '', signature = ''] = jwt.split('.')
      const expected = signatureOf(`${head}.${body}`)
      const given = Buffer.from(signature, 'base64url')
      if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined
      const claims: unknown = JSON.parse(Buffer.from(body, 'base64url').toString())
      return isRecord(claims) && Number(claims.exp) > seconds() ? claims : undefined
    },
  }
}
