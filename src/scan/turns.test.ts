import { expect, it } from 'vitest'
import { manualClock } from '../../tests/genesys/clock.ts'
import { createTurns } from './turns.ts'

it('what can wait takes a turn only while nobody waits and half are free', async () => {
  const turns = createTurns(4, 1000, manualClock())
  const order: string[] = []
  const take = async (name: string, background = false) => {
    const leave = await turns.take({ background })
    order.push(name)
    return leave!
  }
  const a = await take('a')
  const b = await take('b')
  const c = await take('c')
  const later = take('later', true)
  a()
  const leaveLater = await later
  const d = await take('d')
  const waiting = [take('e'), take('f')]
  const latest = take('latest', true)
  b()
  c()
  const [e, f] = await Promise.all(waiting)
  expect(order).toEqual(['a', 'b', 'c', 'later', 'd', 'e', 'f'])
  leaveLater()
  d()
  await latest
  e?.()
  f?.()
  expect(order.at(-1)).toBe('latest')
})

it('waits no longer than it may', async () => {
  const clock = manualClock()
  const turns = createTurns(1, 1000, clock)
  const leave = await turns.take()
  const waiting = [turns.take(), turns.take({ background: true })]
  clock.jump(1000)
  expect(await Promise.all(waiting)).toEqual([null, null])
  leave?.()
  expect(await turns.take()).not.toBeNull()
})
