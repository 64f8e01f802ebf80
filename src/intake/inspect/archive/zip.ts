import { crc32 } from 'node:zlib'
import { Refused } from '../../../errors.ts'
import { inflate } from '../inflate.ts'
import { megabytes, type Work } from '../limits.ts'
import { pageIn } from '../polyglot.ts'
import { pieces, type Source } from '../source.ts'
import { checkEntryName, decodeName, namesSeen } from './entryNames.ts'
import { checkInnerName } from './inside.ts'

/** An entry of a ZIP (PKWARE's APPNOTE 6.3), after its two descriptions were found to agree. */
export interface ZipEntry {
  name: string
  /** Bytes, as announced; what really comes out is compared when it is read. */
  size: number
  packedSize: number
  directory: boolean
}

export interface Zip {
  entries: ZipEntry[]
  /** Behind its last record. */
  end: number
  /**
   * Unpacks an entry piece by piece, counted. Throws `Refused`: `bomb` as soon as more comes than may, `corrupt` when it is not
   * what was announced.
   */
  open(entry: ZipEntry): AsyncGenerator<Buffer>
}

interface Placed extends ZipEntry {
  method: number
  crc: number
  /** Where its local header begins, its data, and what belongs to it ends. */
  at: number
  data: number
  end: number
}

const signatures = { local: 0x04034b50, central: 0x02014b50, end: 0x06054b50, end64: 0x06064b50, locator64: 0x07064b50 }
const stored = 0
const deflated = 8
const encrypted = 0x0001 | 0x0040 | 0x2000
const descriptor = 0x0008
/** Of an entry that unpacks to less, the ratio says nothing. */
const ratioFrom = 1024 * 1024

/**
 * Reads the index of a ZIP and judges it before anything is unpacked: each entry is described twice, and both must agree; entries
 * may not overlap, and nothing may lie between them. Throws `Refused`.
 */
