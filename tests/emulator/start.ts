import { readFileSync } from 'node:fs'
import { onTestFinished } from 'vitest'
import { type ConversationIds, type Emulator, startEmulator } from '../../emulator/index.ts'
import type { components } from '../../emulator/platform.d.ts'
import { validatedFetch } from './validated.ts'

export type Schemas = components['schemas']
export type ErrorBody = Schemas['ErrorBody']

/** An emulator of the test's own, closed when the test ends, with a clock that only the test moves. */
export async function start() {
  const time = new Date('2026-10-02T09:10:00.000Z')
  const emulator = await startEmulator({ now: () => time })
  onTestFinished(() => emulator.close())
  const platform = validatedFetch(emulator.url)

  return {
    emulator,
    /** Every answer is checked against the platform's document. */
    platform,
    passSeconds: (seconds: number) => void emulator.advance(seconds),
    login: () => login(platform),
    /** Calls with a fresh token; `body` goes as JSON. */
    client: async () => {
      const token = await login(platform)
      return (method: string, path: string, body?: unknown) => platform(path, withToken(token, method, body))
    },
    /** The emulator's own surface, by path. */
    own: (method: string, path: string, body?: unknown) =>
      fetch(`${emulator.url}/_emulator${path}`, json(method, body)),
  }
}

export const basic = (id: string, secret: string) => `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`

/** The request for a token, as RFC 6749 has it. */
export function tokenRequest(
  authorization = basic('demo-client', 'demo-secret'),
  grant = 'client_credentials',
): RequestInit {
  return { method: 'POST', headers: { authorization }, body: new URLSearchParams({ grant_type: grant }) }
}

async function login(platform: typeof fetch): Promise<string> {
  const response = await platform('/oauth/token', tokenRequest())
  const { access_token } = (await response.json()) as Schemas['OAuthTokenResponse']
  return access_token
}

export function withToken(token: string, method = 'GET', body?: unknown): RequestInit {
  const { headers, ...rest } = json(method, body)
  return { ...rest, headers: { ...headers, authorization: `Bearer ${token}` } }
}

function json(method: string, body: unknown): { method: string; headers?: Record<string, string>; body?: string } {
  if (body === undefined) return { method }
  return { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }
}

export async function read<Body>(response: Response | Promise<Response>): Promise<Body> {
  return (await (await response).json()) as Body
}

/** Where the customer's or the agent's text is sent. */
export const sendPath = ({ id, agentCommunicationId }: ConversationIds, communicationId = agentCommunicationId) =>
  `/api/v2/conversations/messages/${id}/communications/${communicationId}/messages`

export const pdf = (name = 'passport-scan.pdf', bytes = Buffer.from('%PDF-1.4 a scan')) => ({
  name,
  mime: 'application/pdf',
  bytes,
})

/** A conversation in which the customer has sent a text with a file. */
export function conversationWithFile(emulator: Emulator) {
  const ids = emulator.createConversation()
  const { messageId } = emulator.customerSends(ids.id, { text: 'Here is my scan', file: pdf() })
  return { ...ids, messageId }
}

/** One of the bodies in `samples/`: their shapes are the platform's, their values invented. */
export function sampleNamed<Body>(name: string): Body {
  return JSON.parse(readFileSync(new URL(`samples/${name}.json`, import.meta.url), 'utf8')) as Body
}

/** One of the bodies over REST. */
export const sample = <Body>(name: string) => sampleNamed<Body>(`rest.${name}`)

/** Every member in a value, as paths: `participants[].id`. */
export function membersOf(value: unknown, path = ''): string[] {
  const inner = Array.isArray(value)
    ? value.flatMap((item) => membersOf(item, `${path}[]`))
    : typeof value === 'object' && value !== null
      ? Object.entries(value).flatMap(([name, member]) => [`${path}.${name}`, ...membersOf(member, `${path}.${name}`)])
      : []
  return [...new Set(inner)].sort()
}
