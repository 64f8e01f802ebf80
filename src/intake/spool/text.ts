import { isUtf8 } from 'node:buffer'

/**
 * `unicode`: UTF-8, or UTF-16 with its mark. `other`: it may be text in an encoding of a country (Windows-1252, Shift JIS,
 * KOI8-R …), which nothing proves: such bytes are text when they are no other format.
 */
export type TextKind = 'unicode' | 'other'

/**
 * Watches a whole file go by and tells at its end whether it is text: without NUL or control characters (but tab, line feed,
 * form feed and carriage return).
 */
export interface TextProbe {
  see(bytes: Uint8Array): void
  /** Null: it is no text. */
  kind(): TextKind | null
}

export function textProbe(): TextProbe {
  let check: Check | null = null
  let kind: TextKind | null = 'unicode'
  let held = Buffer.alloc(0)
  const look = (bytes: Buffer, last: boolean) => {
    check ??= encodingOf(bytes)
    kind = check(bytes, last)
    // What is no Unicode here is none in what follows.
    if (kind === 'other') check = otherText
  }
  return {
    see(bytes) {
      if (kind === null || bytes.length === 0) return
      // A character may be cut by the border between two pieces: up to 3 bytes wait for the next piece.
      const joined =
        held.length > 0 ? Buffer.concat([held, bytes]) : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
      // The first two bytes tell the encoding.
      if (!check && joined.length < 2) {
        held = Buffer.from(joined)
        return
      }
      check ??= encodingOf(joined)
      const ready = joined.length - Math.min(joined.length, 4) + wholeCharacters(joined.subarray(-4))
      held = Buffer.from(joined.subarray(ready))
      if (ready > 0) look(joined.subarray(0, ready), false)
    },
    kind() {
      if (kind !== null) look(held, true)
      held = Buffer.alloc(0)
      return kind
    },
  }
}

/** How many of these last bytes do not begin a character that is still to be completed, in UTF-8 or UTF-16. */
function wholeCharacters(tail: Buffer): number {
  for (let back = 1; back <= Math.min(3, tail.length); back++) {
    const byte = tail[tail.length - back]!
    if (byte >= 0xc0) return tail.length - back
    if (byte < 0x80) break
  }
  return tail.length
}

type Check = (bytes: Buffer, last: boolean) => TextKind | null

function encodingOf(start: Buffer): Check {
  if (start[0] === 0xff && start[1] === 0xfe) return utf16('utf-16le')
  if (start[0] === 0xfe && start[1] === 0xff) return utf16('utf-16be')
  return (bytes, last) => (isUtf8(bytes) ? (hasControls(bytes) ? null : 'unicode') : otherText(bytes, last))
}

const otherText: Check = (bytes) => (hasControls(bytes) ? null : 'other')

function utf16(encoding: 'utf-16le' | 'utf-16be'): Check {
  const decoder = new TextDecoder(encoding, { fatal: true })
  return (bytes, last) => {
    try {
      return hasControls(Buffer.from(decoder.decode(bytes, { stream: !last }))) ? null : 'unicode'
    } catch {
      return null
    }
  }
}

const isControl = Uint8Array.from({ length: 256 }, (_, byte) =>
  (byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d].includes(byte)) || byte === 0x7f ? 1 : 0,
)

const del = 0x7f

/** Sixteen bytes at a time where none of them can be a control character: in less than half of the time. */
export function hasControls(bytes: Uint8Array): boolean {
  if (bytes.includes(del)) return true
  if (bytes.length < 32) return anyControl(bytes, 0, bytes.length)
  const before = -bytes.byteOffset & 3
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + before, ((bytes.length - before) >> 4) << 2)
  if (anyControl(bytes, 0, before)) return true
  for (let i = 0; i < words.length; i += 4) {
    const [a, b, c, d] = [words[i]!, words[i + 1]!, words[i + 2]!, words[i + 3]!]
    // Of each byte the second highest bit or the third: a control character has neither.
    const above = (a | (a << 1)) & (b | (b << 1)) & (c | (c << 1)) & (d | (d << 1))
    if ((above & 0x40404040) === 0x40404040) continue
    const at = before + 4 * i
    if (isSuspect(a) && anyControl(bytes, at, at + 4)) return true
    if (isSuspect(b) && anyControl(bytes, at + 4, at + 8)) return true
    if (isSuspect(c) && anyControl(bytes, at + 8, at + 12)) return true
    if (isSuspect(d) && anyControl(bytes, at + 12, at + 16)) return true
  }
  return anyControl(bytes, before + 4 * words.length, bytes.length)
}

/** Whether one of its bytes may be below 0x20 and no line feed. Each line has one of those, so they are told apart here. */
function isSuspect(word: number): boolean {
  const low = (word - 0x20202020) & ~word & 0x80808080
  if (low === 0) return false
  const feeds = word ^ 0x0a0a0a0a
  return (low & (((feeds & 0x7f7f7f7f) + 0x7f7f7f7f) | feeds)) !== 0
}

function anyControl(bytes: Uint8Array, from: number, to: number): boolean {
  for (let i = from; i < to; i++) if (isControl[bytes[i]!] === 1) return true
  return false
}
