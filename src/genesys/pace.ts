import type { Clock } from '../clock.ts'
import { GenesysUnavailable } from './errors.ts'

/** Our own limit on requests, kept below the platform's, so that the token's other uses are not starved. */
export interface Pace {
  /**
   * Resolves when a request may begin, which it then must: it is counted. Throws `GenesysUnavailable` when that would be
   * after `deadline` (milliseconds since 1970).
   */
  turn(deadline: number): Promise<void>
}

const windowMs = 60_000

/** In any 60 seconds at most `requestsPerMinute` requests begin. */
export function createPace(requestsPerMinute: number, clock: Clock): Pace {
  /** When the newest requests began: never more than the limit. */
  const begun: number[] = []
  return {
    async turn(deadline) {
      for (;;) {
        const now = clock.now().getTime()
        // The clock was set back: what was counted says nothing about this minute.
        if ((begun.at(-1) ?? now) > now) begun.length = 0
        const freeAt = begun.length < requestsPerMinute ? now : begun[0]! + windowMs
        if (freeAt <= now) {
          begun.push(now)
          if (begun.length > requestsPerMinute) begun.shift()
          return
        }
        if (freeAt > deadline)
          throw new GenesysUnavailable('our own limit of requests a minute is reached', {
            retryAfterSeconds: Math.ceil((freeAt - now) / 1000),
          })
        await clock.wait(freeAt - now)
      }
    },
  }
}
