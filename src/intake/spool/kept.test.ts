import { expect, it } from 'vitest'
import { quickBytes } from '../inspect/limits.ts'
import { createKept } from './kept.ts'

const piece = (bytes: number) => new Uint8Array(new ArrayBuffer(bytes))

it('what is kept stays as it is, and another buffer of its size comes in its place', () => {
  const kept = createKept()
  const one = piece(100).fill(1)
  expect(kept.take(one.length)).toBe(true)
  const other = kept.swap(one)
  expect(other).not.toBe(one.buffer)
  expect(other.byteLength).toBe(100)
  new Uint8Array(other).fill(2)
  expect(one.every((byte) => byte === 1)).toBe(true)
})

it('a buffer that was given back comes in the place of the next', () => {
  const kept = createKept()
  const [one, two] = [piece(100), piece(100)]
  for (const each of [one, two]) kept.take(each.length)
  kept.swap(one)
  kept.giveBack(one)
  expect(kept.swap(two)).toBe(one.buffer)
})

it('no more is taken than two files of the largest size and a few small ones, until something is given back', () => {
  const kept = createKept()
  const [one, two] = [piece(quickBytes), piece(quickBytes)]
  expect([one, two].map(({ length }) => kept.take(length))).toEqual([true, true])
  expect(kept.take(quickBytes)).toBe(false)
  expect(kept.take(1024 * 1024)).toBe(true)
  // The last piece of a file was never swapped: its buffer is not ours to use again.
  kept.giveBack(one)
  expect(kept.take(quickBytes)).toBe(true)
  expect(kept.swap(two)).not.toBe(one.buffer)
})
