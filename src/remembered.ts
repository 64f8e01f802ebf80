import type { Clock } from './clock.ts'

/** One question at a time, and its answer to all who ask within `freshMs`. A failure is told to who waits for it, and not remembered. */
export function remembered<T>(freshMs: number, clock: Clock, ask: () => Promise<T>): () => Promise<T> {
  let answer: Promise<T> | null = null
  let at = 0
  return () => {
    const now = clock.now().getTime()
    if (answer && Math.abs(now - at) < freshMs) return answer
    at = now
    const asked = ask()
    answer = asked
    asked.catch(() => {
      if (answer === asked) answer = null
    })
    return asked
  }
}
