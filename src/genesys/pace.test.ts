import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../tests/genesys/clock.ts'
import { GenesysUnavailable } from './errors.ts'
import { createPace } from './pace.ts'

const never = Number.POSITIVE_INFINITY

/** A pace, and when its turns came, in milliseconds since the start. */
function start(requestsPerMinute: number) {
  const clock = manualClock()
  const began = clock.now().getTime()
  const pace = createPace(requestsPerMinute, clock)
  const turns: number[] = []
  const turn = async (deadline = never) => {
    await pace.turn(deadline)
    turns.push(clock.now().getTime() - began)
  }
  return { clock, began, pace, turn, turns }
}

describe('a pace of three a minute', () => {
  it('lets three begin at once, and the fourth a minute after the first', async () => {
    const { clock, turn, turns } = start(3)
    const all = [turn(), turn(), turn(), turn()]
    await clock.pass(59_999)
    expect(turns).toEqual([0, 0, 0])
    await clock.pass(1)
    await Promise.all(all)
    expect(turns).toEqual([0, 0, 0, 60_000])
  })

  it('counts any sixty seconds, not minutes of the clock', async () => {
    const { clock, turn, turns } = start(3)
    await turn()
    await clock.pass(50_000)
    await Promise.all([turn(), turn()])
    const fourth = turn()
    const fifth = turn()
    await clock.pass(60_000)
    await Promise.all([fourth, fifth])
    expect(turns).toEqual([0, 50_000, 50_000, 60_000, 110_000])
  })

  it('refuses at once what would begin after its deadline, and says when to come again', async () => {
    const { began, clock, turn } = start(3)
    await Promise.all([turn(), turn(), turn()])
    await clock.pass(10_500)
    await expect(turn(began + 59_999)).rejects.toMatchObject({
      constructor: GenesysUnavailable,
      retryAfterSeconds: 50,
    })
  })

  it('does not count what it refused', async () => {
    const { began, clock, turn, turns } = start(3)
    await Promise.all([turn(), turn(), turn()])
    await turn(began).catch(() => {})
    await clock.pass(60_000)
    await Promise.all([turn(), turn(), turn()])
    expect(turns).toEqual([0, 0, 0, 60_000, 60_000, 60_000])
  })

  it('gives no turn while it is held, and then goes on', async () => {
    const { clock, pace, turn, turns } = start(3)
    await turn()
    pace.hold(5000)
    pace.hold(2000)
    const held = turn()
    await clock.pass(5000)
    await held
    expect(turns).toEqual([0, 5000])
  })

  it('does not wait for hours when the clock was set back', async () => {
    let time = Date.parse('2026-10-02T09:00:00Z')
    const pace = createPace(1, { now: () => new Date(time), wait: async () => {} })
    await pace.turn(never)
    time -= 3_600_000
    await pace.turn(time)
  })
})

it('in no sixty seconds do more begin than the pace allows, whenever they come', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 5 }),
      fc.array(fc.integer({ min: 0, max: 40_000 }), { minLength: 1, maxLength: 25 }),
      async (requestsPerMinute, gaps) => {
        const { clock, turn, turns } = start(requestsPerMinute)
        const all: Promise<void>[] = []
        for (const gap of gaps) {
          await clock.pass(gap)
          all.push(turn())
        }
        await clock.pass(60_000 * gaps.length)
        await Promise.all(all)
        for (let i = requestsPerMinute; i < turns.length; i++)
          expect(turns[i]! - turns[i - requestsPerMinute]!).toBeGreaterThanOrEqual(60_000)
      },
    ),
    { numRuns: 30 },
  )
})
