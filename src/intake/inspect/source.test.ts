import { describe, expect, it } from 'vitest'
import type { Refused } from '../../errors.ts'
import { bufferSource, indexOf, isPadding, mostAtOnce, part, pieces, piecesSource } from './source.ts'

const source = bufferSource(Buffer.from('0123456789'))
const codeOf = (act: () => unknown) => {
  try {
    act()
    return null
  } catch (error) {
    return (error as Refused).code
  }
}

describe('a file by position', () => {
  it('gives exactly the bytes that are asked for', () => {
    expect(source.bytes(3, 4).toString()).toBe('3456')
    expect(source.bytes(10, 0)).toHaveLength(0)
  })

  it.each([
    [8, 3],
    [11, 0],
    [-1, 2],
    [0, -1],
    [0.5, 1],
    [0, Number.NaN],
    [Number.MAX_SAFE_INTEGER, 1],
  ])('has no %d + %d bytes: corrupt', (at, length) => {
    expect(codeOf(() => source.bytes(at, length))).toBe('corrupt')
  })

  it('gives no more at once than may be held', () => {
    const vast = { ...source, size: 2 * mostAtOnce, bytes: bufferSource(Buffer.alloc(0)).bytes }
    expect(codeOf(() => bufferSource(Buffer.alloc(mostAtOnce + 1)).bytes(0, mostAtOnce + 1))).toBe('unscannable')
    expect(vast.size).toBeGreaterThan(mostAtOnce)
  })

  it('has parts that are files of their own', () => {
    const inner = part(source, 2, 5)
    expect([inner.size, inner.bytes(1, 4).toString()]).toEqual([5, '3456'])
    expect(codeOf(() => inner.bytes(1, 5))).toBe('corrupt')
    expect(codeOf(() => part(source, 8, 3))).toBe('corrupt')
    expect(codeOf(() => part(inner, 3, 3))).toBe('corrupt')
  })
})

it('a file in pieces is the same file', () => {
  const bytes = Buffer.from('0123456789')
  for (const length of [1, 3, 5, 10, 20]) {
    const parts = Array.from({ length: Math.ceil(10 / length) }, (_, i) => bytes.subarray(i * length, (i + 1) * length))
    const inPieces = piecesSource(parts, length)
    expect(inPieces.size).toBe(10)
    for (let at = 0; at <= 10; at++)
      for (let count = 0; at + count <= 10; count++)
        expect(inPieces.bytes(at, count).toString()).toBe(bytes.subarray(at, at + count).toString())
    expect(codeOf(() => inPieces.bytes(8, 3))).toBe('corrupt')
  }
  expect(piecesSource([], 4).bytes(0, 0)).toHaveLength(0)
})

describe('a needle', () => {
  const border = 64 * 1024
  const haystack = Buffer.alloc(3 * border)
  const found = (at: number, needle: string, from?: number, end?: number) => {
    const bytes = Buffer.from(haystack)
    bytes.write(needle, at, 'latin1')
    return indexOf(bufferSource(bytes), Buffer.from(needle), from, end)
  }

  it('is found wherever it lies, across borders too', () => {
    for (const at of [0, 5, border - 3, border - 1, border, 2 * border - 2, 3 * border - 5])
      expect(found(at, 'abcde')).toBe(at)
    expect(found(border - 1, 'a')).toBe(border - 1)
  })

  it('is not found where it is not, or beyond the end', () => {
    expect(indexOf(bufferSource(haystack), Buffer.from('abc'))).toBe(-1)
    expect(found(border, 'abc', 0, border + 2)).toBe(-1)
    expect(found(border, 'abc', border + 1)).toBe(-1)
  })
})

it('pieces are whole, in order, and fall on the borders of segments', () => {
  const bytes = Buffer.from(Array.from({ length: 200_000 }, (_, i) => i % 251))
  const all = [...pieces(bufferSource(bytes), 100, 150_000)]
  expect(Buffer.concat(all).equals(bytes.subarray(100, 150_000))).toBe(true)
  expect(all.map(({ length }) => length)).toEqual([65_436, 65_536, 18_928])
})

it.each([
  ['', true],
  ['\0\0 \r\n\t', true],
  ['\0\0x', false],
])('%j after the end is padding: %s', (rest, is) => {
  expect(isPadding(bufferSource(Buffer.from(`file${rest}`)), 4)).toBe(is)
})
