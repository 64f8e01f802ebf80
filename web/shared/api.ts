import { addressOf } from './page.ts'

/** The service's "no", as application/problem+json. */
export class Problem extends Error {
  override name = 'Problem'
  readonly status: number
  readonly code: string
  readonly detail: string
  readonly requestId: string | null
  readonly retryAfterSeconds: number | null

  constructor(status: number, body: Partial<Record<string, unknown>>, retryAfterSeconds: number | null) {
    const textOf = (value: unknown, otherwise: string) => (typeof value === 'string' ? value : otherwise)
    super(textOf(body.title, `HTTP ${status}`))
    this.status = status
    this.code = textOf(body.code, 'internal')
    this.detail = textOf(body.detail, '')
    this.requestId = textOf(body.requestId, '') || null
    this.retryAfterSeconds = retryAfterSeconds
  }
}

/** Nobody answered: the network, or the service, is away. */
export class Unreachable extends Error {
  override name = 'Unreachable'
}

export interface Asked {
  method?: 'GET' | 'POST' | 'DELETE'
  /** Goes as JSON. */
  body?: unknown
  signal?: AbortSignal | undefined
}

/** The whole answer of one of our routes. Throws `Problem` when it is a no, `Unreachable` when there is none. */
export const fetchFrom = (path: string, asked: Asked = {}): Promise<Response> => fetchAt(addressOf(path), asked)

/** The same of an address that the service gave us. */
export async function fetchAt(url: string, { method = 'GET', body, signal }: Asked = {}): Promise<Response> {
  const response = await fetch(url, {
    method,
    credentials: 'same-origin',
    cache: 'no-store',
    ...(body !== undefined && { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
    ...(signal && { signal }),
  }).catch((error: unknown) => {
    if (signal?.aborted) throw error
    throw new Unreachable('The service does not answer.', { cause: error })
  })
  if (response.ok) return response
  throw await problemIn(response)
}

/** The JSON that one of our routes answers. Throws as `fetchFrom` does. */
export async function ask<T>(path: string, asked: Asked = {}): Promise<T> {
  const response = await fetchFrom(path, asked)
  return (response.status === 204 ? undefined : await response.json()) as T
}

async function problemIn(response: Response): Promise<Problem> {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  const body: unknown = await response.json().catch(() => null)
  return new Problem(
    response.status,
    typeof body === 'object' && body !== null ? body : {},
    Number.isFinite(seconds) ? seconds : null,
  )
}
