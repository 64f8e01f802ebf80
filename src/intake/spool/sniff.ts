import { fileTypeFromBuffer } from 'file-type'
import { canonicalType } from '../types.ts'
import type { TextKind } from './text.ts'

/** How many first bytes `sniff` looks at: what file-type samples. */
export const headBytes = 4100

/** What opens a text that some program would run or render as more than text. */
const openings: [RegExp, string][] = [
  [/^%PDF-/, 'application/pdf'],
  [/^%!/, 'application/postscript'],
  [/^\{\\rtf/i, 'application/rtf'],
  [/^#!/, 'text/x-script'],
  [/^<svg[\s>/]/i, 'image/svg+xml'],
  [/^<\?xml[\s?]/i, 'application/xml'],
  [/^<\?/, 'text/x-script'],
  [/^<%/, 'text/x-script'],
  [/^<script[\s>/]/i, 'text/x-script'],
  [/^<[a-z!/]/i, 'text/html'],
]

/**
 * The type that the bytes say, or null when none that we know. Text is asked first: bytes that are Unicode throughout are no
 * binary format, whatever their first two letters ("BMW…" is no bitmap). Text of another encoding is text when it is nothing
 * else.
 */
export async function sniff(head: Uint8Array, text: TextKind | null): Promise<string | null> {
  if (text === 'unicode') return textType(head)
  const found = await fileTypeFromBuffer(head).catch(() => undefined)
  if (found) return canonicalType(found.mime)
  // Its first directory may lie far behind: file-type looks for it, and we have only the beginning.
  if (/^(?:49492a00|4d4d002a|49492b00|4d4d002b)/.test(Buffer.from(head.subarray(0, 4)).toString('hex')))
    return 'image/tiff'
  return text === 'other' ? textType(head) : null
}

function textType(head: Uint8Array): string {
  const utf16 =
    head[0] === 0xff && head[1] === 0xfe ? 'utf-16le' : head[0] === 0xfe && head[1] === 0xff ? 'utf-16be' : null
  const start = new TextDecoder(utf16 ?? 'utf-8').decode(head).trimStart()
  // PDF readers take a header within the first 1,024 bytes. A text may speak of one, but has no objects.
  if (/%PDF-\d/.test(start.slice(0, 1024)) && /\d+ \d+ obj\b/.test(start)) return 'application/pdf'
  return openings.find(([opening]) => opening.test(start))?.[1] ?? 'text/plain'
}
