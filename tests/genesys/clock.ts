import { setImmediate as nextTurn } from 'node:timers/promises'
import { type Clock, systemClock } from '../../src/clock.ts'

/** A clock that only the test moves. */
export interface ManualClock extends Clock {
  /** How long each one waits that waits now, in milliseconds from now. */
  waits(): number[]
  /** Moves on, stopping at each wait that ends on the way, so that what follows from it happens at its time. */
  pass(ms: number): Promise<void>
  /** Is that much later at once: what would have happened in between has not. */
  jump(ms: number): void
}

export function manualClock(start = '2026-10-02T09:10:00.000Z'): ManualClock {
  let time = Date.parse(start)
  let waiting: { at: number; resolve(): void }[] = []
  return {
    now: () => new Date(time),
    wait(ms, signal) {
      return new Promise((resolve) => {
        if (signal?.aborted) return resolve()
        const leave = () => {
          waiting = waiting.filter((one) => one !== entry)
          entry.resolve()
        }
        const entry = {
          at: time + ms,
          resolve() {
            signal?.removeEventListener('abort', leave)
            resolve()
          },
        }
        signal?.addEventListener('abort', leave)
        waiting.push(entry)
      })
    },
    waits: () => waiting.map(({ at }) => at - time),
    async pass(ms) {
      const end = time + ms
      for (;;) {
        await turns()
        const next = Math.min(...waiting.map(({ at }) => at))
        if (next > end) break
        time = Math.max(time, next)
        const due = waiting.filter(({ at }) => at <= time)
        waiting = waiting.filter(({ at }) => at > time)
        for (const { resolve } of due) resolve()
      }
      time = end
    },
    jump(ms) {
      time += ms
      const due = waiting.filter(({ at }) => at <= time)
      waiting = waiting.filter(({ at }) => at > time)
      for (const { resolve } of due) resolve()
    },
  }
}

/** Lets everything happen that needs nothing but a turn. */
async function turns(): Promise<void> {
  for (let i = 0; i < 5; i++) await nextTurn()
}

/** Resolves once it holds: looked at between turns, so that no time is waited for. The test's own limit ends it. */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await nextTurn()
}

/** The real time, in which nobody waits for longer than a tenth of a second. */
export const hurriedClock: Clock = { ...systemClock, wait: (ms, signal) => systemClock.wait(Math.min(ms, 100), signal) }
