import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Source } from '../source.ts'

/** What a PDF is made of (ISO 32000-2, 7.3). Names are decoded; of long strings only the beginning is kept. */
export type Value =
  | null
  | boolean
  | number
  | { name: string }
  | { text: string }
  | { ref: number }
  | { word: string }
  | Value[]
  | Dictionary

/** Every pair as it stands, since readers differ in which of two equal keys they take. */
export class Dictionary {
  readonly pairs: [string, Value][] = []

  get(key: string): Value | undefined {
    return this.pairs.findLast(([name]) => name === key)?.[1]
  }
  has(key: string): boolean {
    return this.pairs.some(([name]) => name === key)
  }
  /** The name that stands under a key. */
  nameOf(key: string): string | undefined {
    return asName(this.get(key))
  }
  /** The whole number that stands under a key. */
  numberOf(key: string): number | undefined {
    const value = this.get(key)
    return typeof value === 'number' ? value : undefined
  }
}

export function asName(value: Value | undefined): string | undefined {
  return value !== null && typeof value === 'object' && 'name' in value ? value.name : undefined
}

export function isDictionary(value: Value | undefined): value is Dictionary {
  return value instanceof Dictionary
}

const mostDepth = 100
const mostText = 4096
const mostName = 4096

const white = new Uint8Array(256)
for (const byte of [0x00, 0x09, 0x0a, 0x0c, 0x0d, 0x20]) white[byte] = 1
const delimiter = new Uint8Array(256)
for (const byte of Buffer.from('()<>[]{}/%')) delimiter[byte] = 1

/** Reads tokens and values one after the other. Throws `Refused` (corrupt) at what is no PDF. */
export class Lexer {
  /** Where the next byte is read. */
  at: number
  private readonly source: Source
  private readonly work: Work
  private readonly end: number
  private piece: Buffer = Buffer.alloc(0)
  private pieceAt = 0

  constructor(source: Source, work: Work, at = 0, end = source.size) {
    this.source = source
    this.work = work
    this.at = at
    this.end = end
  }

  /** The byte at a position, or -1 at the end. */
  byteAt(at: number): number {
    const offset = at - this.pieceAt
    if (offset >= 0 && offset < this.piece.length) return this.piece[offset]!
    if (at >= this.end || at < 0) return -1
    this.pieceAt = Math.floor(at / 65_536) * 65_536
    this.piece = this.source.bytes(this.pieceAt, Math.min(65_536, this.end - this.pieceAt))
    return this.piece[at - this.pieceAt]!
  }

  /** Past blanks and comments. `comment` is called with where each begins. */
  skipBlanks(comment?: (at: number) => void): void {
    for (;;) {
      const byte = this.byteAt(this.at)
      if (byte === 0x25) {
        comment?.(this.at)
        this.work.step()
        for (let next = byte; next !== 0x0a && next !== 0x0d && next !== -1; ) next = this.byteAt(++this.at)
      } else if (byte !== -1 && white[byte] === 1) this.at++
      else return
    }
  }

  /** The next value; a word is one when it is no value. Null pointer of the end: `{ word: '' }`. */
  value(depth = 0): Value {
    if (depth > mostDepth) throw corrupt(`values nest deeper than ${mostDepth} at ${this.at}`)
    this.skipBlanks()
    this.work.step()
    const start = this.at
    const byte = this.byteAt(start)
    if (byte === -1) return { word: '' }
    if (byte === 0x2f) return { name: this.name() }
    if (byte === 0x28) return { text: this.literal() }
    if (byte === 0x3c) {
      if (this.byteAt(start + 1) !== 0x3c) return { text: this.hexadecimal() }
      this.at += 2
      return this.dictionary(depth)
    }
    if (byte === 0x5b) {
      this.at++
      return this.array(depth)
    }
    if (delimiter[byte] === 1) {
      this.at += byte === 0x3e && this.byteAt(start + 1) === 0x3e ? 2 : 1
      return { word: this.at - start === 2 ? '>>' : String.fromCharCode(byte) }
    }
    const word = this.word()
    if (/^[+-]?(\d+\.?\d*|\.\d+)$/.test(word)) return this.numberOrReference(Number(word))
    if (word === 'true') return true
    if (word === 'false') return false
    if (word === 'null') return null
    return { word }
  }

  private word(): string {
    const start = this.at
    for (let byte = this.byteAt(this.at); byte !== -1 && white[byte] === 0 && delimiter[byte] === 0; )
      byte = this.byteAt(++this.at)
    if (this.at - start > 1024) return '?'
    return this.slice(start, this.at)
  }

  private slice(from: number, to: number): string {
    let text = ''
    for (let at = from; at < to; at++) text += String.fromCharCode(this.byteAt(at))
    return text
  }

