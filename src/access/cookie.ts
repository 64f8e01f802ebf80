import type { IncomingHttpHeaders } from 'node:http'

/** How a session's secret goes to and fro. */
export interface SessionCookie {
  name: string
  /** Null: there is none that could be ours. */
  read(headers: IncomingHttpHeaders): string | null
  /** Of `Set-Cookie`. Without an age: the browser forgets it when it is closed. */
  set(secret: string): string
  clear(): string
}

/**
 * Over https it is bound to our host alone (`__Host-`), goes also where our page is in a frame of another site (`SameSite=None`), and
 * is then another one in each site around it (`Partitioned`). On plain http, which is for a loopback address alone, browsers take
 * none of the three, so it is a plain cookie there, and goes only where the frame's site is ours.
 */
export function sessionCookie(publicUrl: string): SessionCookie {
  const isSecure = publicUrl.startsWith('https:')
  const name = isSecure ? '__Host-clipgate' : 'clipgate'
  const rest = isSecure ? 'Path=/; Secure; HttpOnly; SameSite=None; Partitioned' : 'Path=/; HttpOnly; SameSite=Lax'
  return {
    name,
    read({ cookie }) {
      for (const pair of (cookie ?? '').split(';')) {
        const [key, value] = [pair.slice(0, pair.indexOf('=')).trim(), pair.slice(pair.indexOf('=') + 1).trim()]
        if (key === name && isSecret(value)) return value
      }
      return null
    },
    set: (secret) => `${name}=${secret}; ${rest}`,
    clear: () => `${name}=; ${rest}; Max-Age=0`,
  }
}

const isSecret = (text: string) => /^[A-Za-z0-9_-]{43}$/.test(text)
