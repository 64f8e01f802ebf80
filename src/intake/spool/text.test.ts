import { array, assert, constantFrom, nat, oneof, property, string, uint8Array } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { hasControls, type TextKind, textProbe } from './text.ts'

function kindOf(bytes: Uint8Array, cuts: number[] = []): TextKind | null {
  const probe = textProbe()
  let from = 0
  for (const cut of [...cuts, bytes.length].sort((a, b) => a - b)) {
    probe.see(bytes.subarray(from, cut))
    from = cut
  }
  return probe.kind()
}
const isText = (bytes: Uint8Array) => kindOf(bytes) === 'unicode'

const utf16le = (text: string) => Buffer.from(`\ufeff${text}`, 'utf16le')
const utf16be = (text: string) => utf16le(text).swap16()
const hex = (digits: string) => Buffer.from(digits, 'hex')

const texts: [string, Buffer][] = [
  ['nothing', Buffer.alloc(0)],
  ['ASCII', Buffer.from('hello\tworld\r\n')],
  ['a form feed', Buffer.from('page one\fpage two')],
  ['UTF-8 of every length', Buffer.from('aé今😀 Grüße\n')],
  ['UTF-8 with its mark', Buffer.from('\ufeffhello')],
  ['a mark alone', Buffer.from('\ufeff')],
  ['UTF-16 little endian with its mark', utf16le('hello, Grüße 今日は 😀\r\n')],
  ['UTF-16 big endian with its mark', utf16be('hello, Grüße 今日は 😀\r\n')],
  ['a mark of UTF-16 alone', hex('fffe')],
  ['the last characters of Unicode', Buffer.from('\u{10fffd}\uffee')],
]

const others: [string, Buffer][] = [
  ['a NUL', Buffer.from('hello\0')],
  ['an escape', Buffer.from('\u001b[31m')],
  ['a backspace', Buffer.from('a\bb')],
  ['a vertical tab', Buffer.from('a\vb')],
  ['a delete', Buffer.from('a\u007f')],
  ['UTF-16 without its mark', utf16le('hello').subarray(2)],
  ['a NUL in UTF-16', utf16le('a\0b')],
  ['a control in UTF-16', utf16be('a\u0007b')],
  ['a high half alone in UTF-16', hex('fffe00d84100')],
  ['a low half alone in UTF-16', hex('feffdc000041')],
  ['a high half at the end in UTF-16', hex('fffe410000d8')],
  ['half of a character at the end in UTF-16', hex('fffe410042')],
  ['a JPEG', hex('ffd8ffe000104a464946')],
]

/** What is no Unicode and holds no control: text of a country, for all that its bytes tell. */
const elsewhere: [string, Buffer][] = [
  ['an overlong slash', hex('61c0af')],
  ['an overlong slash of three bytes', hex('e080af')],
  ['an overlong NUL', hex('c080')],
  ['half of a character at the end', hex('61c3')],
  ['three quarters of a character at the end', hex('61f09f98')],
  ['a continuation without a beginning', hex('6180')],
  ['many continuations', hex('80'.repeat(20))],
  ['a half of a surrogate pair in UTF-8', hex('eda080')],
  ['more than Unicode has', hex('f4908080')],
  ['Latin-1', Buffer.from('Grüße', 'latin1')],
  ['half of a mark', hex('ff')],
  ['Windows-1252', Buffer.from('\x93Gr\xfc\xdfe\x94 \x80 5', 'latin1')],
  ['Shift JIS', hex('93fa967b8cea')],
  ['KOI8-R', hex('f0d2c9d7c5d4')],
]

describe('text is', () => {
  it.each(texts)('%s', (_, bytes) => {
    expect(isText(bytes)).toBe(true)
  })

  it('anything that people write', () => {
    assert(
      property(string({ unit: 'grapheme' }), (written) => {
        // Graphemes have no controls but those that we take.
        const plain = written.replace(/[\u0000-\u0008\u000b\u000e-\u001f\u007f]/g, '')
        expect(isText(Buffer.from(plain))).toBe(true)
        expect(isText(utf16le(plain))).toBe(true)
        expect(isText(utf16be(plain))).toBe(true)
      }),
    )
  })
})

describe('text is not', () => {
  it.each(others)('%s', (_, bytes) => {
    expect(kindOf(bytes)).toBeNull()
  })

  it.each(elsewhere)('Unicode: %s', (_, bytes) => {
    expect(kindOf(bytes)).toBe('other')
  })

  it('what has one such byte at its very end, after megabytes of text', () => {
    const long = Buffer.alloc(3_000_000, 'plain text ')
    expect(kindOf(long, [65_536, 131_072])).toBe('unicode')
    expect(kindOf(Buffer.concat([long, hex('00')]), [65_536, 131_072])).toBeNull()
    expect(kindOf(Buffer.concat([long, hex('c3')]), [65_536, 131_072])).toBe('other')
    expect(kindOf(Buffer.concat([hex('e9'), long, hex('00')]), [65_536, 131_072])).toBeNull()
  })
})

describe('the answer does not depend on how the bytes came', () => {
  it.each([...texts, ...others, ...elsewhere])('cut at every border, and byte by byte: %s', (_, bytes) => {
    const whole = kindOf(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) expect(kindOf(bytes, [cut])).toBe(whole)
    expect(kindOf(bytes, Array.from(bytes.keys()))).toBe(whole)
  })

  it('cut anywhere, for any bytes', () => {
    const piece = oneof(
      uint8Array({ maxLength: 8 }),
      constantFrom('fffe', 'feff', 'c3a9', 'f09f9880', 'c0af', 'eda080', '3dd8', '00de', '4100', '0041').map(hex),
      string({ unit: 'binary', maxLength: 8 }).map((written) => Buffer.from(written)),
    )
    assert(
      property(array(piece, { maxLength: 8 }), array(nat(64), { maxLength: 8 }), (pieces, cuts) => {
        const bytes = Buffer.concat(pieces)
        const inside = cuts.filter((cut) => cut < bytes.length)
        expect(kindOf(bytes, inside)).toBe(kindOf(bytes))
      }),
      { numRuns: 2000 },
    )
  })

  it('nor on what becomes of the buffer afterwards, which is used again', () => {
    const probe = textProbe()
    const buffer = Buffer.from('ab\xc3', 'latin1')
    probe.see(buffer)
    buffer.fill(0xa9)
    probe.see(buffer.subarray(0, 1))
    expect(probe.kind()).toBe('unicode')
  })
})

const isControl = (byte: number) => (byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d].includes(byte)) || byte === 0x7f

it('a control character is seen wherever it stands, and no other byte is taken for one', () => {
  for (let from = 0; from < 4; from++)
    for (let at = 0; at < 50; at++)
      for (let byte = 0; byte < 256; byte++) {
        const bytes = new Uint8Array(55).fill(0x61).subarray(from)
        bytes[at] = byte
        expect(hasControls(bytes)).toBe(isControl(byte))
      }
})

it('a control character is seen among any neighbours', () => {
  const printable = constantFrom(...hex('090a0c0d203f40617e809fa0ff'))
  const control = constantFrom(...hex('00080b0e1f7f'))
  assert(
    property(array(printable, { minLength: 32, maxLength: 80 }), nat(), control, (all, at, byte) => {
      expect(hasControls(Uint8Array.from(all))).toBe(false)
      all[at % all.length] = byte
      expect(hasControls(Uint8Array.from(all))).toBe(true)
    }),
    { numRuns: 2000 },
  )
})
