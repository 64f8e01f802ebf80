import { Unavailable } from '../errors.ts'

/** A bounded number of places; as many again may wait for one. */
export interface Places {
  /** Resolves with how to give the place back. Throws `Unavailable` when none comes free in `waitMs`, or too many wait. */
  take(): Promise<() => void>
  taken(): number
}

export function createPlaces(count: number, waitMs: number): Places {
  const waiting: (() => void)[] = []
  const tooMany = () => new Unavailable('too many uploads at once', { retryAfterSeconds: 2 })
  let taken = 0

  /** The place goes straight to the next that waits. */
  function leave(): void {
    const next = waiting.shift()
    if (next) next()
    else taken--
  }

  return {
    async take() {
      if (taken < count) {
        taken++
        return leave
      }
      if (waiting.length >= count) throw tooMany()
      await new Promise<void>((resolve, reject) => {
        const given = () => {
          clearTimeout(timer)
          resolve()
        }
        const timer = setTimeout(() => {
          waiting.splice(waiting.indexOf(given), 1)
          reject(tooMany())
        }, waitMs)
        waiting.push(given)
      })
      return leave
    },
    taken: () => taken,
  }
}
