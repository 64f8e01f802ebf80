import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Source } from '../source.ts'

export interface CfbEntry {
  name: string
  /** Of a stream its bytes; of a storage nothing that counts. */
  size: number
  isStream: boolean
  start: number
}

export interface Cfb {
  entries: CfbEntry[]
  /** Behind its last sector in use. */
  end: number
  /** All bytes of a stream, counted as unpacked. Throws `Refused`. */
  bytes(entry: CfbEntry): Buffer
}

const signature = Buffer.from('d0cf11e0a1b11ae1', 'hex')
const endOfChain = 0xfffffffe
const free = 0xffffffff

export function isCfb(file: Source): boolean {
  return file.size >= 512 && file.bytes(0, 8).equals(signature)
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

/**
 * A compound file (MS-CFB): its tables are read, and each entry of its directory, whether the tree names it or not. A chain of
 * sectors is as long as there are sectors at most, so none goes round. Throws `Refused`.
 */
export function readCfb(file: Source, work: Work): Cfb {
  if (!isCfb(file)) throw corrupt('it has no header of a compound file')
  const head = file.bytes(0, 512)
  const shift = head.readUInt16LE(30)
  if ((shift !== 9 && shift !== 12) || head.readUInt16LE(32) !== 6 || head.readUInt32LE(56) !== 4096)
    throw corrupt('its sectors have sizes that no compound file has')
  const size = 1 << shift
  const count = Math.ceil(file.size / size) - 1
  const sector = (number: number) => {
    work.step()
    if (number >= count) throw corrupt(`the sector ${number} of ${count} is named`)
    return file.bytes((number + 1) * size, size)
  }
  const table = tableOf(head, sector, count, size)
  const chain = (start: number, links: Uint32Array, most: number): number[] => {
    const numbers: number[] = []
    for (let number = start; number !== endOfChain; number = links[number]!) {
      work.step()
      if (number >= links.length || numbers.length >= most) throw corrupt('a chain of sectors leads nowhere, or round')
      numbers.push(number)
    }
    return numbers
  }
  const joined = (start: number) => Buffer.concat(chain(start, table, count).map(sector))
  const entries: CfbEntry[] = []
  const directory = joined(head.readUInt32LE(48))
  for (let at = 0; at + 128 <= directory.length; at += 128) {
    const kind = directory[at + 66]!
    if (kind === 0) continue
    work.entry()
    entries.push(entryAt(directory, at, kind, shift))
  }
  const root = entries[0]
  if (!root || directory[66] !== 5) throw corrupt('it has no root')
  const small = root.size > 0 ? joined(root.start) : Buffer.alloc(0)
  const smallTable = head.readUInt32LE(64) > 0 ? words(joined(head.readUInt32LE(60))) : new Uint32Array()
  const last = table.subarray(0, count).findLastIndex((next) => next !== free)
  return {
    entries: entries.slice(1),
    end: Math.min(file.size, (last + 2) * size),
    bytes({ name, size: length, start }) {
      if (length === 0) return Buffer.alloc(0)
      if (length > work.limits.unpackedEntry)
        throw new Refused('bomb', `the stream ${JSON.stringify(name)} is longer than the limit`)
      work.unpacked(length)
      const found =
        length >= 4096
          ? joined(start)
          : Buffer.concat(
              chain(start, smallTable, smallTable.length).map((number) =>
                small.subarray(number * 64, number * 64 + 64),
              ),
            )
      if (found.length < length) throw corrupt(`the stream ${JSON.stringify(name)} is cut`)
      return found.subarray(0, length)
    },
  }
}

/** Which sector follows which: the first 109 parts are named in the header, more in sectors of their own. */
function tableOf(head: Buffer, sector: (number: number) => Buffer, count: number, size: number): Uint32Array {
  const parts = [...words(head.subarray(76, 512))]
  let next = head.readUInt32LE(68)
  for (let found = 0; next !== endOfChain && next !== free; found++) {
    if (found > count) throw corrupt('its table goes round')
    const more = words(sector(next))
    parts.push(...more.subarray(0, -1))
    next = more.at(-1)!
  }
  const named = parts.filter((number) => number !== free)
  if (named.length > Math.ceil((count * 4) / size) + 128) throw corrupt('its table is longer than the file')
  return words(Buffer.concat(named.map(sector)))
}

function words(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: Math.floor(bytes.length / 4) }, (_, index) => bytes.readUInt32LE(index * 4))
}

function entryAt(directory: Buffer, at: number, kind: number, shift: number): CfbEntry {
  const length = directory.readUInt16LE(at + 64)
  if (length > 64 || length % 2 !== 0 || ![1, 2, 5].includes(kind)) throw corrupt('its directory is broken')
  const high = shift === 12 ? directory.readUInt32LE(at + 124) : 0
  return {
    name: directory.toString('utf16le', at, at + Math.max(0, length - 2)),
    isStream: kind === 2,
    start: directory.readUInt32LE(at + 116),
    size: directory.readUInt32LE(at + 120) + high * 2 ** 32,
  }
}
