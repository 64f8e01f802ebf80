import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { mutated, numbers } from '../../../../tests/fixtures/mutations.ts'
import { tar, zip } from '../../../../tests/fixtures/rawZips.ts'
import { Refused } from '../../../errors.ts'
import { beginWork, defaultLimits, type Work } from '../limits.ts'
import { readerOf } from '../readers.ts'
import { bufferSource } from '../source.ts'

describe('archives of every kind', () => {
  it('changed anywhere are taken or refused, within their budget', async () => {
    const random = numbers(6)
    const limits = { ...defaultLimits, unpackedEntry: 100_000, unpacked: 200_000 }
    const text = { name: 'letter.txt', bytes: 'a letter '.repeat(50) }
    const seeds: [string, Buffer][] = [
      ['application/zip', zip([text, { ...text, name: 'b.txt', descriptor: true }])],
      [
        'application/zip',
        zip([
          { name: 'inner.zip', bytes: zip([text]) },
          { name: 'c.gz', bytes: gzipSync('c') },
        ]),
      ],
      ['application/zip', zip([text], { long: true, comment: 'a comment' })],
      ['application/gzip', gzipSync(tar([{ name: 'a.txt', bytes: 'x'.repeat(700) }]))],
      [
        'application/x-tar',
        tar([
          { name: 'a.txt', bytes: 'x'.repeat(700) },
          { name: 'b/', kind: '5' },
        ]),
      ],
    ]
    const fragments = ['PK\x03\x04', 'PK\x01\x02', 'PK\x05\x06', '\xff\xff\xff\xff', '\0\0\0\0', '../']
    let refused = 0
    for (let round = 0; round < 3000; round++) {
      const [type, seed] = seeds[round % seeds.length]!
      const bytes = Buffer.from(mutated(seed.toString('latin1'), fragments, random), 'latin1')
      const { work, unpacked } = counted(limits)
      try {
        await readerOf(type)!.read(bufferSource(bytes), type, work)
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        refused++
      }
      // What was counted last is the piece that was too much.
      expect(unpacked()).toBeLessThanOrEqual(limits.unpacked + 64 * 1024)
    }
    expect(refused).toBeGreaterThan(2000)
  }, 60_000)
})

function counted(limits = defaultLimits): { work: Work; unpacked: () => number } {
  let sum = 0
  const counting = (work: Work): Work => ({
    ...work,
    unpacked(bytes) {
      sum += bytes
      work.unpacked(bytes)
    },
  })
  const work = beginWork(limits, async (file, type, inner) => readerOf(type)?.read(file, type, counting(inner)))
  return { work: counting(work), unpacked: () => sum }
}
