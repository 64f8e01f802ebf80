import { isUtf8 } from 'node:buffer'
import type { Copy, CopyWanted } from '../copy.ts'

const previewBytes = 64 * 1024

/** As UTF-8, without characters that are not seen but change what is seen. */
export function copyText({ kind, type }: CopyWanted, bytes: Buffer): Copy {
  const start = kind === 'preview' ? bytes.subarray(0, previewBytes) : bytes
  const text = decoded(start, kind === 'preview').replace(
    /[\u0000-\u0008\u000b\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g,
    '',
  )
  return { type: kind === 'preview' ? 'text/plain' : type, pages: 1, bytes: Buffer.from(text) }
}

/** What is no Unicode is read as Windows-1252: other encodings of a country show as wrong letters, and the original has them. */
function decoded(bytes: Buffer, cut: boolean): string {
  const encoding =
    bytes[0] === 0xff && bytes[1] === 0xfe
      ? 'utf-16le'
      : bytes[0] === 0xfe && bytes[1] === 0xff
        ? 'utf-16be'
        : isUtf8(cut ? bytes.subarray(0, wholeCharacters(bytes)) : bytes)
          ? 'utf-8'
          : 'windows-1252'
  if (encoding === 'windows-1252') return bytes.toString('latin1').replace(/[\x80-\x9f]/g, windows1252)
  return new TextDecoder(encoding).decode(bytes, { stream: cut })
}

/** Node 20 decodes Windows-1252 as Latin-1: what differs is put right here. */
const from80 = '€\u0081‚ƒ„…†‡ˆ‰Š‹Œ\u008dŽ\u008f\u0090‘’“”•–—˜™š›œ\u009džŸ'
const windows1252 = (letter: string) => from80[letter.charCodeAt(0) - 0x80]!

/** Where the last character begins that may be cut off at the end. */
function wholeCharacters(bytes: Buffer): number {
  let end = bytes.length
  while (end > 0 && bytes.length - end < 4 && (bytes[end - 1]! & 0xc0) === 0x80) end--
  return end > 0 && bytes[end - 1]! >= 0xc0 ? end - 1 : bytes.length
}
