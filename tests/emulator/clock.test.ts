import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { createClock } from '../../emulator/clock.ts'
import { read, start } from './start.ts'

const epoch = new Date(0)

describe('the emulator’s time', () => {
  it('runs what falls due on the way, in order, each at its own time', () => {
    const clock = createClock(() => epoch)
    const ran: string[] = []
    const note = (name: string) => () => void ran.push(`${name} at ${clock.now().getTime() / 1000}`)
    clock.after(50, note('last'))
    clock.every(20, note('again'))
    clock.after(10, () => clock.after(5, note('inner')))
    clock.advance(49)
    expect(ran).toEqual(['inner at 15', 'again at 20', 'again at 40'])
    clock.advance(1)
    expect(ran.at(-1)).toBe('last at 50')
    expect(clock.now()).toEqual(new Date(50_000))
  })

  it('does not run what was taken back', () => {
    const clock = createClock(() => epoch)
    const ran: string[] = []
    const takeBack = clock.after(10, () => ran.push('after'))
    const end = clock.every(10, () => ran.push('every'))
    clock.advance(10)
    takeBack()
    end()
    clock.advance(100)
    expect(ran).toEqual(['after', 'every'])
  })

  it('catches up with a clock that its owner moved', () => {
    let base = epoch
    const clock = createClock(() => base)
    const ran: number[] = []
    clock.after(10, () => ran.push(clock.now().getTime()))
    base = new Date(12_000)
    clock.advance(0)
    expect(ran).toEqual([12_000])
  })
})

describe('the emulator’s time without a hand on it', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  it('runs with the host’s', () => {
    const clock = createClock(() => new Date())
    const ran: string[] = []
    clock.every(30, () => ran.push('beat'))
    vi.advanceTimersByTime(90_000)
    expect(ran.length).toBe(3)
    clock.stop()
    vi.advanceTimersByTime(90_000)
    expect(ran.length).toBe(3)
  })
})

describe('the route of time', () => {
  it('says it and moves it', async () => {
    const { own } = await start()
    expect(await read(own('GET', '/time'))).toEqual({ now: '2026-10-02T09:10:00.000Z' })
    expect(await read(own('POST', '/time', { advanceSeconds: 90.5 }))).toEqual({ now: '2026-10-02T09:11:30.500Z' })
    expect(await read(own('GET', '/time'))).toEqual({ now: '2026-10-02T09:11:30.500Z' })
  })

  it.each([{}, { advanceSeconds: -1 }, { advanceSeconds: '1' }, { advanceSeconds: 1e12 }, { seconds: 1 }, [1]])(
    'refuses %j',
    async (body) => {
      const { own } = await start()
      expect((await own('POST', '/time', body)).status).toBe(400)
    },
  )
})
