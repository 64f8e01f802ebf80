/**
 * - `unreachable`: no answer came, in all tries.
 * - `busy`: the service cannot take it now (429, 503, or the same file is still being judged). `retryAfterSeconds` says when.
 * - `not_allowed`: the ticket is spent, expired, unknown, or for another conversation.
 * - `unreadable`: the browser cannot read the file any more: it was changed, moved or deleted since it was chosen.
 * - `failed`: anything else. It is a mistake of the page, or a fault of the service: for a developer, not for the customer.
 */
export type AttachErrorReason = 'unreachable' | 'busy' | 'not_allowed' | 'unreadable' | 'failed'

/** No answer on the file: whether it is good is not known. */
export class AttachError extends Error {
  override readonly name = 'AttachError'
  readonly reason: AttachErrorReason
  /** The status of the last answer. Null: there was none. */
  readonly status: number | null
  /** The service's own code, such as `rate_limited`. */
  readonly code: string | null
  readonly retryAfterSeconds: number | null
  /** Finds the request in the service's log. */
  readonly requestId: string | null
  /**
   * A try may have been stored and its answer lost. Sending again under the same `idempotencyKey`, within seven days, makes
   * no second file of it.
   */
  readonly mayHaveArrived: boolean
  /** Under which the file was sent. */
  readonly idempotencyKey: string

  constructor(
    message: string,
    told: Pick<AttachError, 'reason' | 'status' | 'code' | 'retryAfterSeconds' | 'requestId'>,
    sent: Pick<AttachError, 'mayHaveArrived' | 'idempotencyKey'>,
  ) {
    super(message)
    this.reason = told.reason
    this.status = told.status
    this.code = told.code
    this.retryAfterSeconds = told.retryAfterSeconds
    this.requestId = told.requestId
    this.mayHaveArrived = sent.mayHaveArrived
    this.idempotencyKey = sent.idempotencyKey
  }
}
