import { Refused } from '../../../errors.ts'
import { inflate } from '../inflate.ts'
import { megabytes } from '../limits.ts'
import type { Reader } from '../reader.ts'
import { pieces } from '../source.ts'
import { checkEntryName, decodeName } from './entryNames.ts'
import { checkInnerName, checkInside } from './inside.ts'

/** gzip (RFC 1952): unpacked to its end, check sums and all; what comes out is judged as a file of its own. */
export const gzipReader: Reader = {
  types: ['application/gzip'],
  async read(file, _asked, work) {
    work.entry()
    const head = file.bytes(0, Math.min(file.size, 4096))
    if (head.length < 18 || head.readUInt16BE(0) !== 0x1f8b || head[2] !== 8 || head[3]! & 0xe0)
      throw new Refused('corrupt', 'it has no header of gzip')
    const most = work.limits.unpackedEntry
    const name = nameIn(head) ?? 'what is packed'
    const unpacked = inflate({ format: 'gzip', packed: pieces(file), most, what: 'it', work })
    await checkInside(name, notTooDense(unpacked, file.size, work.limits.ratio), work)
    return { type: 'application/gzip', end: file.size }
  },
}

async function* notTooDense(unpacked: AsyncIterable<Buffer>, packedSize: number, ratio: number) {
  let size = 0
  for await (const piece of unpacked) {
    size += piece.length
    if (size > 1024 * 1024 && size > packedSize * ratio)
      throw new Refused('bomb', `it expands to ${megabytes(size)} and more, ${ratio} times its size, the limit`)
    yield piece
  }
}

/** The name of the original, which some programs unpack to. */
function nameIn(head: Buffer): string | undefined {
  const flags = head[3]!
  if (!(flags & 8)) return undefined
  let at = 10
  if (flags & 4) at += 2 + head.readUInt16LE(at)
  const end = head.indexOf(0, at)
  if (end < 0) throw new Refused('corrupt', 'the name in it is cut')
  const name = decodeName(head.subarray(at, end), false)
  checkEntryName(name)
  checkInnerName(name)
  return name
}
