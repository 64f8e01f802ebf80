import { NotFound, Unavailable } from '../../errors.ts'

/** Our own end of an attempt: nothing moved, or its time was over. */
export class Stalled extends Error {
  readonly code = 'ETIMEDOUT'
}

/** The store answered, and not as an S3 store answers. */
export class StrangeAnswer extends Error {
  readonly code = 'StrangeAnswer'
}

/** HTTP's status, also of a page that something before the store answered with; undefined: there was no answer. */
export function statusOf(error: unknown): number | undefined {
  return (error as { $metadata?: { httpStatusCode?: number } }).$metadata?.httpStatusCode
}

/** Bytes were changed or cut on their way, or our clock was wrong (the client has set it right meanwhile). */
const onTheWay = [
  'BadDigest',
  'IncompleteBody',
  'RequestTimeout',
  'RequestTimeTooSkewed',
  'XAmzContentChecksumMismatch',
  'XAmzContentSHA256Mismatch',
]

/** Of a connection that was never made, or broke. */
const ofTheNetwork = /^(E(CONN|PIPE|TIMEDOUT|AI_|NET|HOST|PROTO)|ERR_STREAM_PREMATURE_CLOSE|UND_)/

/** Whether the same request may go well when it is sent again. */
export function isTransient(error: unknown): boolean {
  const status = statusOf(error)
  if (status === undefined) {
    const { code, name } = error as { code?: unknown; name?: unknown }
    return ofTheNetwork.test(String(code)) || name === 'TimeoutError' || error instanceof StrangeAnswer
  }
  if (onTheWay.includes((error as Error).name)) return true
  // 409: another request for the same is under way.
  return (status >= 500 && status !== 501) || status === 429 || status === 408 || status === 409
}

/** What becomes of a fault outside. Of the store's answer its code and text are told, never a header or a signature. */
export function toError(what: string, error: unknown): Error {
  if (error instanceof NotFound || error instanceof Unavailable) return error
  if ((error as Error).name === 'NoSuchKey') return new NotFound('object')
  return new Unavailable(what, { cause: causeOf(error as Error & { code?: unknown }) })
}

function causeOf(error: Error & { code?: unknown }): Error {
  const status = statusOf(error)
  const text = `${error.name}: ${error.message}`.slice(0, 300)
  const code =
    status === undefined ? (error.code ?? error.name) : error.name === 'Error' ? `HTTP ${status}` : error.name
  return Object.assign(new Error(text), { code }, status !== undefined && { status })
}
