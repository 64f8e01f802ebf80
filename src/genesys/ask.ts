import type { Clock } from '../clock.ts'

export interface Answer {
  status: number
  headers: Headers
  /** What the JSON says; undefined for an empty body, and for an error's body that is no JSON. */
  body: unknown
}

/** No answer came, or not a whole one. `notSent`: nothing of the request reached the other side. */
export class NoAnswer extends Error {
  readonly notSent: boolean
  constructor(cause: unknown, notSent: boolean) {
    super('no answer', { cause })
    this.notSent = notSent
  }
}

/** Longest answer that is read, in bytes: far above any conversation, far below our memory. */
const maxAnswerBytes = 8 * 1024 * 1024

/** One request, and its whole answer, within `withinMs`. Throws `NoAnswer`. Redirects are not followed: they would be answers. */
export async function ask(url: string, init: RequestInit, withinMs: number, clock: Clock): Promise<Answer> {
  const over = new AbortController()
  const answered = new AbortController()
  void clock.wait(withinMs, answered.signal).then(() => over.abort(new Error(`no answer within ${withinMs} ms`)))
  try {
    const response = await fetch(url, { ...init, redirect: 'manual', signal: over.signal })
    return { status: response.status, headers: response.headers, body: await readBody(response) }
  } catch (cause) {
    throw new NoAnswer(cause, neverConnected(cause))
  } finally {
    answered.abort()
  }
}

async function readBody(response: Response): Promise<unknown> {
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxAnswerBytes) throw new Error(`the answer is longer than ${maxAnswerBytes} bytes`)
    chunks.push(chunk)
  }
  if (size === 0) return undefined
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch (error) {
    // A 200 that is no JSON comes from something between us and the platform.
    if (response.ok) throw error
    return undefined
  }
}

/** Errors of name resolution and of connecting: no connection, so nothing was sent on it. */
const connecting = ['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'UND_ERR_CONNECT_TIMEOUT']

function neverConnected(error: unknown): boolean {
  for (let cause = error; cause instanceof Error; cause = cause.cause)
    if (connecting.includes((cause as { code?: string }).code ?? '')) return true
  return false
}

/** Whole seconds, rounded up; null when the header is missing or unreadable. */
export function retryAfterOf(headers: Headers, now: Date): number | null {
  const value = headers.get('retry-after')?.trim() ?? ''
  if (/^\d{1,9}$/.test(value)) return Number(value)
  const at = Date.parse(value)
  return Number.isNaN(at) ? null : Math.max(0, Math.ceil((at - now.getTime()) / 1000))
}

/** A number from a header; null when it is missing or none. */
export function numberIn(headers: Headers, name: string): number | null {
  const value = headers.get(name)
  return value !== null && /^\d{1,9}$/.test(value) ? Number(value) : null
}