  /** `5 0 R`, or a number that stands by itself. */
  private numberOrReference(number: number): Value {
    const after = this.at
    if (Number.isInteger(number) && number >= 0) {
      this.skipBlanks()
      const generation = this.digits()
      if (generation) {
        this.skipBlanks()
        const next = this.byteAt(this.at + 1)
        if (this.byteAt(this.at) === 0x52 && (next === -1 || white[next] === 1 || delimiter[next] === 1)) {
          this.at++
          return { ref: number }
        }
      }
    }
    this.at = after
    return number
  }

  private digits(): boolean {
    const start = this.at
    for (let byte = this.byteAt(this.at); byte >= 0x30 && byte <= 0x39 && this.at - start < 6; )
      byte = this.byteAt(++this.at)
    return this.at > start
  }

  /** `/Java#53cript` is `/JavaScript`. */
  private name(): string {
    let text = ''
    for (let byte = this.byteAt(++this.at); byte !== -1 && white[byte] === 0 && delimiter[byte] === 0; ) {
      if (byte === 0x23) {
        const code = Number.parseInt(this.slice(this.at + 1, this.at + 3), 16)
        if (/^[0-9a-f]{2}$/i.test(this.slice(this.at + 1, this.at + 3))) {
          byte = code
          this.at += 2
        }
      }
      text += String.fromCharCode(byte)
      if (text.length > mostName) throw corrupt(`a name without end at ${this.at}`)
      byte = this.byteAt(++this.at)
    }
    return text
  }

  private literal(): string {
    const start = this.at
    let text = ''
    let open = 1
    const add = (byte: number) => {
      if (text.length < mostText) text += String.fromCharCode(byte)
    }
    for (this.at++; ; this.at++) {
      let byte = this.byteAt(this.at)
      if (byte === -1) throw corrupt(`a text without end at ${start}`)
      if (byte === 0x28) open++
      if (byte === 0x29 && --open === 0) break
      if (byte === 0x5c) {
        byte = this.byteAt(++this.at)
        const octal = /^[0-7]{1,3}/.exec(this.slice(this.at, Math.min(this.at + 3, this.end)))?.[0]
        if (octal !== undefined) {
          add(Number.parseInt(octal, 8) & 0xff)
          this.at += octal.length - 1
          continue
        }
        // A line break after a backslash is no part of the text.
        if (byte === 0x0d && this.byteAt(this.at + 1) === 0x0a) this.at++
        if (byte === 0x0d || byte === 0x0a) continue
        byte = escapes.get(byte) ?? byte
      }
      add(byte)
    }
    this.at++
    return decoded(text)
  }

  private hexadecimal(): string {
    const start = this.at
    let digits = ''
    for (this.at++; ; this.at++) {
      const byte = this.byteAt(this.at)
      if (byte === -1) throw corrupt(`a text without end at ${start}`)
      if (byte === 0x3e) break
      if (digits.length < 2 * mostText && white[byte] === 0) digits += String.fromCharCode(byte)
    }
    this.at++
    return decoded(Buffer.from(digits.length % 2 ? `${digits}0` : digits, 'hex').toString('latin1'))
  }

  private array(depth: number): Value[] {
    const values: Value[] = []
    for (;;) {
      const value = this.value(depth + 1)
      if (isWord(value, ']')) return values
      if (isWord(value)) this.stray(value.word)
      values.push(value)
    }
  }

  private dictionary(depth: number): Dictionary {
    const dictionary = new Dictionary()
    for (;;) {
      const key = this.value(depth + 1)
      if (isWord(key, '>>')) return dictionary
      const name = asName(key)
      if (name === undefined) {
        if (isWord(key)) this.stray(key.word)
        // Writers have left numbers and texts where a key should be; viewers pass over them.
        continue
      }
      const value = this.value(depth + 1)
      if (isWord(value, '>>')) {
        dictionary.pairs.push([name, null])
        return dictionary
      }
      if (isWord(value)) this.stray(value.word)
      dictionary.pairs.push([name, value])
    }
  }

  /** A word inside a value: what ends an object has come before the value's end. */
  private stray(word: string): void {
    if (['', 'endobj', 'stream', 'endstream', 'obj', 'xref', 'trailer', 'startxref'].includes(word))
      throw corrupt(`a value without end at ${this.at}`)
  }
}

export function isWord(value: Value | undefined, word?: string): value is { word: string } {
  return (
    value !== null &&
    typeof value === 'object' &&
    'word' in value &&
    (word === undefined || (value as { word: string }).word === word)
  )
}

const escapes = new Map([
  [0x6e, 0x0a],
  [0x72, 0x0d],
  [0x74, 0x09],
  [0x62, 0x08],
  [0x66, 0x0c],
])

/** Texts may be UTF-16 with a mark. */
function decoded(text: string): string {
  if (!text.startsWith('\xfe\xff')) return text
  const bytes = Buffer.from(text, 'latin1').subarray(2)
  return Buffer.from(bytes.subarray(0, bytes.length & ~1))
    .swap16()
    .toString('utf16le')
}

export function corrupt(detail: string): Refused {
  return new Refused('corrupt', detail)
}
