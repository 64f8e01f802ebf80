import { createCipheriv, randomBytes } from 'node:crypto'
import { assert, asyncProperty, constantFrom, integer, nat, tuple, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Damaged } from '../errors.ts'
import { headerBytes, sealedSegmentBytes, sealedSize, segmentBytes, segmentsOf, tagBytes } from './format.ts'
import { sealer } from './seal.ts'
import { type ByteRange, unseal } from './unseal.ts'

const attachmentId = 'att_0123456789abcdefghjkmnpqrs'

function seal(plaintext: Buffer, dataKey: Buffer, id = attachmentId): Buffer {
  const seal = sealer(dataKey, id)
  const parts = [seal.header]
  const segments = segmentsOf(plaintext.length)
  for (let number = 0; number < segments; number++) {
    const out = Buffer.alloc(sealedSegmentBytes)
    const piece = plaintext.subarray(number * segmentBytes, (number + 1) * segmentBytes)
    parts.push(out.subarray(0, seal.segment(piece, number === segments - 1, out)))
  }
  return Buffer.concat(parts)
}

interface Opening {
  sealed: Buffer
  dataKey: Buffer
  size: number
  id?: string
  range?: ByteRange
  /** How many bytes come at a time. */
  chunk?: number
}

/** What came before it failed, if it did. */
async function opened({ sealed, dataKey, size, id = attachmentId, range, chunk = 100_000 }: Opening) {
  const pieces: Buffer[] = []
  const open = async (wanted?: ByteRange) =>
    chunks(wanted ? sealed.subarray(wanted.start, wanted.end + 1) : sealed, chunk)
  try {
    for await (const piece of unseal({ dataKey, attachmentId: id, size, open }, range)) pieces.push(Buffer.from(piece))
    return { bytes: Buffer.concat(pieces), failure: null }
  } catch (failure) {
    return { bytes: Buffer.concat(pieces), failure }
  }
}

async function* chunks(bytes: Buffer, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size)
}

const edges = [0, 1, 2, segmentBytes - 1, segmentBytes, segmentBytes + 1, 2 * segmentBytes, 3 * segmentBytes + 17]

describe('a sealed file', () => {
  it.each(edges)('of %i bytes opens to what was sealed, in whatever chunks it is read', async (size) => {
    const plaintext = randomBytes(size)
    const dataKey = randomBytes(32)
    const sealed = seal(plaintext, dataKey)
    expect(sealed.length).toBe(sealedSize(size))
    for (const chunk of [1 << 30, 65_536, 65_551, 4099]) {
      const { bytes, failure } = await opened({ sealed, dataKey, size, chunk })
      expect(failure).toBeNull()
      expect(bytes.equals(plaintext)).toBe(true)
    }
  })

  it('opens to any range of what was sealed', async () => {
    const plaintext = randomBytes(3 * segmentBytes + 17)
    const dataKey = randomBytes(32)
    const sealed = seal(plaintext, dataKey)
    const position = constantFrom(0, 1, segmentBytes - 1, segmentBytes, 2 * segmentBytes, plaintext.length - 1)
    await assert(
      asyncProperty(tuple(position, nat(segmentBytes)), tuple(position, nat(segmentBytes)), async ([a, b], [c, d]) => {
        const last = plaintext.length - 1
        const [start, end] = [Math.min(a + b, last), Math.min(c + d, last)].sort((one, other) => one - other)
        const { bytes, failure } = await opened({
          sealed,
          dataKey,
          size: plaintext.length,
          range: { start: start!, end: end! },
        })
        expect(failure).toBeNull()
        expect(bytes.equals(plaintext.subarray(start, end! + 1))).toBe(true)
      }),
      { numRuns: 60 },
    )
  })

  it('tells nothing of its content in the clear', () => {
    const plaintext = Buffer.alloc(segmentBytes * 2, 'CUSTOMER ')
    expect(seal(plaintext, randomBytes(32)).includes('CUSTOMER')).toBe(false)
  })

  it('differs each time, even for the same bytes and key', () => {
    const dataKey = randomBytes(32)
    expect(seal(Buffer.from('x'), dataKey).equals(seal(Buffer.from('x'), dataKey))).toBe(false)
  })

  it('takes no segment after the last, none that is too long, and none that is short before the end', () => {
    const out = Buffer.alloc(sealedSegmentBytes)
    const ended = sealer(randomBytes(32), attachmentId)
    ended.segment(Buffer.from('end'), true, out)
    expect(() => ended.segment(Buffer.from('more'), true, out)).toThrow()
    expect(() => sealer(randomBytes(32), attachmentId).segment(Buffer.alloc(segmentBytes + 1), true, out)).toThrow()
    expect(() => sealer(randomBytes(32), attachmentId).segment(Buffer.alloc(10), false, out)).toThrow()
  })
})

