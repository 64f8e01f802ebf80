import type { Clock } from '../clock.ts'
import { Throttled } from '../errors.ts'

/** How often each caller may ask, in any minute and by this process. */
export interface RateLimit {
  /** Counts one request of `who`. Throws `Throttled` when it is one too many; what is refused is not counted. */
  count(who: string): void
}

const windowMs = 60_000

/** `perMinute` null: as often as it likes. */
export function createRateLimit(perMinute: number | null, clock: Clock): RateLimit {
  /** Since when, and how many: a minute that slides in two halves would let through twice as many at its border. */
  const counted = new Map<string, number[]>()
  let sweptAt = 0
  return {
    count(who) {
      if (perMinute === null) return
      const now = clock.now().getTime()
      if (Math.abs(now - sweptAt) > windowMs) {
        for (const [name, times] of counted) if (Math.abs(now - times.at(-1)!) > windowMs) counted.delete(name)
        sweptAt = now
      }
      // A clock that is set back must not lock anybody out: only what lies in this minute counts.
      const times = (counted.get(who) ?? []).filter((time) => time <= now && now - time < windowMs)
      if (times.length >= perMinute) throw new Throttled('rate_limited', Math.ceil((times[0]! + windowMs - now) / 1000))
      times.push(now)
      counted.set(who, times)
    },
  }
}
