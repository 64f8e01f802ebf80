import type { Clock } from '../clock.ts'
import type { Scanner } from './scanner.ts'

/** Failures in a row after which an engine is left alone for a while. */
const mostFailures = 5
const pauseMs = 5000

/**
 * An engine that fails again and again is not asked by everybody: each would wait for its time limit. After a pause one file
 * tries it. No verdict in between is anything but `failed`.
 */
export function withBreaker(scanner: Scanner, clock: Clock): Scanner {
  let failures = 0
  let pausedUntil = 0
  return {
    ...scanner,
    async scan(file, options) {
      const now = clock.now()
      const left = pausedUntil - now.getTime()
      // A pause that would last longer was begun before the clock was set back.
      if (failures >= mostFailures && left > 0 && left <= pauseMs)
        return { engine: scanner.name, verdict: 'failed', detail: 'it failed again and again', at: now.toISOString() }
      // Whoever comes while this one tries finds the pause renewed.
      if (failures >= mostFailures) pausedUntil = now.getTime() + pauseMs
      const verdict = await scanner.scan(file, options)
      failures = verdict.verdict === 'failed' ? failures + 1 : 0
      if (failures >= mostFailures) pausedUntil = clock.now().getTime() + pauseMs
      return verdict
    },
  }
}
