import type { ByteRange } from '../seal/unseal.ts'

/**
 * What a Range header asks of a file of `size` bytes (RFC 9110, 14.1.2): one range, clamped to the file. Null: the whole
 * file, as for what is malformed, several at once, or another unit. `unsatisfiable`: nothing of the file lies in it.
 */
export function rangeOf(header: string | undefined, size: number): ByteRange | 'unsatisfiable' | null {
  const [, first, last] = /^bytes=(\d{0,15})-(\d{0,15})$/i.exec(header?.trim() ?? '') ?? []
  if (first === undefined || last === undefined || first + last === '') return null
  if (first === '') {
    const length = Math.min(Number(last), size)
    return length === 0 ? 'unsatisfiable' : { start: size - length, end: size - 1 }
  }
  const start = Number(first)
  const end = last === '' ? size - 1 : Number(last)
  if (end < start && last !== '') return null
  return start >= size ? 'unsatisfiable' : { start, end: Math.min(end, size - 1) }
}
