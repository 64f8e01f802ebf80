import { describe, expect, it } from 'vitest'
import { createSharedTime } from './time.ts'

/** A database whose time is `time`, and how often it was asked. */
function server(time: () => number) {
  let asked = 0
  const run = async () => {
    asked++
    return { rows: [{ time: time() }] } as never
  }
  return { run, asked: () => asked }
}

describe('the time of the database', () => {
  it('goes on by the steady clock of the process, whatever its own clock says', async () => {
    let steady = 5000
    const { clock, keep } = createSharedTime(() => steady)
    await keep(server(() => 1_000_000))
    expect(clock.now().getTime()).toBe(1_000_000)
    steady += 1234
    expect(clock.now().getTime()).toBe(1_001_234)
  })

  it('is asked for anew when it was asked a while ago, and not more often', async () => {
    let steady = 0
    let time = 1_000_000
    const { clock, keep } = createSharedTime(() => steady)
    const { run, asked } = server(() => time)
    for (let i = 0; i < 5; i++) await keep({ run })
    expect(asked()).toBe(1)
    steady = 10_000
    time = 1_010_500
    await keep({ run })
    expect([asked(), clock.now().getTime()]).toEqual([2, 1_010_500])
  })

  it('is of the middle between asking and the answer', async () => {
    let steady = 0
    const { clock, keep } = createSharedTime(() => steady)
    await keep({
      run: async () => {
        steady = 100
        return { rows: [{ time: 1_000_000 }] } as never
      },
    })
    expect(clock.now().getTime()).toBe(1_000_050)
  })

  it('is this machine’s until the database was asked', () => {
    const { clock } = createSharedTime()
    expect(Math.abs(clock.now().getTime() - Date.now())).toBeLessThan(60_000)
  })
})
