import { STATUS_CODES } from 'node:http'
import type { components } from '../platform.d.ts'

export type ErrorBody = components['schemas']['ErrorBody']

/** An answer of the Platform API other than success. */
export class PlatformError extends Error {
  readonly status: number
  readonly code: string | undefined
  /** Whole seconds. */
  readonly retryAfter: number | undefined
  constructor(status: number, code: string | undefined, message: string, retryAfter?: number) {
    super(message)
    this.status = status
    this.code = code
    this.retryAfter = retryAfter
  }
}

export const badRequest = (message: string) => new PlatformError(400, 'bad.request', message)
export const invalidValue = (message: string) => new PlatformError(400, 'invalid.value', message)
export const missingPermissions = () =>
  new PlatformError(
    403,
    'missing.any.permissions',
    'Unable to perform the requested action. You are missing a permission.',
  )
export const notFound = () => new PlatformError(404, 'not.found', 'The requested resource was not found.')

/** The text is official; the code is UNCONFIRMED. Callers recognise it by the status and the words "user context". */
export const userContextRequired = () =>
  badRequest('This request requires a user context. Client credentials cannot be used for requests to this resource.')

export const authenticationRequired = () =>
  new PlatformError(401, 'authentication.required', 'No authentication bearer token specified in authorization header.')
export const badCredentials = () => new PlatformError(401, 'bad.credentials', 'Invalid login credentials.')
export const credentialsExpired = () => new PlatformError(401, 'credentials.expired', 'Credentials have expired.')

/** Since November 2021 a 429 always has Retry-After, and its text repeats the seconds. */
export const tooManyRequests = (retryAfter: number) =>
  new PlatformError(
    429,
    'too.many.requests.retry.after',
    `Rate limit exceeded the maximum. Retry the request in [${retryAfter}] seconds`,
    retryAfter,
  )

/** The platform's usual error for a status. A status that it does not document has no `code`. */
export function errorOfStatus(status: number, retryAfter?: number): PlatformError {
  if (status === 429) return tooManyRequests(retryAfter ?? 1)
  return new PlatformError(status, codeOfStatus.get(status), STATUS_CODES[status] ?? 'Unknown error', retryAfter)
}

const codeOfStatus = new Map([
  [400, 'bad.request'],
  [401, 'bad.credentials'],
  [403, 'not.authorized'],
  [404, 'not.found'],
  [415, 'unsupported.media.type'],
  [500, 'internal.server.error'],
  [503, 'service.unavailable'],
  [504, 'request.timeout'],
])

/** `contextId` is the correlation id of the answer's header. */
export function errorBody(error: PlatformError, contextId: string): ErrorBody {
  const { message, code, status } = error
  return { message, ...(code !== undefined && { code }), status, contextId, details: [], errors: [] }
}
