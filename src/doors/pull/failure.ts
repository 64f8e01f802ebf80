import { Throttled, Unavailable } from '../../errors.ts'
import { CredentialsRefused, GenesysRefused, GenesysUnavailable } from '../../genesys/errors.ts'
import { MediaDiffers, MediaGone } from '../../genesys/media/errors.ts'
import { causes, type Events } from '../../telemetry/events.ts'

/** Trouble that may pass: why, and when the other side wants to be asked again. */
export interface Failure {
  reason: string
  retryAfterSeconds: number | null
}

/** Longest reason that is kept. */
const longestReason = 500

const known = [GenesysRefused, CredentialsRefused, MediaDiffers, MediaGone]

export function failureOf(error: unknown, events: Pick<Events, 'pullFailed'>): Failure {
  const reason = causes(error).error.slice(0, longestReason)
  if (error instanceof GenesysUnavailable || error instanceof Unavailable || error instanceof Throttled)
    return { reason, retryAfterSeconds: error.retryAfterSeconds }
  if (known.some((Known) => error instanceof Known)) return { reason, retryAfterSeconds: null }
  // A fault of ours.
  events.pullFailed(error)
  return { reason: 'internal error', retryAfterSeconds: null }
}
