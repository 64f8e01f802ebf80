import { Refused } from '../../../errors.ts'
import { megabytes } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { isPadding, part, pieces, type Source } from '../source.ts'
import { checkEntryName, decodeName, namesSeen } from './entryNames.ts'
import { checkInnerName, checkInside } from './inside.ts'

const block = 512

/** What stands before an entry and speaks of it (GNU and pax). */
interface Told {
  name?: string
  size?: number
}

/** tar (POSIX ustar and pax, GNU): files and folders only, each judged as a file of its own. */
export const tarReader: Reader = {
  types: ['application/x-tar'],
  async read(file, _asked, work): Promise<Found> {
    let told: Told = {}
    const seen = namesSeen()
    for (let at = 0; ; ) {
      work.step()
      const header = file.bytes(at, block)
      if (at > 0 && header.every((byte) => byte === 0) && isPadding(file, at))
        return { type: 'application/x-tar', end: endOf(file, at) }
      work.entry()
      const kind = kindOf(header)
      const size = told.size !== undefined && !'xgLK'.includes(kind) ? told.size : sizeOf(header)
      const dataAt = at + block
      if (size > work.limits.unpackedEntry)
        throw new Refused('bomb', `1 entry has ${megabytes(size)}, limit ${megabytes(work.limits.unpackedEntry)}`)
      const data = part(file, dataAt, size)
      const next = dataAt + Math.ceil(size / block) * block
      if (!isPadding(part(file, dataAt + size, next - dataAt - size), 0))
        throw new Refused('polyglot', `bytes lie between its entries at ${dataAt + size}`)
      at = next
      if ('xgLK'.includes(kind)) {
        told = { ...told, ...toldBy(kind, data) }
        continue
      }
      const name = told.name ?? nameOf(header)
      told = {}
      if ('12'.includes(kind)) throw new Refused('active_content', `the entry ${JSON.stringify(name)} is a link`)
      if (!'0\x0057'.includes(kind))
        throw new Refused('active_content', `the entry ${JSON.stringify(name)} is a device or another special file`)
      // The folder that was packed, as `tar c .` writes it.
      if (kind === '5' && /^\.\/?$/.test(name)) continue
      checkEntryName(kind === '5' && !name.endsWith('/') ? `${name}/` : name)
      if (kind !== '5') checkInnerName(name)
      seen(name)
      work.unpacked(size)
      if (kind === '5' && size > 0) throw new Refused('corrupt', `the folder ${JSON.stringify(name)} has bytes`)
      await checkInside(name, pieceByPiece(data), work)
    }
  },
}

async function* pieceByPiece(data: Source): AsyncGenerator<Buffer> {
  yield* pieces(data)
}

/** Zeros fill an archive to a whole record. */
function endOf(file: Source, at: number): number {
  if (file.size - at < 2 * block) throw new Refused('corrupt', 'its end is cut')
  return file.size
}

function kindOf(header: Buffer): string {
  const said = octal(header.subarray(148, 156))
  let sum = 8 * 0x20
  for (let at = 0; at < block; at++) if (at < 148 || at >= 156) sum += header[at]!
  if (said !== sum) throw new Refused('corrupt', 'the check sum of a header is another than it says')
  return String.fromCharCode(header[156]!)
}

function sizeOf(header: Buffer): number {
  const field = header.subarray(124, 136)
  // GNU: a large number in binary.
  if (field[0]! & 0x80) return Number(field.readBigUInt64BE(4))
  return octal(field)
}

function octal(field: Buffer): number {
  const text = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (!/^[0-7]*$/.test(text)) throw new Refused('corrupt', 'a header has a number that is none')
  return Number.parseInt(text || '0', 8)
}

function nameOf(header: Buffer): string {
  const text = (from: number, to: number) => {
    const field = header.subarray(from, to)
    const end = field.indexOf(0)
    return decodeName(end < 0 ? field : field.subarray(0, end), false)
  }
  const prefix = header.toString('latin1', 257, 263) === 'ustar\0' ? text(345, 500) : ''
  return prefix === '' ? text(0, 100) : `${prefix}/${text(0, 100)}`
}

function toldBy(kind: string, field: Source): Told {
  if (field.size > 64 * 1024) throw new Refused('unscannable', 'what it tells of an entry is too long')
  const data = field.bytes(0, field.size)
  // Names of links too: only links have them, and those are refused.
  if (kind === 'L' || kind === 'K') return kind === 'L' ? { name: decodeName(data.subarray(0, cut(data)), false) } : {}
  const told: Told = {}
  for (let at = 0; at < data.length; ) {
    const blank = data.indexOf(0x20, at)
    const length = blank < 0 ? Number.NaN : Number(data.toString('latin1', at, blank))
    if (!Number.isInteger(length) || length < 5 || at + length > data.length)
      throw new Refused('corrupt', 'what it tells of an entry cannot be read')
    const record = data.subarray(blank + 1, at + length - 1)
    const equals = record.indexOf(0x3d)
    const key = record.toString('latin1', 0, Math.max(0, equals))
    const value = record.subarray(equals + 1)
    if (key === 'path') told.name = decodeName(value, true)
    if (key === 'size') told.size = Number(value.toString('latin1'))
    if (key.startsWith('GNU.sparse')) throw new Refused('unscannable', 'it holds a sparse file')
    at += length
  }
  if (told.size !== undefined && (!Number.isSafeInteger(told.size) || told.size < 0))
    throw new Refused('corrupt', 'it tells of an entry with a size that is none')
  return told
}

function cut(data: Buffer): number {
  const end = data.indexOf(0)
  return end < 0 ? data.length : end
}
