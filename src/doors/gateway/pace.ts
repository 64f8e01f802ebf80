import type { Clock } from '../../clock.ts'

/** How much a client may ask, so that the platform's own limits are kept (FACTS 1.8): 60 requests a minute on a connection. */
const burst = 60
const perMs = 60 / 60_000
/** A client that is slowed for so long without a pause floods. */
const floodMs = 120_000

export interface Pace {
  /** Milliseconds that the next frame must wait. */
  wait(): number
  /** Whether it has been asking for more than it may for so long that it should be shut out. */
  floods(): boolean
}

export function createPace(clock: Clock): Pace {
  let left = burst
  let at = clock.now().getTime()
  let slowedSince: number | null = null
  return {
    wait() {
      const now = clock.now().getTime()
      left = Math.min(burst, left + Math.max(0, now - at) * perMs)
      at = now
      left -= 1
      if (left >= 0) {
        if (left > 1) slowedSince = null
        return 0
      }
      slowedSince ??= now
      return Math.ceil(-left / perMs)
    },
    floods: () => slowedSince !== null && clock.now().getTime() - slowedSince >= floodMs,
  }
}
