import { crc32 } from 'node:zlib'
import { Refused } from '../../../errors.ts'
import { inflate, inflatedSize } from '../inflate.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { bufferSource, pieces, type Source } from '../source.ts'
import { checkMetadata, checkPixels, framesOf } from './bounds.ts'

const signature = Buffer.from('\x89PNG\r\n\x1a\n', 'latin1')

interface Chunk {
  type: string
  at: number
  length: number
}

interface Header {
  width: number
  height: number
  bitsPerPixel: number
  interlaced: boolean
}

const samplesOf = new Map([
  [0, 1],
  [2, 3],
  [3, 1],
  [4, 2],
  [6, 4],
])

/**
 * PNG and APNG (PNG specification, third edition): chunks in order, each check sum, the picture unpacked and counted, nothing
 * after the end.
 */
export const pngReader: Reader = {
  types: ['image/png'],
  async read(file: Source, _asked: string, work: Work): Promise<Found> {
    if (file.size < 8 || !file.bytes(0, 8).equals(signature)) throw corrupt('it has no PNG signature')
    const first = chunkAt(file, 8)
    if (first.type !== 'IHDR' || first.length !== 13) throw corrupt('its first chunk is no header')
    const header = headerOf(file.bytes(first.at + 8, 13))
    checkPixels(header.width, header.height, work.limits)
    const frames = framesOf(work)
    const data: Chunk[] = []
    const frameData: Chunk[] = []
    let frame: Header = header
    let dataEnded = false

    const endFrame = async () => {
      if (frameData.length > 0) await checkPicture(file, frameData.splice(0), 4, frame, work)
    }
    for (let at = 8; ; ) {
      work.step()
      const chunk = chunkAt(file, at)
      at += chunk.length + 12
      checkSum(file, chunk)
      if (chunk.type === 'IDAT') {
        if (dataEnded) throw corrupt('the data of its picture is not in one row')
        data.push(chunk)
        continue
      }
      dataEnded ||= data.length > 0
      if (chunk.type === 'fdAT') {
        if (chunk.length < 4) throw corrupt('a frame without a number')
        frameData.push(chunk)
        continue
      }
      if (chunk.type === 'IHDR' && chunk.at !== 8) throw corrupt('it has a second header')
      if (chunk.type === 'fcTL') {
        await endFrame()
        frame = frameOf(file, chunk, header)
        frames(frame.width, frame.height)
      }
      if (['tEXt', 'zTXt', 'iTXt', 'iCCP'].includes(chunk.type)) await checkText(file, chunk, work)
      if (chunk.type !== 'IEND') continue
      if (chunk.length !== 0) throw corrupt('its end is not empty')
      if (data.length === 0) throw corrupt('it has no picture')
      await endFrame()
      await checkPicture(file, data, 0, header, work)
      return { type: 'image/png', end: at }
    }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

function chunkAt(file: Source, at: number): Chunk {
  const head = file.bytes(at, 8)
  const type = head.toString('latin1', 4)
  if (!/^[A-Za-z]{4}$/.test(type)) throw corrupt(`what stands at ${at} is no chunk`)
  const chunk = { type, at, length: head.readUInt32BE(0) }
  // Its end, with its check sum, must be there before anything of it is believed.
  file.bytes(at + chunk.length + 8, 4)
  return chunk
}

/** The last bytes of a chunk, over its type and data. */
function checkSum(file: Source, { at, type, length }: Chunk): void {
  let sum = 0
  for (const piece of pieces(file, at + 4, at + 8 + length)) sum = crc32(piece, sum)
  if (sum !== file.bytes(at + 8 + length, 4).readUInt32BE(0)) throw corrupt(`the check sum of ${type} at ${at}`)
}

function headerOf(bytes: Buffer): Header {
  const [width, height] = [bytes.readUInt32BE(0), bytes.readUInt32BE(4)]
  const [depth, colour, compression, filter, interlace] = bytes.subarray(8) as unknown as [
    number,
    number,
    number,
    number,
    number,
  ]
  const samples = samplesOf.get(colour)
  const depths = colour === 3 ? [1, 2, 4, 8] : colour === 0 ? [1, 2, 4, 8, 16] : [8, 16]
  if (samples === undefined || !depths.includes(depth) || compression !== 0 || filter !== 0 || interlace > 1)
    throw corrupt('its header names what no PNG has')
  return { width, height, bitsPerPixel: samples * depth, interlaced: interlace === 1 }
}

function frameOf(file: Source, { at, length }: Chunk, header: Header): Header {
  if (length !== 26) throw corrupt('a frame control of another length')
  const bytes = file.bytes(at + 8, 26)
  const [width, height, x, y] = [4, 8, 12, 16].map((offset) => bytes.readUInt32BE(offset)) as [
    number,
    number,
    number,
    number,
  ]
  if (width === 0 || height === 0 || x + width > header.width || y + height > header.height)
    throw corrupt('a frame that is larger than the picture')
  return { ...header, width, height }
}

/** Unpacks what the chunks hold (after `skip` bytes of each): it must be the whole picture, and no more. */
async function checkPicture(file: Source, chunks: Chunk[], skip: number, header: Header, work: Work): Promise<void> {
  const expected = rawSize(header)
  function* packed(): Generator<Buffer> {
    for (const { at, length } of chunks)
      for (let from = skip; from < length; from += 65_536)
        yield file.bytes(at + 8 + from, Math.min(65_536, length - from))
  }
  // A picture is bounded by its pixels, which were judged: it does not count against what archives may unpack to.
  const own: Work = { ...work, unpacked: (bytes) => work.step(Math.ceil(bytes / 1024)) }
  const size = await inflatedSize({ format: 'zlib', packed: packed(), most: expected, what: 'its picture', work: own })
  if (size < expected) throw corrupt(`its picture has ${size} of ${expected} bytes`)
}

/** Bytes of the unpacked picture: each row begins with a filter byte; interlaced ones have seven passes. */
function rawSize({ width, height, bitsPerPixel, interlaced }: Header): number {
  const rows = (columns: number, lines: number) =>
    columns === 0 || lines === 0 ? 0 : lines * (1 + Math.ceil((columns * bitsPerPixel) / 8))
  if (!interlaced) return rows(width, height)
  const passes = [
    [0, 0, 8, 8],
    [4, 0, 8, 8],
    [0, 4, 4, 8],
    [2, 0, 4, 4],
    [0, 2, 2, 4],
    [1, 0, 2, 2],
    [0, 1, 1, 2],
  ] as const
  return passes.reduce(
    (sum, [x, y, dx, dy]) => sum + rows(Math.ceil((width - x) / dx), Math.ceil((height - y) / dy)),
    0,
  )
}

/** Texts and profiles: small when unpacked, and nothing that a browser would run. */
async function checkText(file: Source, { at, type, length }: Chunk, work: Work): Promise<void> {
  const bytes = file.bytes(at + 8, length)
  checkMetadata(file, at + 8, length, type)
  const name = bytes.indexOf(0)
  if (name < 0) throw corrupt(`${type} has no name`)
  const compressed = type === 'iTXt' ? bytes[name + 1] === 1 : type !== 'tEXt'
  if (!compressed) return
  let start = name + 2
  if (type === 'iTXt') {
    const language = bytes.indexOf(0, name + 3)
    start = bytes.indexOf(0, language + 1) + 1
    if (language < 0 || start === 0) throw corrupt('iTXt is cut')
  }
  const most = Math.min(work.limits.unpackedEntry, 8 * 1024 * 1024)
  const unpacked: Buffer[] = []
  for await (const piece of inflate({ format: 'zlib', packed: [bytes.subarray(start)], most, what: type, work }))
    unpacked.push(piece)
  const whole = bufferSource(Buffer.concat(unpacked))
  checkMetadata(whole, 0, whole.size, type)
}
