import { expect, it } from 'vitest'
import { manualClock } from '../../../tests/genesys/clock.ts'
import { createPace } from './pace.ts'

it('lets sixty frames through at once, then one a second', () => {
  const clock = manualClock()
  const pace = createPace(clock)
  for (let i = 0; i < 60; i++) expect(pace.wait()).toBe(0)
  expect(pace.wait()).toBe(1000)
  clock.jump(2000)
  expect(pace.wait()).toBe(0)
  expect(pace.wait()).toBe(1000)
})

it('calls it a flood when it was slowed for two minutes without a pause', () => {
  const clock = manualClock()
  const pace = createPace(clock)
  const ask = (seconds: number) => {
    for (let i = 0; i < seconds; i++) {
      clock.jump(pace.wait())
      if (pace.floods()) return 'flood'
    }
    return 'slow'
  }
  expect(ask(170)).toBe('slow')
  clock.jump(60_000)
  for (let i = 0; i < 30; i++) expect(pace.wait()).toBe(0)
  expect(pace.floods()).toBe(false)
  expect(ask(400)).toBe('flood')
})

it('is not confused by a clock that is set back', () => {
  const clock = manualClock()
  const pace = createPace(clock)
  for (let i = 0; i < 30; i++) pace.wait()
  clock.jump(-3_600_000)
  expect(pace.wait()).toBe(0)
})
