import { SenderGone, Unavailable } from '../errors.ts'

/** A bounded number of places; as many again may wait for one. */
export interface Places {
  /**
   * Resolves with how to give the place back. Throws `Unavailable` when none comes free in `waitMs`, or too many wait, and
   * `SenderGone` when `gone` aborts: who has left waits for nothing.
   */
  take(gone?: AbortSignal): Promise<() => void>
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
    async take(gone) {
      if (taken < count) {
        taken++
        return leave
      }
      if (waiting.length >= count) throw tooMany()
      await new Promise<void>((resolve, reject) => {
        const stopWaiting = () => {
          clearTimeout(timer)
          gone?.removeEventListener('abort', onGone)
        }
        const given = () => {
          stopWaiting()
          resolve()
        }
        const giveUp = (error: Error) => {
          waiting.splice(waiting.indexOf(given), 1)
          stopWaiting()
          reject(error)
        }
        const onGone = () => giveUp(new SenderGone('the sender left while it waited for a place'))
        const timer = setTimeout(() => giveUp(tooMany()), waitMs)
        waiting.push(given)
        gone?.addEventListener('abort', onGone)
        if (gone?.aborted) onGone()
      })
      return leave
    },
    taken: () => taken,
  }
}
