import { gzipReader } from './archive/gzip.ts'
import { zipReader } from './archive/reader.ts'
import { tarReader } from './archive/tar.ts'
import { bmpReader } from './images/bmp.ts'
import { gifReader } from './images/gif.ts'
import { jpegReader } from './images/jpeg.ts'
import { pngReader } from './images/png.ts'
import { tiffReader } from './images/tiff.ts'
import { webpReader } from './images/webp.ts'
import { heifReader } from './media/heif.ts'
import { mp3Reader } from './media/mp3.ts'
import { mp4Reader } from './media/mp4.ts'
import { oggReader } from './media/ogg.ts'
import { wavReader } from './media/wav.ts'
import { oldOfficeReader } from './office/oldOffice.ts'
import { rtfReader } from './office/rtf.ts'
import { pdfReader } from './pdf/reader.ts'
import type { Reader } from './reader.ts'
import { csvReader } from './text/csv.ts'
import { textReader } from './text/text.ts'

/** Every reader, by the family of types that it reads. */
const readers: Reader[] = [
  jpegReader,
  pngReader,
  gifReader,
  pdfReader,
  textReader,
  csvReader,
  zipReader,
  gzipReader,
  tarReader,
  rtfReader,
  oldOfficeReader,
  webpReader,
  heifReader,
  bmpReader,
  tiffReader,
  mp4Reader,
  mp3Reader,
  wavReader,
  oggReader,
]

const byType = new Map(readers.flatMap((reader) => reader.types.map((type) => [type, reader])))

/** The types whose structure we can read. */
export const readableTypes: readonly string[] = [...byType.keys()]

export function readerOf(type: string): Reader | undefined {
  return byType.get(type)
}
