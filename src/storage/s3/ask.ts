import type { Clock } from '../../clock.ts'
import { isTransient, Stalled } from './faults.ts'

/** How long a store may take. */
export interface StoreTimes {
  connectMs: number
  /** Without a byte that moves, or an answer. */
  idleMs: number
  /** All attempts of one operation together; a large file has more by its size. */
  budgetMs: number
  leastBytesPerSecond: number
  /** All attempts of a probe. */
  checkMs: number
}

export const storeTimes: StoreTimes = {
  connectMs: 5000,
  idleMs: 20_000,
  budgetMs: 30_000,
  leastBytesPerSecond: 1_000_000,
  checkMs: 10_000,
}

export interface Asking {
  clock: Clock
  times: Pick<StoreTimes, 'idleMs'>
  /** When the whole operation must have ended, in ms since 1970. */
  until: number
  /** Ends it early. */
  signal?: AbortSignal
}

export interface Attempt {
  signal: AbortSignal
  /** Bytes have moved. */
  alive(): void
}

const mostAttempts = 10

/**
 * Asks the store, and again after a fault that may pass, as long as time is left. Each attempt ends: when nothing moves, when
 * the time is over, or when it is told to. Throws what the last one threw.
 */
export async function ask<T>(asking: Asking, work: (attempt: Attempt) => Promise<T>): Promise<T> {
  const { clock, until, signal } = asking
  for (let attempt = 1; ; attempt++) {
    try {
      return await bounded(asking, work)
    } catch (error) {
      const pause = pauseMs(attempt)
      const over = signal?.aborted || attempt === mostAttempts || clock.now().getTime() + pause >= until
      if (over || !isTransient(error)) throw error
      await clock.wait(pause, signal)
    }
  }
}

/** Doubled each time, and somewhere in its second half, so that those who met one fault do not come back together. */
function pauseMs(attempt: number): number {
  const whole = Math.min(200 * 2 ** (attempt - 1), 6000)
  return whole * (0.5 + Math.random() / 2)
}

async function bounded<T>({ clock, times, until, signal }: Asking, work: (attempt: Attempt) => Promise<T>): Promise<T> {
  const ended = new AbortController()
  let end: (why: Error) => void = () => {}
  const early = new Promise<never>((_, reject) => {
    end = (why) => {
      reject(why)
      ended.abort(why)
    }
  })
  const stop = () => end(new Stalled('given up'))
  const idle = setTimeout(() => end(new Stalled(`nothing moved for ${times.idleMs} ms`)), times.idleMs)
  const left = Math.max(0, until - clock.now().getTime())
  const late = setTimeout(() => end(new Stalled('the time for it is over')), Math.min(left, 2 ** 31 - 1))
  signal?.addEventListener('abort', stop)
  if (signal?.aborted) stop()
  try {
    // Not all that the client does heeds the signal: what it does in vain nobody waits for.
    return await Promise.race([early, work({ signal: ended.signal, alive: () => void idle.refresh() })])
  } finally {
    clearTimeout(idle)
    clearTimeout(late)
    signal?.removeEventListener('abort', stop)
  }
}
