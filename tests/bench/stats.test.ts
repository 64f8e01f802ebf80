import { expect, it } from 'vitest'
import { percentile, ratioOf, spreadOf } from '../../bench/stats.ts'

it('a spread is the middle, or between the middle two, and how far the rest lies', () => {
  expect(spreadOf([10, 2, 9])).toEqual({ median: 9, min: 2, max: 10 })
  expect(spreadOf([4, 1, 2, 100])).toEqual({ median: 3, min: 1, max: 100 })
})

it('a percentile is one of the values, by nearest rank', () => {
  const hundred = Array.from({ length: 100 }, (_, index) => index + 1)
  expect([percentile(hundred, 50), percentile(hundred, 99), percentile([7], 99)]).toEqual([50, 99, 7])
})

it('a ratio is taken round by round, which the ratio of two medians is not', () => {
  // 1, 0.1 and 10; the medians are 2 and 3.
  expect(ratioOf([1, 2, 30], [1, 20, 3]).median).toBe(1)
  expect(ratioOf([60, 10, 40, 20, 30], [10, 10, 10, 10, 10])).toEqual({ median: 3, min: 2, max: 4 })
})
