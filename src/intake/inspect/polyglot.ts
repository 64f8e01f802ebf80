import { Refused } from '../../errors.ts'
import type { Found } from './reader.ts'
import type { Source } from './source.ts'

/** What programs look for at a place of their own, whatever the file begins with. */
const atPlaces: { what: string; at: number; bytes: Buffer }[] = [
  { what: 'a tar archive', at: 257, bytes: Buffer.from('ustar') },
  { what: 'a disc image', at: 0x8001, bytes: Buffer.from('CD001') },
]

/** How far into a file readers look for a beginning. */
const headBytes = 4096
/** A ZIP ends with a record that a comment of at most 65,535 bytes follows. */
const zipTailBytes = 65_535 + 22

/**
 * Is it something else at the same time? A file that other programs would open as another format is refused, though as what
 * it says it is it may be in order. Throws `Refused`.
 */
export function checkDisguises(file: Source, { type }: Found): void {
  // Whatever lies in a tar is looked at as the file that it is.
  if (type === 'application/x-tar') return
  for (const { what, at, bytes } of atPlaces)
    if (file.size >= at + bytes.length && file.bytes(at, bytes.length).equals(bytes)) refuse(what)
  const headLength = Math.min(headBytes, file.size)
  // What lies in an archive as it is, is looked at there.
  if (isZipFamily(type)) return
  if (type !== 'application/pdf' && looksLikePdf(file.bytes(0, headLength).toString('latin1'), file)) refuse('a PDF')
  if (!type.startsWith('text/')) {
    const page = pageIn(file, 0, headLength)
    if (page) refuse(`a page or program ("${page}")`)
  }
  if (endsAsZip(file)) refuse('a ZIP archive')
}

function refuse(what: string): never {
  throw new Refused('polyglot', `it can be opened as ${what} too`)
}

/** PDF readers take a header within the first 1,024 bytes. A text may speak of one, but has no index of objects. */
function looksLikePdf(head: string, file: Source): boolean {
  if (!head.slice(0, 1024 + 5).includes('%PDF-')) return false
  const tail = file.bytes(Math.max(0, file.size - 2048), Math.min(2048, file.size)).toString('latin1')
  return /startxref|\btrailer\b|\bendobj\b/.test(tail) || /\d+ \d+ obj\b/.test(head)
}

/**
 * What makes a program of bytes that browsers or interpreters come upon. None is shorter than five bytes: in the binary parts of
 * genuine files three come together by chance.
 */
const openings = /<(?:script|html|iframe|svg|object|embed|body|form)[\s>/]|<!doctype html|<\?php|javascript:|vbscript:/i
const longestOpening = 16
const windowBytes = 4096

/**
 * Such an opening in this part of a file, or null. For names, comments and other text inside of files. Looked at in small pieces,
 * since each is made a string of: large ones would be garbage as large as the file.
 */
export function pageIn(file: Source, at: number, length: number): string | null {
  for (let from = at; from < at + length; from += windowBytes) {
    const piece = file.bytes(from, Math.min(windowBytes + longestOpening, at + length - from))
    const opening = openings.exec(piece.toString('latin1'))
    if (opening) return opening[0]
  }
  return null
}

function isZipFamily(type: string): boolean {
  return type === 'application/zip' || type.includes('openxmlformats') || type.includes('oasis.opendocument')
}

/** Whether a ZIP reader would find an index: a record of its end whose directory is where it says. */
function endsAsZip(file: Source): boolean {
  const from = Math.max(0, file.size - zipTailBytes)
  const tail = file.bytes(from, file.size - from)
  for (let at = tail.lastIndexOf('PK\x05\x06', undefined, 'latin1'); at >= 0; ) {
    if (at + 22 <= tail.length && isEndRecord(file, tail.subarray(at, at + 22), from + at)) return true
    at = at === 0 ? -1 : tail.lastIndexOf('PK\x05\x06', at - 1, 'latin1')
  }
  return false
}

function isEndRecord(file: Source, record: Buffer, at: number): boolean {
  const entries = record.readUInt16LE(10)
  const size = record.readUInt32LE(12)
  // The directory lies just before its end, whatever offset is told: readers allow for what was put before a ZIP.
  const start = at - size
  if (entries === 0 || size < 46 || start < 0) return false
  return file.bytes(start, 4).toString('latin1') === 'PK\x01\x02'
}
