import { Refused } from '../../../errors.ts'
import { inflate } from '../inflate.ts'
import type { Work } from '../limits.ts'
import { pieces, type Source } from '../source.ts'
import { asName, corrupt, type Dictionary, isDictionary, type Value } from './lexer.ts'

const flate = ['FlateDecode', 'Fl']
const mostFilters = 8

/** The names of a stream's filters, in the order in which they are undone. Throws `Refused` (bomb) for a pile of them. */
export function filtersOf(dictionary: Dictionary): string[] {
  const given = dictionary.get('Filter') ?? dictionary.get('F')
  const filters = (Array.isArray(given) ? given : [given]).map(asName).filter((name) => name !== undefined)
  if (filters.length > mostFilters) throw new Refused('bomb', `a stream is packed ${filters.length} times`)
  return filters
}

/** How many bytes a stream that is packed once has unpacked. It is not kept. */
export async function checkUnpacked(file: Source, at: number, end: number, what: string, work: Work): Promise<void> {
  const packed = pieces(file, at, end)
  const most = work.limits.unpackedEntry
  try {
    for await (const piece of inflate({ format: 'zlib', packed, most, what, work: own(work), leftOver: true }))
      work.step(Math.ceil(piece.length / 4096))
  } catch (error) {
    // Viewers show what they can of a page that is cut.
    if (!(error instanceof Refused && error.code === 'corrupt')) throw error
  }
}

/** Pages are unpacked when they are looked at, one by one: only their steps are counted, not their bytes together. */
function own(work: Work): Work {
  return { ...work, unpacked: () => {} }
}

/** A stream's bytes with all filters undone. Throws `Refused`: `unscannable` for a filter that we do not undo. */
export async function unpackedStream(
  file: Source,
  { at, end }: { at: number; end: number },
  dictionary: Dictionary,
  what: string,
  work: Work,
): Promise<Buffer> {
  if (end - at > work.limits.unpackedEntry) throw new Refused('unscannable', `${what} is too long to be read`)
  let bytes: Buffer = Buffer.concat([...pieces(file, at, end)])
  const given = dictionary.get('DecodeParms') ?? dictionary.get('DP')
  for (const [i, filter] of filtersOf(dictionary).entries()) {
    const parameters = Array.isArray(given) ? given[i] : given
    if (flate.includes(filter)) {
      const found: Buffer[] = []
      const most = work.limits.unpackedEntry
      for await (const piece of inflate({ format: 'zlib', packed: [bytes], most, what, work, leftOver: true }))
        found.push(piece)
      bytes = unpredicted(Buffer.concat(found), parameters)
    } else if (['ASCIIHexDecode', 'AHx'].includes(filter)) {
      const digits = bytes
        .toString('latin1')
        .split('>', 1)[0]!
        .replace(/[^0-9a-f]/gi, '')
      bytes = Buffer.from(digits.length % 2 ? `${digits}0` : digits, 'hex')
    } else if (['ASCII85Decode', 'A85'].includes(filter)) bytes = ascii85(bytes)
    else throw new Refused('unscannable', `${what} is packed by ${filter}`)
  }
  return bytes
}

/** Undoes the row filters of PNG, which cross-reference streams are packed with. */
function unpredicted(bytes: Buffer, parameters: Value | undefined): Buffer {
  if (!isDictionary(parameters)) return bytes
  const predictor = parameters.numberOf('Predictor') ?? 1
  if (predictor < 10) {
    if (predictor > 1) throw new Refused('unscannable', 'an index that is packed as a TIFF picture')
    return bytes
  }
  const samples = (parameters.numberOf('Colors') ?? 1) * (parameters.numberOf('BitsPerComponent') ?? 8)
  const pixel = Math.max(1, Math.ceil(samples / 8))
  const row = Math.ceil((samples * (parameters.numberOf('Columns') ?? 1)) / 8)
  if (!(row >= 1 && row <= 1_000_000) || pixel > row) throw corrupt('the rows of an index')
  const rows = Math.floor(bytes.length / (row + 1))
  const out = Buffer.alloc(rows * row)
  for (let y = 0; y < rows; y++) {
    const filter = bytes[y * (row + 1)]!
    for (let x = 0; x < row; x++) {
      const raw = bytes[y * (row + 1) + 1 + x]!
      const left = x >= pixel ? out[y * row + x - pixel]! : 0
      const up = y > 0 ? out[(y - 1) * row + x]! : 0
      const corner = x >= pixel && y > 0 ? out[(y - 1) * row + x - pixel]! : 0
      out[y * row + x] = raw + [0, left, up, (left + up) >> 1, paeth(left, up, corner)][filter]!
    }
  }
  return out
}

function paeth(left: number, up: number, corner: number): number {
  const estimate = left + up - corner
  const [a, b, c] = [Math.abs(estimate - left), Math.abs(estimate - up), Math.abs(estimate - corner)]
  return a <= b && a <= c ? left : b <= c ? up : corner
}

function ascii85(bytes: Buffer): Buffer {
  const out: number[] = []
  let group: number[] = []
  const flush = (full: boolean) => {
    const padded = [...group, 84, 84, 84, 84].slice(0, 5)
    const word = padded.reduce((sum, digit) => sum * 85 + digit, 0) % 2 ** 32
    const four = [word >>> 24, (word >>> 16) & 255, (word >>> 8) & 255, word & 255]
    out.push(...four.slice(0, full ? 4 : group.length - 1))
    group = []
  }
  for (const byte of bytes) {
    if (byte === 0x7e) break
    if (byte === 0x7a && group.length === 0) out.push(0, 0, 0, 0)
    else if (byte >= 0x21 && byte <= 0x75) {
      group.push(byte - 0x21)
      if (group.length === 5) flush(true)
    }
  }
  if (group.length > 1) flush(false)
  return Buffer.from(out)
}
