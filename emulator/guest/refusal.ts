/** The Guest API's "no", with its numeric `errorCode`. */
export class GuestRefusal extends Error {
  readonly errorCode: number
  constructor(errorCode: number, errorMessage: string) {
    super(errorMessage)
    this.errorCode = errorCode
  }
}

/** Too many requests. */
export class GuestPace extends GuestRefusal {
  /** Whole seconds. */
  readonly retryAfter: number
  constructor(retryAfter: number, errorMessage: string) {
    super(4029, errorMessage)
    this.retryAfter = retryAfter
  }
}
