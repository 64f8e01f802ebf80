import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { pieces, type Source } from '../source.ts'
import { checkMetadata, checkPixels } from './bounds.ts'
import { furtherImages, type Segment } from './multiPicture.ts'

/** JPEG (ITU-T T.81, JFIF, Exif): segments in order, each scan followed to its end, the end of the image there. */
export const jpegReader: Reader = {
  types: ['image/jpeg'],
  read(file: Source, _asked: string, work: Work): Found {
    const first = readJpeg(file, 0, work)
    // Cameras put further pictures behind the first, and tell so in it: a preview, a depth map, a gain map for bright screens.
    let { end } = first
    for (const at of furtherImages(file, first.segments, end)) end = Math.max(end, readJpeg(file, at, work).end)
    return { type: 'image/jpeg', end }
  },
}

const [soi, eoi, sos, dnl, com] = [0xd8, 0xd9, 0xda, 0xdc, 0xfe]
/** Start of frame: all but DHT (C4), JPG (C8) and DAC (CC). */
const isFrame = (marker: number) => marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker)
const isApplication = (marker: number) => marker >= 0xe0 && marker <= 0xef

export function readJpeg(file: Source, start: number, work: Work): { end: number; segments: Segment[] } {
  if (file.bytes(start, 2).readUInt16BE(0) !== 0xff00 + soi) throw corrupt(`no JPEG begins at ${start}`)
  const segments: Segment[] = []
  let frames = 0
  let scans = 0
  for (let at = start + 2; ; ) {
    work.step()
    const { marker, next } = markerAt(file, at)
    if (marker === eoi) {
      if (scans === 0) throw corrupt('it has no picture')
      return { end: next, segments }
    }
    if (marker === soi) throw corrupt('it has a second beginning')
    const length = file.bytes(next, 2).readUInt16BE(0)
    if (length < 2) throw corrupt(`a segment of ${length} bytes at ${next}`)
    const content = { marker, at: next + 2, length: length - 2 }
    // It must be there, whole.
    file.bytes(content.at + content.length, 0)
    if (isFrame(marker)) {
      frames += 1
      if (frames > 1) throw corrupt('it has two frames')
      checkFrame(file.bytes(content.at, content.length), work)
    } else if (isApplication(marker) || marker === com) {
      segments.push(content)
      checkMetadata(file, content.at, content.length, marker === com ? 'a comment' : `segment APP${marker - 0xe0}`)
    }
    at = next + length
    // The number of lines, told after the first scan: what was judged by the frame's header must hold.
    if (marker === dnl) throw corrupt('it tells its height after its picture')
    if (marker !== sos) continue
    if (frames === 0) throw corrupt('a scan before the frame')
    scans += 1
    if (scans > work.limits.scans) throw new Refused('bomb', `more than ${work.limits.scans} scans`)
    at = endOfScan(file, at)
  }
}

function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}

/** The marker at `at`; any number of FF may stand before it. */
function markerAt(file: Source, at: number): { marker: number; next: number } {
  if (file.bytes(at, 1)[0] !== 0xff) throw corrupt(`what stands at ${at} is no marker`)
  for (let next = at + 1; next - at < 65_536; next++) {
    const marker = file.bytes(next, 1)[0]!
    if (marker === 0xff) continue
    if (marker === 0x00 || marker === 0x01 || (marker >= 0xd0 && marker <= 0xd7) || (marker > 0x01 && marker < 0xc0))
      throw corrupt(`marker ${marker.toString(16)} at ${at}`)
    return { marker, next: next + 1 }
  }
  throw corrupt(`padding without end at ${at}`)
}

function checkFrame(bytes: Buffer, work: Work): void {
  const components = bytes[5] ?? 0
  if (bytes.length !== 6 + 3 * components || components < 1 || components > 4) throw corrupt('the header of its frame')
  checkPixels(bytes.readUInt16BE(3), bytes.readUInt16BE(1), work.limits)
}

/** Where the marker stands that ends the scan: FF 00 is data, and FF D0 to FF D7 are marks for starting again within it. */
function endOfScan(file: Source, from: number): number {
  let ended = false
  let at = from
  for (const piece of pieces(file, from)) {
    for (let i = 0; i < piece.length; i++) {
      if (ended) {
        const byte = piece[i]!
        // More FF are padding before a marker.
        if (byte === 0xff) continue
        ended = false
        if (byte !== 0x00 && (byte < 0xd0 || byte > 0xd7)) return at + i - 1
        continue
      }
      i = piece.indexOf(0xff, i)
      if (i < 0) break
      ended = true
    }
    at += piece.length
  }
  throw corrupt('it is cut in its picture')
}
