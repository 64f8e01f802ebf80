import { describe, expect, it } from 'vitest'
import { manualClock } from '../../tests/genesys/clock.ts'
import { Throttled } from '../errors.ts'
import { createAttempts, sourceOf } from './attempts.ts'

describe('attempts that fail', () => {
  const name = { key: 'name rita', most: 2 }
  const minutes = 60_000

  it('are so many in a quarter of an hour that slides, and who is refused is told when to come again', () => {
    const clock = manualClock()
    const attempts = createAttempts(clock)
    attempts.begin(name)
    clock.jump(5 * minutes)
    attempts.begin(name)
    let refusal: unknown
    try {
      attempts.begin(name)
    } catch (error) {
      refusal = error
    }
    expect(refusal).toBeInstanceOf(Throttled)
    expect(refusal).toMatchObject({ code: 'rate_limited', retryAfterSeconds: 600 })
    clock.jump(10 * minutes - 1)
    expect(() => attempts.begin(name)).toThrow(Throttled)
    clock.jump(1)
    attempts.begin(name)
    expect(() => attempts.begin(name)).toThrow(Throttled)
  })

  it('are counted when they begin, and not counted once they have succeeded', () => {
    const attempts = createAttempts(manualClock())
    const [first] = [attempts.begin(name), attempts.begin(name)]
    expect(() => attempts.begin(name)).toThrow(Throttled)
    first()
    first()
    attempts.begin(name)
    expect(() => attempts.begin(name)).toThrow(Throttled)
  })

  it('are counted under nothing when they are refused under one', () => {
    const attempts = createAttempts(manualClock())
    const address = { key: 'from 192.0.2.1', most: 3 }
    for (let i = 0; i < 2; i++) attempts.begin(name, address)
    for (let i = 0; i < 5; i++) expect(() => attempts.begin(name, address)).toThrow(Throttled)
    attempts.begin({ key: 'name otto', most: 2 }, address)
    expect(() => attempts.begin({ key: 'name otto', most: 2 }, address)).toThrow(Throttled)
  })

  it('by ever other names push out the oldest, and lock nobody out for a clock that is set back', () => {
    const clock = manualClock()
    const attempts = createAttempts(clock)
    for (let i = 0; i < 2; i++) attempts.begin(name)
    for (let i = 0; i < 20_000; i++) attempts.begin({ key: `name ${i}`, most: 2 })
    for (let i = 0; i < 2; i++) attempts.begin(name)
    expect(() => attempts.begin(name)).toThrow(Throttled)
    clock.jump(-60 * minutes)
    attempts.begin(name)
  })
})

describe('from where somebody comes', () => {
  it.each([
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
    ['2001:db8:1:2::9', '2001:db8:1:2::/64'],
    ['2001:db8::9', '2001:db8:0:0::/64'],
    ['::1', '0:0:0:0::/64'],
    ['fe80::1%eth0', 'fe80:0:0:0::/64'],
  ])('%s is %s', (address, source) => {
    expect(sourceOf(address)).toBe(source)
  })
})
