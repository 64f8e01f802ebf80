import type { Clock } from '../clock.ts'
import { GenesysUnavailable } from './errors.ts'

/** Our own limit on requests, kept below the platform's, so that the token's other uses are not starved. */
export interface Pace {
  /**
   * Resolves when a request may begin, which it then must: it is counted. Throws `GenesysUnavailable` when that would be
   * after `deadline` (milliseconds since 1970).
   */
  turn(deadline: number): Promise<void>
  /** The platform wants nothing for so long: whoever waits for a turn waits that long, too. */
  hold(ms: number): void
}

const windowMs = 60_000

/** In any 60 seconds at most `requestsPerMinute` requests begin. */
export function createPace(requestsPerMinute: number, clock: Clock): Pace {
  /** When the newest requests began: never more than the limit. */
  const begun: number[] = []
  let heldUntil = 0
  return {
    hold(ms) {
      heldUntil = Math.max(heldUntil, clock.now().getTime() + ms)
    },
    async turn(deadline) {
      for (;;) {
        const now = clock.now().getTime()
        // The clock was set back: what was counted says nothing about this minute.
        if ((begun.at(-1) ?? now) > now) {
          begun.length = 0
          heldUntil = 0
        }
        const freeAt = Math.max(heldUntil, begun.length < requestsPerMinute ? now : begun[0]! + windowMs)
        if (freeAt <= now) {
          begun.push(now)
          if (begun.length > requestsPerMinute) begun.shift()
          return
        }
        if (freeAt > deadline)
          throw new GenesysUnavailable('no turn to ask Genesys in time: the limit of requests a minute is reached', {
            retryAfterSeconds: Math.ceil((freeAt - now) / 1000),
          })
        await clock.wait(freeAt - now)
      }
    },
  }
}
