import { STATUS_CODES } from 'node:http'
import { PlatformError } from '../platform/errors.ts'
import type { components } from '../platform.d.ts'

/** An answer of the login host other than success. The names are RFC 6749's; which the platform gives is UNCONFIRMED. */
export const refused = (status: 400 | 401, error: string, why: string) => new PlatformError(status, error, why)

/** The login host's errors have a form of their own, with the text under two names. */
export function loginErrorBody({ code, message }: PlatformError): components['schemas']['OAuthTokenError'] {
  return { error: code ?? 'server_error', description: message, error_description: message }
}

/** What a fault with this status answers. */
export function loginErrorOfStatus(status: number, retryAfter?: number): PlatformError {
  const error = status === 400 || status === 401 ? 'invalid_client' : 'temporarily_unavailable'
  return new PlatformError(status, error, STATUS_CODES[status] ?? 'Unknown error', retryAfter)
}