describe('a sealed file that was changed', () => {
  const size = 2 * segmentBytes + 1000
  const plaintext = randomBytes(size)
  const dataKey = randomBytes(32)
  const sealed = seal(plaintext, dataKey)
  const segment = (number: number, of = sealed) =>
    of.subarray(headerBytes + number * sealedSegmentBytes, headerBytes + (number + 1) * sealedSegmentBytes)
  const header = sealed.subarray(0, headerBytes)

  /** It is refused, and only whole segments from before `segment` were given out, unchanged. */
  async function expectRefused(changed: Opening, firstBad: number): Promise<void> {
    const { bytes, failure } = await opened(changed)
    expect(failure).toBeInstanceOf(Damaged)
    expect(bytes.length).toBeLessThanOrEqual(firstBad * segmentBytes)
    expect(bytes.equals(plaintext.subarray(0, bytes.length))).toBe(true)
  }

  it('in any one bit is refused before a byte of the segment leaves', async () => {
    const headerByte = nat(headerBytes - 1)
    const tagByte = tuple(nat(2), nat(tagBytes - 1)).map(([number, at]) => {
      const end = Math.min(headerBytes + (number + 1) * sealedSegmentBytes, sealed.length)
      return end - tagBytes + at
    })
    const anyByte = nat(sealed.length - 1)
    for (const place of [headerByte, tagByte, anyByte])
      await assert(
        asyncProperty(place, nat(7), async (at, bit) => {
          const changed = Buffer.from(sealed)
          changed[at]! ^= 1 << bit
          const bad = at < headerBytes ? 0 : Math.floor((at - headerBytes) / sealedSegmentBytes)
          await expectRefused({ sealed: changed, dataKey, size }, bad)
        }),
        { numRuns: 60 },
      )
  })

  it('in its header is refused in a range read of its middle too', async () => {
    for (let at = 0; at < headerBytes; at++) {
      const changed = Buffer.from(sealed)
      changed[at]! ^= 0x80
      const range = { start: segmentBytes + 5, end: segmentBytes + 9 }
      expect((await opened({ sealed: changed, dataKey, size, range })).failure).toBeInstanceOf(Damaged)
    }
  })

  it('by a cut anywhere is refused', async () => {
    const borders = [
      0,
      1,
      headerBytes,
      headerBytes + sealedSegmentBytes,
      headerBytes + 2 * sealedSegmentBytes,
      sealed.length - 1,
    ]
    for (const length of borders)
      await expectRefused({ sealed: sealed.subarray(0, length), dataKey, size }, segmentsOf(size) - 1)
    await assert(
      asyncProperty(nat(sealed.length - 1), async (length) => {
        const whole = Math.max(0, Math.floor((length - headerBytes) / sealedSegmentBytes))
        await expectRefused({ sealed: sealed.subarray(0, length), dataKey, size }, whole)
      }),
      { numRuns: 40 },
    )
  })

  it('by a cut that the record follows is refused: the last segment says that it is the last', async () => {
    const cut = sealed.subarray(0, headerBytes + 2 * sealedSegmentBytes)
    await expectRefused({ sealed: cut, dataKey, size: 2 * segmentBytes }, 1)
  })

  it('by bytes at its end is refused', async () => {
    await assert(
      asyncProperty(uint8Array({ minLength: 1, maxLength: 200 }), async (added) => {
        await expectRefused({ sealed: Buffer.concat([sealed, added]), dataKey, size }, 3)
      }),
      { numRuns: 20 },
    )
  })

  it('by segments that are swapped, repeated or dropped is refused', async () => {
    const [first, second, third] = [segment(0), segment(1), segment(2)]
    const of = (...segments: Buffer[]) => Buffer.concat([header, ...segments])
    await expectRefused({ sealed: of(second, first, third), dataKey, size }, 0)
    await expectRefused({ sealed: of(first, first, third), dataKey, size }, 1)
    await expectRefused({ sealed: of(first, third), dataKey, size }, 1)
    await expectRefused({ sealed: of(first, third), dataKey, size: segmentBytes + 1000 }, 1)
    await expectRefused({ sealed: of(first, second, second), dataKey, size: 3 * segmentBytes }, 2)
    await expectRefused({ sealed: of(first, second, third, third), dataKey, size }, 3)
  })

  it('by a segment of another file is refused, even under the same key and id', async () => {
    const other = seal(plaintext, dataKey)
    await expectRefused(
      { sealed: Buffer.concat([header, segment(0), segment(1, other), segment(2)]), dataKey, size },
      1,
    )
    await expectRefused(
      { sealed: Buffer.concat([other.subarray(0, headerBytes), sealed.subarray(headerBytes)]), dataKey, size },
      0,
    )
  })

  it('does not open under another attachment id or another key', async () => {
    await expectRefused({ sealed, dataKey, size, id: 'att_zzzzzzzzzzzzzzzzzzzzzzzzzz' }, 0)
    await expectRefused({ sealed, dataKey: randomBytes(32), size }, 0)
    await expectRefused({ sealed: randomBytes(sealed.length), dataKey, size }, 0)
    // Nor does what never had our header or our context.
    const cipher = createCipheriv('aes-256-gcm', dataKey, randomBytes(12))
    const foreign = Buffer.concat([cipher.update(plaintext), cipher.final(), cipher.getAuthTag()])
    await expectRefused({ sealed: foreign, dataKey, size }, 0)
  })

  it('is refused when the record says another size', async () => {
    await assert(
      asyncProperty(integer({ min: 0, max: 4 * segmentBytes }), async (wrong) => {
        if (wrong === size) return
        // The segment in which the record's end lies is the first that does not prove.
        await expectRefused({ sealed, dataKey, size: wrong }, segmentsOf(Math.min(wrong, size)) - 1)
      }),
      { numRuns: 40 },
    )
  })
})
