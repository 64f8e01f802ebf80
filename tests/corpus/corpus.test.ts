import { describe, expect, it } from 'vitest'
import { examine } from '../../src/intake/inspect/examine.ts'
import { defaultLimits, quickBytes } from '../../src/intake/inspect/limits.ts'
import { examineQuickly } from '../../src/intake/inspect/quick.ts'
import { readableTypes } from '../../src/intake/inspect/readers.ts'
import { bufferSource } from '../../src/intake/inspect/source.ts'
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

it('what is read as it comes is read as it is in the threads for that, and nothing nasty is good there either', async () => {
  const strictness = { limits: defaultLimits, trailingData: 'refuse' as const }
  let quick = 0
  for (const sample of corpus) {
    const [bytes, inspection] = [bytesOf(sample), { asked: sample.type, strictness }]
    if (bytes.length > quickBytes) continue
    const whole = await examine(bufferSource(bytes), sample.type, strictness).catch(() => null)
    const found = await examineQuickly(bufferSource(bytes), inspection)
    if (found) quick++
    if (found) expect([sample.file, found]).toEqual([sample.file, whole])
  }
  expect(quick).toBeGreaterThan(good.length / 2)
})

it('the corpus is large enough to say something, and small enough to keep', () => {
  expect(good.length).toBeGreaterThanOrEqual(150)
  expect(bad.length).toBeGreaterThanOrEqual(150)
  expect(corpus.reduce((sum, sample) => sum + bytesOf(sample).length, 0)).toBeLessThan(20 * 1024 * 1024)
})
