import type { Attachment } from '../attachment.ts'
import { NoCopy } from '../copies/copy.ts'
import {
  BadRequest,
  Conflict,
  Forbidden,
  Gone,
  MissingFile,
  NotFound,
  OutcomeUnknown,
  type RefusalCode,
  Throttled,
  TooLarge,
  TooSlow,
  Unauthorized,
  Unavailable,
} from '../errors.ts'

/** What a caller is told, as application/problem+json (RFC 9457). */
export interface Problem {
  status: number
  code: string
  title: string
  detail: string
  attachmentId?: string
  /** What the customer is told of the file. */
  sentence?: string
  retryAfterSeconds?: number
}

/**
 * The only place where an error becomes a status. The error's own text goes out only where it was written for callers;
 * of everything else the caller learns that it failed, and the operator why.
 */
export function problemOf(error: unknown): Problem {
  if (error instanceof BadRequest)
    return { status: 400, code: error.code, title: 'The request cannot be read.', detail: error.message }
  if (error instanceof Unauthorized)
    return { status: 401, code: 'unauthorized', title: 'Credentials are missing or wrong.', detail: error.message }
  if (error instanceof Forbidden)
    return { status: 403, code: 'forbidden', title: 'These credentials may not do this.', detail: error.message }
  if (error instanceof NotFound)
    return { status: 404, code: 'not_found', title: 'Not found.', detail: 'There is nothing here under this name.' }
  if (error instanceof TooSlow)
    return { status: 408, code: 'too_slow', title: 'The sender stalls.', detail: 'The request did not come in time.' }
  if (error instanceof Conflict)
    return {
      status: 409,
      code: error.code,
      title: 'This cannot be done as things stand.',
      detail: error.message,
      ...(error.code === 'in_progress' && { retryAfterSeconds: 1 }),
    }
  if (error instanceof Throttled)
    return {
      status: 429,
      code: error.code,
      title: error.code === 'rate_limited' ? 'Too many requests.' : 'This conversation has sent enough for today.',
      detail: 'Nothing was kept. It may be sent again later.',
      retryAfterSeconds: error.retryAfterSeconds,
    }
  if (error instanceof NoCopy)
    return { status: 409, code: 'no_copy', title: 'No copy can be made of this file.', detail: error.message }
  if (error instanceof Gone) return { status: 410, code: 'gone', title: 'Gone.', detail: error.message }
  if (error instanceof TooLarge)
    return { status: 413, code: 'too_large', title: 'The file is too large.', detail: error.message }
  if (error instanceof MissingFile)
    return {
      status: 422,
      code: 'missing_file',
      title: 'The form has no file.',
      detail: 'Send the file in a part that is named file.',
    }
  if (error instanceof OutcomeUnknown)
    return {
      status: 503,
      code: 'unavailable',
      title: 'The service cannot take this now.',
      detail: 'Whether it was kept is not known. Send the same again, under an Idempotency-Key.',
      retryAfterSeconds: error.retryAfterSeconds,
    }
  if (error instanceof Unavailable)
    return {
      status: 503,
      code: 'unavailable',
      title: 'The service cannot take this now.',
      detail: 'It was not done. It is safe to send the same again.',
      retryAfterSeconds: error.retryAfterSeconds,
    }
  // A file of the documentation pages that is not there, or may not be asked for in this way.
  const { statusCode } = error as { statusCode?: number }
  if (statusCode !== undefined && statusCode >= 400 && statusCode < 500)
    return { status: 404, code: 'not_found', title: 'Not found.', detail: 'There is nothing here under this name.' }
  return { status: 500, code: 'internal', title: 'Something failed.', detail: 'The operator has been told.' }
}

const refusals: Record<RefusalCode, { status: number; title: string; detail?: string }> = {
  too_large: { status: 413, title: 'The file is too large.' },
  type_not_allowed: { status: 415, title: 'Files of this type are not taken.' },
  type_mismatch: { status: 415, title: 'Name, declared type and content do not agree.' },
  empty: { status: 422, title: 'The file is empty.' },
  malware: { status: 422, title: 'The file is dangerous.', detail: 'An engine found malware in the file.' },
  encrypted: { status: 422, title: 'The file is encrypted.', detail: 'What is encrypted cannot be checked.' },
  unscannable: { status: 422, title: 'The file cannot be checked.', detail: 'It could not be checked to its end.' },
  bomb: { status: 422, title: 'The file expands too far.', detail: 'The file is made to grow when it is opened.' },
  corrupt: { status: 422, title: 'The file is damaged.', detail: 'The file is not whole.' },
  active_content: { status: 422, title: 'The file has active content.', detail: 'The file carries code or links out.' },
  polyglot: {
    status: 422,
    title: 'The file is several files in one.',
    detail: 'The file reads as more than one type.',
  },
}

/** How a refused attachment is answered at the door. The details without a fixed text say nothing of engines or limits of ours. */
export function problemOfRefusal(attachment: Attachment, code: RefusalCode): Problem {
  const { status, title, detail } = refusals[code]
  return { status, code, title, detail: detail ?? attachment.detail ?? title, attachmentId: attachment.id }
}
