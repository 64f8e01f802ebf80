import { expect, it } from 'vitest'
import { readableTypes } from '../../src/intake/inspect/readers.ts'
import { mutated, numbers } from '../fixtures/mutations.ts'
import { judged } from './judged.ts'
import { bytesOf, corpus } from './kept.ts'

/** What numbers and marks of most formats look like when somebody plays with them. */
const fragments = [
  '\0\0\0\0',
  '\xff\xff\xff\xff',
  '\x7f\xff\xff\xff',
  '\x80',
  '\0',
  'PK\x03\x04',
  '<<',
  ' obj',
  '>',
  '%PDF-',
  '\xff\xd9',
]
/** Of larger files the same readers take more time, and nothing else. */
const largest = 64 * 1024
const runs = Number(process.env.MUTATIONS ?? 5000)

it('genuine files that were changed anywhere are taken or refused by a reader, and nothing else ever happens', {
  timeout: 60_000 + runs * 100,
}, async () => {
  const seeds = corpus
    .filter(({ code }) => code === null)
    .map((sample) => ({ ...sample, bytes: bytesOf(sample) }))
    .filter(({ bytes }) => bytes.length > 0 && bytes.length <= largest)
  const random = numbers(2026)
  const codes = new Map<string, number>()
  for (let run = 0; run < runs; run++) {
    const { name, type, bytes } = seeds[run % seeds.length]!
    const changed = Buffer.from(mutated(bytes.toString('latin1'), fragments, random), 'latin1')
    const refusal = await judged({ name, type, bytes: changed }, [...readableTypes])
    codes.set(refusal?.code ?? 'taken', (codes.get(refusal?.code ?? 'taken') ?? 0) + 1)
    // What a reader did not foresee is no judgement.
    expect(refusal?.detail ?? '').not.toContain('a reader failed')
  }
  console.log(`${runs} files: ${[...codes].map(([code, count]) => `${count} ${code}`).join(', ')}`)
  expect([...codes.keys()]).toEqual(expect.arrayContaining(['taken', 'corrupt', 'type_mismatch', 'polyglot']))
})