export function readZip(file: Source, work: Work): Zip {
  const end = endRecord(file)
  if (end.count > work.limits.entries)
    throw new Refused('bomb', `it has ${end.count} entries, limit ${work.limits.entries}`)
  if (pageIn(file, end.comment, end.end - end.comment) !== null)
    throw new Refused('polyglot', 'its comment holds a page or program')
  const placed: Placed[] = []
  let at = end.directory
  for (let i = 0; i < end.count; i++) {
    work.entry()
    const { entry, next } = centralEntry(file, at)
    placed.push(local(file, entry))
    at = next
  }
  if (at !== end.directory + end.directorySize) throw corrupt('its index has another length than it says')
  checkPlaces(placed, end.directory)
  checkSizes(placed, work)
  return {
    entries: placed,
    end: end.end,
    open: (entry) => unpack(file, entry as Placed, work),
  }
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

interface EndRecord {
  directory: number
  directorySize: number
  count: number
  /** Where its comment begins. */
  comment: number
  end: number
}

/**
 * The record at the end, which a comment may follow: the last one that fits, as readers look for it from behind. An archive that is
 * stored in another has one too, in its data. One whose comment reaches to the end of the file could be taken for the last as well.
 */
function endRecord(file: Source): EndRecord {
  const from = Math.max(0, file.size - 65_535 - 22)
  const tail = file.bytes(from, file.size - from)
  let found: EndRecord | null = null
  let shifted = 0
  for (let at = tail.length - 22; at >= 0; at--) {
    if (tail[at] !== 0x50 || tail.readUInt32LE(at) !== signatures.end) continue
    const record = endAt(file, from + at, tail.subarray(at, at + 22))
    if (record === null) continue
    if (record.shift !== 0) {
      if (!found) shifted ||= record.shift
    } else if (!found) found = record
    else if (record.end === file.size) throw new Refused('polyglot', 'it has two indices')
  }
  if (shifted > 0)
    throw new Refused('polyglot', found ? 'it has two indices' : `${shifted} bytes come before its beginning`)
  if (found) return found
  throw corrupt('it has no index, or is cut')
}

/** Null: what stands there is no record of an end. `shift`: how much further behind its index lies than it says. */
function endAt(file: Source, at: number, record: Buffer): (EndRecord & { shift: number }) | null {
  const end = at + 22 + record.readUInt16LE(20)
  if (end > file.size) return null
  const plain = {
    count: record.readUInt16LE(10),
    directorySize: record.readUInt32LE(12),
    directory: record.readUInt32LE(16),
  }
  const wide = at >= 20 && signatureAt(file, at - 20) === signatures.locator64 ? end64(file, at - 20) : null
  const { directory, directorySize, count, from } = wide ?? { ...plain, from: at }
  const shift = from - directorySize - directory
  if (shift < 0 || (count > 0 && signatureAt(file, directory + shift) !== signatures.central)) return null
  if (record.readUInt16LE(4) !== 0 && record.readUInt16LE(4) !== 0xffff)
    throw new Refused('unscannable', 'it is one of several parts')
  // What the short record says must be what the long one says, where it says anything.
  const differs =
    wide &&
    ((plain.count !== 0xffff && plain.count !== count) ||
      (plain.directory !== 0xffffffff && plain.directory !== directory) ||
      (plain.directorySize !== 0xffffffff && plain.directorySize !== directorySize))
  if (differs) throw corrupt('its two ends do not agree')
  return { directory, directorySize, count, comment: at + 22, end, shift }
}

function signatureAt(file: Source, at: number): number {
  return at >= 0 && at + 4 <= file.size ? file.bytes(at, 4).readUInt32LE(0) : 0
}

function end64(file: Source, locator: number) {
  const from = big(file.bytes(locator, 20), 8)
  const record = file.bytes(from, 56)
  if (record.readUInt32LE(0) !== signatures.end64) throw corrupt('its long end is not where it says')
  if (from + 12 + big(record, 4) !== locator) throw corrupt('its long end has another length')
  return { count: big(record, 32), directorySize: big(record, 40), directory: big(record, 48), from }
}

function big(bytes: Buffer, at: number): number {
  const value = bytes.readBigUInt64LE(at)
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw corrupt('a number that no file has room for')
  return Number(value)
}

interface Described {
  name: Buffer
  flags: number
  method: number
  crc: number
  size: number
  packedSize: number
  at: number
  /** Unix mode, where it says one. */
  mode: number
}

function centralEntry(file: Source, at: number): { entry: Described; next: number } {
  const head = file.bytes(at, 46)
  if (head.readUInt32LE(0) !== signatures.central) throw corrupt(`its index is broken at ${at}`)
  const [nameLength, extraLength, commentLength] = [28, 30, 32].map((offset) => head.readUInt16LE(offset)) as [
    number,
    number,
    number,
  ]
  const name = file.bytes(at + 46, nameLength)
  const extra = file.bytes(at + 46 + nameLength, extraLength)
  const entry: Described = {
    name,
    flags: head.readUInt16LE(8),
    method: head.readUInt16LE(10),
    crc: head.readUInt32LE(16),
    packedSize: head.readUInt32LE(20),
    size: head.readUInt32LE(24),
    at: head.readUInt32LE(42),
    // Written on Unix or macOS: the upper half is the mode.
    mode: [3, 19].includes(head[5]!) ? head.readUInt32LE(38) >>> 16 : 0,
  }
  widen(entry, extra, true)
  return { entry, next: at + 46 + nameLength + extraLength + commentLength }
}

/** Numbers that did not fit stand in the extra field 1, in this order, each only if it is 0xffffffff at its place. */
function widen(entry: { size: number; packedSize: number; at?: number }, extra: Buffer, central: boolean): void {
  for (let at = 0; at + 4 <= extra.length; ) {
    const [id, length] = [extra.readUInt16LE(at), extra.readUInt16LE(at + 2)]
    if (at + 4 + length > extra.length) return
    // A name in Unicode beside the other: some programs unpack to the one, some to the other.
    if (id === 0x7075 && length > 5) checkUnicodeName(decodeName(extra.subarray(at + 9, at + 4 + length), true))
    if (id === 0x0017 || id === 0x9901) throw new Refused('encrypted', 'an entry is encrypted')
    if (id === 1) {
      const field = extra.subarray(at + 4, at + 4 + length)
      let next = 0
      const take = () => {
        if (next + 8 > field.length) throw corrupt('a long number is missing')
        next += 8
        return big(field, next - 8)
      }
      if (entry.size === 0xffffffff) entry.size = take()
      if (entry.packedSize === 0xffffffff) entry.packedSize = take()
      if (central && entry.at === 0xffffffff) entry.at = take()
    }
    at += 4 + length
  }
}

function checkUnicodeName(name: string): void {
  checkEntryName(name)
  checkInnerName(name)
}

/** The entry's own header, before its data: it must say the same. */
function local(file: Source, entry: Described): Placed {
  const text = decodeName(entry.name, (entry.flags & 0x0800) !== 0)
  const shown = JSON.stringify(text.slice(0, 60))
  if (entry.flags & encrypted || entry.method === 99) throw new Refused('encrypted', `the entry ${shown} is encrypted`)
  checkName(text, entry.mode)
  const head = file.bytes(entry.at, 30)
  if (head.readUInt32LE(0) !== signatures.local) throw corrupt(`the entry ${shown} is not where the index says`)
  const [nameLength, extraLength] = [head.readUInt16LE(26), head.readUInt16LE(28)]
  const data = entry.at + 30 + nameLength + extraLength
  const own = { flags: head.readUInt16LE(6), method: head.readUInt16LE(8), crc: head.readUInt32LE(14) }
  const sizes = { packedSize: head.readUInt32LE(18), size: head.readUInt32LE(22) }
  widen(sizes, file.bytes(entry.at + 30 + nameLength, extraLength), false)
  const late = (own.flags & descriptor) !== 0
  const differs =
    !file.bytes(entry.at + 30, nameLength).equals(entry.name) ||
    own.method !== entry.method ||
    (own.flags & ~0x0800) !== (entry.flags & ~0x0800) ||
    // With a descriptor the numbers come after the data; what stands before it may be nothing, or right.
    (!(late && sizes.size === 0 && sizes.packedSize === 0) &&
      (sizes.size !== entry.size || sizes.packedSize !== entry.packedSize || own.crc !== entry.crc))
  if (differs) throw corrupt(`the entry ${shown} is described in two ways`)
  if (own.method !== stored && own.method !== deflated)
    throw new Refused('unscannable', `the entry ${shown} is packed by method ${own.method}`)
  if (own.method === stored && entry.size !== entry.packedSize) throw corrupt(`the entry ${shown} has two sizes`)
  file.bytes(data + entry.packedSize, 0)
  const end = data + entry.packedSize + (late ? descriptorLength(file, data, entry) : 0)
  return {
    name: text,
    size: entry.size,
    packedSize: entry.packedSize,
    directory: text.endsWith('/'),
    method: entry.method,
    crc: entry.crc,
    at: entry.at,
    data,
    end,
  }
}

/** After the data come its sum and its sizes once more: with or without a signature, in four or eight bytes. */
function descriptorLength(file: Source, data: number, { crc, size, packedSize }: Described): number {
  const at = data + packedSize
  const bytes = file.bytes(at, Math.min(24, file.size - at))
  for (const signed of [4, 0])
    for (const wide of [4, 8]) {
      if (bytes.length < signed + 4 + 2 * wide) continue
      if (signed && bytes.readUInt32LE(0) !== 0x08074b50) continue
      const number = (offset: number) =>
        wide === 8 ? Number(bytes.readBigUInt64LE(signed + offset)) : bytes.readUInt32LE(signed + offset)
      if (bytes.readUInt32LE(signed) === crc && number(4) === packedSize && number(4 + wide) === size)
        return signed + 4 + 2 * wide
    }
  throw corrupt('what stands behind an entry says something else')
}

const kinds = { mask: 0o170000, link: 0o120000, directory: 0o040000, file: 0o100000 }

/** Only files and folders, each where it says. Throws `Refused`. */
function checkName(name: string, mode: number): void {
  const shown = JSON.stringify(name.slice(0, 60))
  const kind = mode & kinds.mask
  if (kind === kinds.link) throw new Refused('active_content', `the entry ${shown} is a link`)
  if (kind !== 0 && kind !== kinds.directory && kind !== kinds.file)
    throw new Refused('active_content', `the entry ${shown} is a device`)
  checkEntryName(name)
}

/** Entries lie one behind the other from the beginning to the index, and none is named twice. */
function checkPlaces(entries: Placed[], directory: number): void {
  const seen = namesSeen()
  for (const { name } of entries) seen(name)
  let at = 0
  for (const entry of [...entries].sort((a, b) => a.at - b.at)) {
    const { name, at: begin } = entry
    const shown = JSON.stringify(name.slice(0, 60))
    if (begin < at) throw new Refused('bomb', `the entry ${shown} lies over another`)
    if (begin > at) throw new Refused('polyglot', `${begin - at} bytes lie before the entry ${shown}`)
    at = entry.end
  }
  if (at > directory) throw new Refused('bomb', 'an entry lies over the index')
  if (at < directory) throw new Refused('polyglot', `${directory - at} bytes lie before the index`)
}

function checkSizes(entries: Placed[], { limits }: Work): void {
  const large = entries.filter(({ size }) => size > limits.unpackedEntry)
  if (large.length > 0) {
    const most = Math.max(...large.map(({ size }) => size))
    const who = large.length === 1 ? '1 entry expands' : `${large.length} entries expand`
    throw new Refused('bomb', `${who} to ${megabytes(most)}, limit ${megabytes(limits.unpackedEntry)}`)
  }
  const sum = entries.reduce((total, { size }) => total + size, 0)
  if (sum > limits.unpacked)
    throw new Refused('bomb', `it expands to ${megabytes(sum)}, limit ${megabytes(limits.unpacked)}`)
  for (const { name, size, packedSize } of entries)
    if (size > ratioFrom && size / Math.max(1, packedSize) > limits.ratio)
      throw new Refused(
        'bomb',
        `the entry ${JSON.stringify(name.slice(0, 60))} expands ${Math.round(size / Math.max(1, packedSize))} times, limit ${limits.ratio}`,
      )
}

async function* unpack(
  file: Source,
  { name, method, data, packedSize, size, crc }: Placed,
  work: Work,
): AsyncGenerator<Buffer> {
  const packed = pieces(file, data, data + packedSize)
  const what = `the entry ${JSON.stringify(name.slice(0, 60))}`
  let came = 0
  let sum = 0
  const unpacked =
    method === stored ? counted(packed, work) : inflate({ format: 'raw', packed, most: size, what, work })
  for await (const piece of unpacked) {
    came += piece.length
    sum = crc32(piece, sum)
    yield piece
  }
  if (came !== size) throw corrupt(`${what} has ${came} of ${size} bytes`)
  if (sum !== crc) throw corrupt(`the check sum of ${what}`)
}

async function* counted(packed: Iterable<Buffer>, work: Work): AsyncGenerator<Buffer> {
  for (const piece of packed) {
    work.unpacked(piece.length)
    yield piece
  }
}
