/** Why a file is refused. The list is closed: customers' sentences, HTTP statuses and metrics are keyed by it. */
export const refusalCodes = [
  'too_large',
  'type_not_allowed',
  'type_mismatch',
  'empty',
  'malware',
  'encrypted',
  'unscannable',
  'bomb',
  'corrupt',
  'active_content',
  'polyglot',
] as const
export type RefusalCode = (typeof refusalCodes)[number]

/** Our "no" to a file: an answer, not a fault. Thrown inside intake only, where streams leave no other way. */
export class Refused extends Error {
  readonly code: RefusalCode
  /** For the admin; never for the customer. */
  readonly detail: string
  constructor(code: RefusalCode, detail: string) {
    super(`${code}: ${detail}`)
    this.code = code
    this.detail = detail
  }
}

/** The request cannot be read as what it says it is. `code` is one of the contract's. */
export class BadRequest extends Error {
  readonly code: string
  constructor(code: string, detail: string) {
    super(detail)
    this.code = code
  }
}

export class MissingFile extends Error {}

export class Unauthorized extends Error {}

/** `who`: whose credentials they are, where that is known. */
export class Forbidden extends Error {
  readonly who: string | null
  constructor(detail: string, who: string | null = null) {
    super(detail)
    this.who = who
  }
}

/** Nothing is here under this name, or nothing that this caller may know of. */
export class NotFound extends Error {
  constructor(what: string) {
    super(`no such ${what}`)
  }
}

/** `conflict`: the key was used for another file. `in_progress`: its first delivery is still running. */
export class Conflict extends Error {
  readonly code: 'conflict' | 'in_progress' | 'not_accepted'
  constructor(code: 'conflict' | 'in_progress' | 'not_accepted', detail: string) {
    super(detail)
    this.code = code
  }
}

/** It was here and is erased or recalled. */
export class Gone extends Error {}

/** More than a caller or a conversation may send: later it may again. */
export class Throttled extends Error {
  readonly code: 'rate_limited' | 'quota_exceeded'
  readonly retryAfterSeconds: number
  constructor(code: 'rate_limited' | 'quota_exceeded', retryAfterSeconds: number) {
    super(code)
    this.code = code
    this.retryAfterSeconds = Math.max(1, retryAfterSeconds)
  }
}

/** Too large to be believed: nothing is recorded of it. */
export class TooLarge extends Error {}

/** The sender stalls. */
export class TooSlow extends Error {}

/** The sender went away in mid-request: there is nobody to answer. */
export class SenderGone extends Error {}

/** Something that we lean on does not work now: safe to send again. `cause` is for the operator only. */
export class Unavailable extends Error {
  readonly retryAfterSeconds: number
  constructor(what: string, options: { cause?: unknown; retryAfterSeconds?: number } = {}) {
    super(what, { cause: options.cause })
    this.retryAfterSeconds = options.retryAfterSeconds ?? 5
  }
}

/**
 * A commit was asked for and its answer did not come: it may stand. Nothing may be deleted on the strength of it.
 */
export class OutcomeUnknown extends Unavailable {}

/** Stored bytes do not prove to be what was stored. */
export class Damaged extends Error {}

/** Wrong use or configuration: every problem at once, each a sentence that says what to change. */
export class ConfigError extends Error {
  readonly problems: string[]
  constructor(problems: string[]) {
    super(problems.join('\n'))
    this.problems = problems
  }
}
