import { expect, it } from 'vitest'
import { fakeEngine, scannable } from '../../tests/fixtures/engines.ts'
import { manualClock } from '../../tests/genesys/clock.ts'
import type { Verdict } from '../attachment.ts'
import { withBreaker } from './breaker.ts'

const file = scannable()

function start() {
  const clock = manualClock()
  let asked = 0
  const engine = { verdict: 'failed' as Verdict['verdict'] }
  const guarded = withBreaker(
    fakeEngine({
      say: () => {
        asked += 1
        return { verdict: engine.verdict }
      },
    }),
    clock,
  )
  const scan = async () => (await guarded.scan(file)).verdict
  return { clock, engine, scan, asked: () => asked }
}

it('leaves an engine alone that has failed five times in a row, and tries one file after five seconds', async () => {
  const { clock, engine, scan, asked } = start()
  for (let i = 0; i < 5; i++) expect(await scan()).toBe('failed')
  for (let i = 0; i < 20; i++) expect(await scan()).toBe('failed')
  expect(asked()).toBe(5)
  clock.jump(5000)
  expect(await Promise.all([scan(), scan(), scan()])).toEqual(['failed', 'failed', 'failed'])
  expect(asked()).toBe(6)
  engine.verdict = 'clean'
  clock.jump(5000)
  expect(await scan()).toBe('clean')
  expect(await scan()).toBe('clean')
  expect(asked()).toBe(8)
})

it('counts failures in a row only', async () => {
  const { engine, scan, asked } = start()
  for (let i = 0; i < 4; i++) await scan()
  engine.verdict = 'infected'
  await scan()
  engine.verdict = 'failed'
  for (let i = 0; i < 5; i++) await scan()
  expect(asked()).toBe(10)
})

it('does not pause for longer because the clock is set back', async () => {
  const { clock, scan, asked } = start()
  for (let i = 0; i < 5; i++) await scan()
  clock.jump(-3_600_000)
  await scan()
  expect(asked()).toBe(6)
})
