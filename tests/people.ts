import { createHash, randomBytes } from 'node:crypto'
import { org } from '../emulator/org.ts'
import type { TestService } from './harness.ts'

/** What lets people sign in by the emulator. */
export const signInSettings = {
  GENESYS_LOGIN_CLIENT_ID: org.page.id,
  GENESYS_ORGANIZATION_ID: org.id,
  ADMIN_PERMISSIONS: 'conversation:communication:view',
}

interface Ways {
  genesys: { authorizeUrl: string; clientId: string; redirectUri: string } | null
  local: boolean
}

export interface Answered {
  status: number
  headers: Headers
  body: Record<string, unknown> & { code?: string; detail?: string }
}

/** A browser that keeps the cookie of a session, and says where its page is from, as browsers do. */
export interface Person {
  ask(method: string, path: string, options?: { body?: unknown; headers?: Record<string, string> }): Promise<Answered>
  /** Null: none was set. */
  cookie(): string | null
}

export function personAt({ url }: Pick<TestService, 'url'>, cookie: string | null = null): Person {
  let kept = cookie
  return {
    cookie: () => kept,
    async ask(method, path, { body, headers = {} } = {}) {
      const answer = await fetch(url + path, {
        method,
        headers: {
          ...(kept !== null && { cookie: kept }),
          ...(method !== 'GET' && { origin: url }),
          ...(body !== undefined && { 'content-type': 'application/json' }),
          ...headers,
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      })
      const set = answer.headers.get('set-cookie')
      if (set !== null) kept = set.includes('Max-Age=0') ? null : set.split(';', 1)[0]!
      const text = await answer.text()
      const isJson = answer.headers.get('content-type')?.includes('json')
      return { status: answer.status, headers: answer.headers, body: isJson ? JSON.parse(text) : { text } }
    },
  }
}

/** What the login page gives back: by the emulator's switch `signIn`, who comes. */
export async function codeFrom(
  authorizeUrl: string,
  asked: { clientId: string; redirectUri: string },
): Promise<{ code: string | null; error: string | null; codeVerifier: string }> {
  const codeVerifier = randomBytes(48).toString('base64url')
  const query = new URLSearchParams({
    client_id: asked.clientId,
    response_type: 'code',
    redirect_uri: asked.redirectUri,
    state: 'state',
    code_challenge: createHash('sha256').update(codeVerifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const answer = await fetch(`${authorizeUrl}?${query}`, { redirect: 'manual' })
  const back = new URL(answer.headers.get('location') ?? '')
  return { code: back.searchParams.get('code'), error: back.searchParams.get('error'), codeVerifier }
}

/** Goes the whole way of a sign-in by Genesys Cloud, as the page does. */
export async function signInAs(
  service: TestService,
  who: 'agent' | 'otherAgent' | 'supervisor',
): Promise<Person & { answer: Answered }> {
  service.emulator.setSwitches({ signIn: who })
  const person = personAt(service)
  const { body } = await person.ask('GET', '/v1/sign-in')
  const { authorizeUrl, ...asked } = (body as unknown as Ways).genesys!
  const { code, codeVerifier } = await codeFrom(authorizeUrl, asked)
  const answer = await person.ask('POST', '/v1/session', { body: { code, codeVerifier } })
  return { ...person, answer }
}
