import { Unavailable } from '../errors.ts'

// A call to Genesys Cloud throws one of the four below, and nothing else. None carries a token or a secret.

/** A definite no: the same call again gets the same answer, until someone changes something. */
export class GenesysRefused extends Error {
  readonly status: number
  /** Genesys' own name for it, such as `not.found`; null when the answer has none. */
  readonly code: string | null
  /** What Genesys' support asks for. */
  readonly correlationId: string | null
  constructor(
    call: string,
    answer: { status: number; code?: string | null; message?: string | null; correlationId?: string | null },
  ) {
    const { status, code = null, message = null, correlationId = null } = answer
    const said = [String(status), code, message].filter((part) => part !== null).join(' ')
    super(`${call}: ${said}${correlationId === null ? '' : ` (correlation id ${correlationId})`}`)
    this.status = status
    this.code = code
    this.correlationId = correlationId
  }
}

/** Genesys gives this client no token, or does not take the one that it has just given. */
export class CredentialsRefused extends Error {}

/** Nothing was changed there, or it may be done twice: safe to try again, not before `retryAfterSeconds` if it says so. */
export class GenesysUnavailable extends Error {
  readonly retryAfterSeconds: number | null
  constructor(what: string, options: { cause?: unknown; retryAfterSeconds?: number | null } = {}) {
    super(what, { cause: options.cause })
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
  }
}

/** It may have been done, and must be looked for before it is done again. */
export class AnswerLost extends Error {
  readonly retryAfterSeconds: number | null
  constructor(what: string, options: { cause?: unknown; retryAfterSeconds?: number | null } = {}) {
    super(what, { cause: options.cause })
    this.retryAfterSeconds = options.retryAfterSeconds ?? null
  }
}

/** The call is for people only, not for a client of its own. The text is official, the code that comes with it is not known. */
export function needsUserContext(error: unknown): boolean {
  return error instanceof GenesysRefused && error.status === 400 && /user context/i.test(error.message)
}

/** Asks the platform for somebody who only has to know that it did not work, and why. Throws `Unavailable` with what Genesys has said. */
export async function orUnavailable<T>(ask: () => Promise<T>): Promise<T> {
  try {
    return await ask()
  } catch (error) {
    if (error instanceof GenesysRefused || error instanceof GenesysUnavailable || error instanceof CredentialsRefused)
      throw new Unavailable(error.message, { cause: error.cause })
    throw error
  }
}
