import type { IncomingHttpHeaders } from 'node:http'

/**
 * How a session's secret goes to and fro: for our host alone (`__Host-`), unread by any page (`HttpOnly`), also where our page is in a
 * frame of another site (`SameSite=None`), and then another one in each site around it (`Partitioned`). Without an age: the browser
 * forgets it when it is closed. On plain http browsers take it from loopback addresses only; Chromium does, Safari does not.
 */
const name = '__Host-clipgate'
const attributes = 'Path=/; Secure; HttpOnly; SameSite=None; Partitioned'

/** Null: there is none that could be ours. */
export function readCookie({ cookie = '' }: IncomingHttpHeaders): string | null {
  for (const pair of cookie.split(';')) {
    const [key, value] = [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]
    if (key === name && /^[A-Za-z0-9_-]{43}$/.test(value)) return value
  }
  return null
}

/** Of `Set-Cookie`. */
export function cookieWith(secret: string): string {
  return `${name}=${secret}; ${attributes}`
}

/** Of `Set-Cookie`: the browser forgets it. */
export const noCookie = `${name}=; ${attributes}; Max-Age=0`
