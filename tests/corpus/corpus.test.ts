import { describe, expect, it } from 'vitest'
import { readableTypes } from '../../src/intake/inspect/readers.ts'
import { judged } from './judged.ts'
import { bytesOf, corpus, type Kept } from './kept.ts'

const good = corpus.filter(({ code }) => code === null)
const bad = corpus.filter(({ code }) => code !== null)
/** Everything that we can read is allowed here, so that what stops a file is what is found in it. */
const allowed = [...readableTypes]

const judge = (sample: Kept) => judged({ ...sample, bytes: bytesOf(sample) }, allowed)

describe('nothing good is turned away', () => {
  it.each(good)('$file: $origin', async (sample) => {
    expect(await judge(sample)).toBeNull()
  })
})

describe('nothing nasty gets through', () => {
  it.each(bad)('$file: $origin', async (sample) => {
    expect(await judge(sample)).toMatchObject({ code: sample.code, detail: expect.any(String) })
  })
})

it('the corpus is large enough to say something, and small enough to keep', () => {
  expect(good.length).toBeGreaterThanOrEqual(150)
  expect(bad.length).toBeGreaterThanOrEqual(150)
  expect(corpus.reduce((sum, sample) => sum + bytesOf(sample).length, 0)).toBeLessThan(20 * 1024 * 1024)
})
