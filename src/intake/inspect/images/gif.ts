import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { bufferSource, type Source } from '../source.ts'
import { checkMetadata, checkPixels, framesOf } from './bounds.ts'

const [extension, image, trailer] = [0x21, 0x2c, 0x3b]
const [comment, plainText, application] = [0xfe, 0x01, 0xff]

/** GIF 87a and 89a: blocks in order to the trailer, each frame within bounds. */
export const gifReader: Reader = {
  types: ['image/gif'],
  read(file: Source, _asked: string, work: Work): Found {
    const header = file.bytes(0, 13)
    if (!/^GIF8[79]a$/.test(header.toString('latin1', 0, 6))) throw corrupt('it has no GIF signature')
    // Some encoders leave the screen's size at 0: viewers then take the first frame's.
    checkPixels(header.readUInt16LE(6) || 1, header.readUInt16LE(8) || 1, work.limits)
    const frames = framesOf(work)
    let images = 0
    for (let at = 13 + colourTable(header[10]!); ; ) {
      work.step()
      const kind = file.bytes(at, 1)[0]
      if (kind === trailer) {
        if (images === 0) throw corrupt('it has no picture')
        return { type: 'image/gif', end: at + 1 }
      }
      if (kind === image) {
        const descriptor = file.bytes(at, 10)
        const [width, height] = [descriptor.readUInt16LE(5), descriptor.readUInt16LE(7)]
        checkPixels(width, height, work.limits)
        frames(width, height)
        images += 1
        const data = at + 10 + colourTable(descriptor[9]!)
        const codeSize = file.bytes(data, 1)[0]!
        if (codeSize < 1 || codeSize > 11) throw corrupt(`a code size of ${codeSize} at ${data}`)
        at = afterBlocks(file, data + 1, work)
      } else if (kind === extension) {
        const label = file.bytes(at + 1, 1)[0]!
        if ([comment, plainText, application].includes(label)) checkText(file, at + 2, work)
        at = afterBlocks(file, at + 2, work)
      } else throw corrupt(`what stands at ${at} is no block`)
    }
  },
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

/** Bytes of the table that these flags announce. */
function colourTable(flags: number): number {
  return flags & 0x80 ? 3 * 2 ** ((flags & 7) + 1) : 0
}

/** Sub-blocks, each led by its length, end with an empty one. */
function afterBlocks(file: Source, from: number, work: Work): number {
  for (let at = from; ; ) {
    work.step()
    const length = file.bytes(at, 1)[0]!
    at += 1 + length
    if (length === 0) return at
  }
}

const mostText = 1024 * 1024

function checkText(file: Source, from: number, work: Work): void {
  const text: Buffer[] = []
  let size = 0
  for (let at = from; size < mostText; ) {
    work.step()
    const length = file.bytes(at, 1)[0]!
    if (length === 0) break
    text.push(file.bytes(at + 1, length))
    size += length
    at += 1 + length
  }
  checkMetadata(bufferSource(Buffer.concat(text)), 0, size, 'an extension')
}
