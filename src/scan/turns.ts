import type { Clock } from '../clock.ts'

export interface TurnOptions {
  /** It can wait: it takes a turn only when nobody waits and at least half are free. */
  background?: boolean
}

export interface Turns {
  /** Resolves with what gives the turn back. Null: there was none in time. */
  take(options?: TurnOptions): Promise<(() => void) | null>
}

/** So many at once; the others wait in order, and not for ever. How many can wait is bounded by the uploads that run. */
export function createTurns(atOnce: number, waitMs: number, clock: Clock): Turns {
  let free = atOnce
  const waiting = new Set<() => void>()
  const patient = new Set<() => void>()
  const mayRunBeside = () => free >= Math.ceil(atOnce / 2) && waiting.size === 0

  const leave = () => {
    const [next] = waiting
    if (next) return next()
    free += 1
    const [one] = patient
    if (one && mayRunBeside()) {
      free -= 1
      one()
    }
  }

  return {
    async take({ background = false } = {}) {
      if (background ? mayRunBeside() : free > 0) {
        free -= 1
        return leave
      }
      const queue = background ? patient : waiting
      const over = new AbortController()
      const came = await new Promise<boolean>((resolve) => {
        const settle = (itCame: boolean) => {
          if (queue.delete(mine)) resolve(itCame)
        }
        const mine = () => settle(true)
        queue.add(mine)
        void clock.wait(waitMs, over.signal).then(() => settle(false))
      })
      over.abort()
      return came ? leave : null
    },
  }
}
