import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { jitter, longestRetryAfterSeconds, nextAttemptAt, timetable } from './timetable.ts'

const now = new Date('2026-10-02T09:00:00.000Z')
const secondsUntil = (at: Date | null) => (at === null ? null : (at.getTime() - now.getTime()) / 1000)
const middle = () => 0.5

describe('the timetable', () => {
  it('waits longer each time, about two days in all, and then gives up', () => {
    const waits = timetable.map((_seconds, i) => secondsUntil(nextAttemptAt(i + 1, now, { random: middle })))
    expect(waits).toEqual([5, 30, 120, 600, 1800, 7200, 21_600, 43_200, 86_400])
    expect(waits.reduce<number>((sum, wait) => sum + wait!, 0) / 3600).toBeCloseTo(44.7, 1)
    expect(nextAttemptAt(timetable.length + 1, now)).toBeNull()
  })

  it('spreads each wait by a tenth at most', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: timetable.length }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, chance) => {
          const wait = secondsUntil(nextAttemptAt(attempts, now, { random: () => chance }))!
          const planned = timetable[attempts - 1]!
          expect(Math.abs(wait - planned)).toBeLessThanOrEqual(planned * jitter + 0.001)
        },
      ),
    )
  })

  it('never comes before the platform asked for', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: timetable.length }),
        fc.integer({ min: 0, max: longestRetryAfterSeconds }),
        fc.double({ min: 0, max: 1, noNaN: true }),
        (attempts, retryAfterSeconds, chance) => {
          const at = nextAttemptAt(attempts, now, { retryAfterSeconds, random: () => chance })
          expect(secondsUntil(at)).toBeGreaterThanOrEqual(retryAfterSeconds)
        },
      ),
    )
  })

  it('asks again after a day when the platform asks for more than that', () => {
    const at = nextAttemptAt(1, now, { retryAfterSeconds: 1_000_000_000, random: middle })
    expect(secondsUntil(at)).toBe(86_400)
  })
})
