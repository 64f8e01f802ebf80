import type { AttachErrorReason } from './errors.ts'
import type { Attachment, Outcome, RefusalCode } from './outcome.ts'
import type { Answer } from './send.ts'

/** No answer on the file, and what may be done about it. */
export interface Trouble {
  reason: AttachErrorReason
  message: string
  status: number | null
  code: string | null
  retryAfterSeconds: number | null
  requestId: string | null
  /** `again`: later. `ticket`: with another ticket. `never`: it would be the same. */
  next: 'again' | 'ticket' | 'never'
  /** It may have been stored all the same. */
  mayHaveArrived: boolean
}

/** What an answer means. Null: there was none. */
export function read(answer: Answer | null): { outcome: Outcome } | { trouble: Trouble } {
  if (answer === null) return { trouble: lost }
  const { status, body, repeated } = answer
  const outcome = body && outcomeOf(status, body, repeated)
  if (outcome) return { outcome }
  // A proxy that takes less than the service does: it says so in a page of its own.
  if (status === 413) return { outcome: refusedBefore }
  return { trouble: troubleOf(answer) }
}

const lost: Trouble = {
  reason: 'unreachable',
  message: 'The connection broke before there was an answer.',
  status: null,
  code: null,
  retryAfterSeconds: null,
  requestId: null,
  next: 'again',
  mayHaveArrived: true,
}

const refusedBefore: Outcome = {
  kind: 'refused',
  code: 'too_large',
  sentence: 'The file is too large.',
  detail: 'Refused before it reached the service.',
  attachmentId: null,
}

function outcomeOf(status: number, body: Record<string, unknown>, repeated: boolean): Outcome | null {
  const { code } = body
  if (status === 200 || status === 202) {
    if (typeof body.attachment !== 'object' || body.attachment === null) return null
    const kind = status === 200 ? 'accepted' : 'quarantined'
    return { kind, attachment: body.attachment as Attachment, sentence: text(body.sentence ?? body.message), repeated }
  }
  if (status === 410) return { kind: 'erased' }
  if ((status !== 413 && status !== 415 && status !== 422) || typeof code !== 'string' || code === 'missing_file')
    return null
  return {
    kind: 'refused',
    // The list is closed, and a later version's word for a refusal is one all the same.
    code: code as RefusalCode,
    sentence: text(body.sentence ?? body.title),
    detail: text(body.detail),
    attachmentId: typeof body.attachmentId === 'string' ? body.attachmentId : null,
  }
}

function troubleOf({ status, body, retryAfterSeconds, requestId }: Answer): Trouble {
  const code = typeof body?.code === 'string' ? body.code : null
  const isLater = status === 408 || status === 429 || status >= 500 || code === 'in_progress'
  return {
    reason: isLater
      ? status === 500
        ? 'failed'
        : 'busy'
      : status === 401 || status === 403
        ? 'not_allowed'
        : 'failed',
    message: text(body?.detail ?? body?.title) || `The service answers ${status}.`,
    status,
    code,
    retryAfterSeconds,
    requestId,
    next: isLater ? 'again' : status === 401 ? 'ticket' : 'never',
    // A browser sends by itself again when a connection that it used before breaks: the ticket may be spent by what it sent first.
    mayHaveArrived: status >= 500 || status === 401 || code === 'in_progress',
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
