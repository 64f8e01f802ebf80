/** The Guest API's "no", with its numeric `errorCode`. */
export class GuestRefusal extends Error {
  readonly errorCode: number
  constructor(errorCode: number, errorMessage: string) {
    super(errorMessage)
    this.errorCode = errorCode
  }
}
