import { Refused } from '../../../errors.ts'
import { checkMetadata } from '../images/bounds.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import type { Source } from '../source.ts'

const rates = [44_100, 48_000, 32_000]
const kilobits = {
  1: [
    [0, 32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448],
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384],
    [0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320],
  ],
  2: [
    [0, 32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
    [0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160],
  ],
} as const
/** Of a tag before or behind the sound: a large picture has room. */
const mostTag = 16 * 1024 * 1024

/** MP3 (MPEG 1, 2 and 2.5, layers I to III): tags, then frames one behind the other to the last, then tags. */
export const mp3Reader: Reader = {
  types: ['audio/mpeg'],
  read(file: Source, _asked: string, work: Work): Found {
    let at = 0
    for (let tag = id3At(file, at); tag > 0; tag = id3At(file, at)) {
      if (tag > mostTag || at + tag > file.size) throw corrupt('the tag before its sound is cut')
      checkMetadata(file, at, Math.min(tag, 65_536), 'the tag before its sound')
      at += tag
      // Zeros between a tag and the sound.
      while (at < file.size && file.bytes(at, 1)[0] === 0) {
        work.step()
        at++
      }
    }
    let frames = 0
    for (let length = frameAt(file, at); length > 0; length = frameAt(file, at)) {
      work.step()
      // The last may be cut short by an editor, but not the first.
      if (at + length > file.size) break
      at += length
      frames += 1
    }
    if (frames < 2) throw corrupt('it has no sound')
    return { type: 'audio/mpeg', end: afterTags(file, at) }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

/** Bytes of the ID3v2 tag that begins here; 0 if none does. */
function id3At(file: Source, at: number): number {
  if (at + 10 > file.size) return 0
  const head = file.bytes(at, 10)
  if (head.toString('latin1', 0, 3) !== 'ID3' || head.subarray(6).some((byte) => byte > 127)) return 0
  const size = head.subarray(6).reduce((sum, byte) => sum * 128 + byte, 0)
  return 10 + size + (head[5]! & 0x10 ? 10 : 0)
}

/** Bytes of the frame that begins here; 0 if none does. */
function frameAt(file: Source, at: number): number {
  if (at + 4 > file.size) return 0
  const head = file.bytes(at, 4)
  if (head[0] !== 0xff || (head[1]! & 0xe0) !== 0xe0) return 0
  const version = [2.5, 0, 2, 1][(head[1]! >> 3) & 3]!
  const layer = [0, 3, 2, 1][(head[1]! >> 1) & 3]!
  const rateIndex = (head[2]! >> 2) & 3
  const bitIndex = head[2]! >> 4
  if (version === 0 || layer === 0 || rateIndex === 3 || bitIndex === 0 || bitIndex === 15) return 0
  const rate = rates[rateIndex]! / (version === 1 ? 1 : version === 2 ? 2 : 4)
  const bits = kilobits[version === 1 ? 1 : 2][layer - 1]![bitIndex]! * 1000
  const padding = (head[2]! >> 1) & 1
  if (layer === 1) return (Math.floor((12 * bits) / rate) + padding) * 4
  return Math.floor(((layer === 3 && version !== 1 ? 72 : 144) * bits) / rate) + padding
}

/** Past an APE tag, lyrics and an ID3v1 tag of 128 bytes. */
function afterTags(file: Source, at: number): number {
  if (at + 32 <= file.size) {
    const head = file.bytes(at, 32)
    if (head.toString('latin1', 0, 8) === 'APETAGEX') {
      const size = head.readUInt32LE(12)
      if (size <= mostTag && at + 32 + size <= file.size) {
        checkMetadata(file, at, Math.min(32 + size, 65_536), 'the tag behind its sound')
        at += 32 + size
      }
    }
  }
  if (at + 128 <= file.size && file.bytes(at, 3).toString('latin1') === 'TAG') {
    checkMetadata(file, at, 128, 'the tag behind its sound')
    return at + 128
  }
  return at
}
