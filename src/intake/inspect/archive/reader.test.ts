import { deflateRawSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { png } from '../../../../tests/fixtures/files.ts'
import { mutated, numbers } from '../../../../tests/fixtures/mutations.ts'
import { pdfOf } from '../../../../tests/fixtures/pdfs.ts'
import { type ZipPart, zipOf } from '../../../../tests/fixtures/zips.ts'
import { Refused } from '../../../errors.ts'
import { examine } from '../examine.ts'
import { defaultLimits, type Limits } from '../limits.ts'
import { bufferSource } from '../source.ts'

async function read(bytes: Buffer, limits: Partial<Limits> = {}, type = 'application/zip'): Promise<string> {
  const strictness = { limits: { ...defaultLimits, ...limits }, trailingData: 'refuse' as const }
  try {
    const found = await examine(bufferSource(bytes), type, strictness)
    return found.end === bytes.length ? 'whole' : `whole to ${found.end}`
  } catch (error) {
    if (error instanceof Refused) return `${error.code}: ${error.detail}`
    throw error
  }
}

const plain: ZipPart[] = [
  { name: 'a.txt', content: 'hello '.repeat(20) },
  { name: 'folder/', stored: true, mode: 0o040755 },
  { name: 'folder/grüße.txt', content: 'x', stored: true },
]
const zeros = (size: number) => Buffer.alloc(size)

describe('a ZIP is taken', () => {
  it.each<[string, Buffer]>([
    ['with entries packed and stored, and a folder', zipOf({ parts: plain })],
    ['with a comment', zipOf({ parts: plain, comment: 'made by hand' })],
    ['that is empty', zipOf({ parts: [] })],
    ['whose sizes follow the data', zipOf({ parts: plain.map((part) => ({ ...part, late: true })) })],
    ['with another ZIP in it', zipOf({ parts: [{ name: 'inner.zip', content: zipOf({ parts: plain }) }] })],
    ['with a PDF in it', zipOf({ parts: [{ name: 'letter.pdf', content: pdfOf() }] })],
  ])('%s', async (_, bytes) => {
    expect(await read(bytes)).toBe('whole')
  })
})

describe('a ZIP expands too far', () => {
  it('by one entry, told before anything is unpacked', async () => {
    const bytes = zipOf({ parts: [{ name: 'a', content: zeros(31 * 1024 * 1024) }] })
    expect(bytes.length).toBeLessThan(32_000)
    expect(await read(bytes)).toBe('bomb: 1 entry expands to 31 MB, limit 20 MB')
  })

  it('by an entry that lies of its size', async () => {
    const content = zeros(5_000_000)
    for (const size of [0, 1, 4_999_999])
      expect(await read(zipOf({ parts: [{ name: 'a', content, lies: { size } }] }))).toMatch(/^bomb|^corrupt/)
    expect(await read(zipOf({ parts: [{ name: 'a', content, lies: { size: 0 }, late: true }] }))).toMatch(/^bomb/)
    expect(await read(zipOf({ parts: [{ name: 'a', content: 'x', lies: { size: 9 } }] }))).toMatch(
      /^corrupt: .* 1 of 9 bytes/,
    )
  })

  it('by all together, by its ratio, by the number of its entries, by its depth', async () => {
    const two = [1, 2].map((n) => ({ name: `${n}`, content: Buffer.from('ab'.repeat(n).repeat(100_000)) }))
    expect(await read(zipOf({ parts: two }), { unpacked: 300_000 })).toMatch(/^bomb: it expands to/)
    expect(await read(zipOf({ parts: [{ name: 'a', content: zeros(2_000_000) }] }))).toMatch(
      /^bomb: .*expands \d+ times/,
    )
    const many = Array.from({ length: 1001 }, (_, i) => ({ name: `${i}`, stored: true }))
    expect(await read(zipOf({ parts: many }))).toBe('bomb: it has 1001 entries, limit 1000')
    let nested = zipOf({ parts: plain })
    for (let depth = 0; depth < 3; depth++) nested = zipOf({ parts: [{ name: 'x.zip', content: nested }] })
    expect(await read(nested)).toBe('whole')
    expect(await read(zipOf({ parts: [{ name: 'x.zip', content: nested }] }))).toMatch(
      /^bomb: archives lie deeper than 3/,
    )
  })

  it('by many small ones in each other: what they unpack to is counted together', async () => {
    const leaf = zipOf({ parts: [{ name: 'a', content: Buffer.from('0123456789'.repeat(50_000)) }] })
    const parts = Array.from({ length: 10 }, (_, i) => ({ name: `${i}.zip`, content: leaf }))
    expect(await read(zipOf({ parts }), { unpacked: 3_000_000 })).toMatch(/^bomb: it expands to more than/)
    const entries = Array.from({ length: 300 }, (_, i) => ({ name: `${i}`, stored: true }))
    const wide = Array.from({ length: 5 }, (_, i) => ({ name: `${i}.zip`, content: zipOf({ parts: entries }) }))
    expect(await read(zipOf({ parts: wide }))).toMatch(/^bomb: it has more than 1000 entries/)
  })

  it('by entries that share their data', async () => {
    const kernel = { name: 'a', content: zeros(1000) }
    expect(await read(zipOf({ parts: [kernel, { name: 'b', content: '', lies: { at: 0 } }] }))).toMatch(
      /^(bomb|corrupt)/,
    )
    const packed = deflateRawSync(zeros(1000))
    const quoted = zipOf({
      parts: [
        {
          name: 'a',
          content: packed,
          stored: true,
          lies: { packedSize: packed.length + 35, size: packed.length + 35 },
        },
        { name: 'b', content: 'x', stored: true },
      ],
    })
    expect(await read(quoted)).toMatch(/^bomb: the entry "b" lies over another/)
  })
})

describe('a ZIP is not what it says', () => {
  it.each<[string, Buffer, RegExp]>([
    ['encrypted', zipOf({ parts: [{ name: 'a', content: 'x', lies: { flags: 1 } }] }), /^encrypted/],
    ['encrypted by AES', zipOf({ parts: [{ name: 'a', content: 'x', lies: { method: 99 } }] }), /^encrypted/],
    [
      'packed by a method of its own',
      zipOf({ parts: [{ name: 'a', content: 'x', lies: { method: 12 } }] }),
      /^unscannable/,
    ],
    ['a wrong sum', zipOf({ parts: [{ name: 'a', content: 'x', lies: { crc: 1 } }] }), /^corrupt: the check sum/],
    ['two names', zipOf({ parts: [{ name: 'a', content: 'x', local: { name: 'b' } }] }), /^corrupt: .*two ways/],
    ['two sizes', zipOf({ parts: [{ name: 'a', content: 'x', local: { size: 100 } }] }), /^corrupt: .*two ways/],
    ['two methods', zipOf({ parts: [{ name: 'a', content: 'x', local: { method: 0 } }] }), /^corrupt: .*two ways/],
    [
      'one name twice',
      zipOf({
        parts: [
          { name: 'a', content: 'x' },
          { name: 'A', content: 'y' },
        ],
      }),
      /^corrupt: .*twice/,
    ],
    ['more entries than it has', zipOf({ parts: plain, count: 4 }), /^corrupt/],
    ['fewer entries than it has', zipOf({ parts: plain, count: 2 }), /^corrupt/],
    ['bytes between its entries', zipOf({ parts: plain, gap: Buffer.from('<script>') }), /^polyglot/],
    ['something before it', Buffer.concat([Buffer.from('GIF89a'), zipOf({ parts: plain })]), /^polyglot: 6 bytes/],
    ['something behind it', Buffer.concat([zipOf({ parts: plain }), Buffer.from('tail')]), /^polyglot|^corrupt/],
    ['two of them', Buffer.concat([zipOf({ parts: plain }), zipOf({ parts: plain })]), /^polyglot|^corrupt/],
    [
      'one in the comment of another',
      zipOf({ parts: plain, comment: zipOf({ parts: [] }).toString('latin1') }),
      /^polyglot|^corrupt/,
    ],
    ['nothing of a ZIP', Buffer.from('PK\x03\x04 and no more than that, at all'), /^corrupt/],
    ['a link', zipOf({ parts: [{ name: 'a', content: '/etc/passwd', mode: 0o120777 }] }), /^active_content: .*link/],
    ['a device', zipOf({ parts: [{ name: 'a', mode: 0o020666 }] }), /^active_content: .*device/],
    ['a program by its name', zipOf({ parts: [{ name: 'a.exe', content: 'x' }] }), /^active_content: .*\.exe/],
    ['a program by an inner name', zipOf({ parts: [{ name: 'a.js.txt', content: 'x' }] }), /^active_content: .*\.js/],
    [
      'a program by its content',
      zipOf({ parts: [{ name: 'a.txt', content: `MZ${'\0'.repeat(100)}` }] }),
      /^active_content: .*program/,
    ],
    [
      'a program of Linux',
      zipOf({ parts: [{ name: 'a', content: `\x7fELF\x02\x01\x01${'\0'.repeat(100)}` }] }),
      /^active_content: .*program/,
    ],
    ['a script', zipOf({ parts: [{ name: 'a', content: '#!/bin/sh\n' }] }), /^active_content: .*program/],
    [
      'a PDF with a script',
      zipOf({ parts: [{ name: 'a.pdf', content: pdfOf({ parts: [[9, '<< /S /JavaScript >>']] }) }] }),
      /^active_content/,
    ],
    [
      'an archive that nobody looks into',
      zipOf({ parts: [{ name: 'a', content: Buffer.from('377abcaf271c0004', 'hex') }] }),
      /^unscannable/,
    ],
  ])('%s', async (_, bytes, told) => {
    expect(await read(bytes)).toMatch(told)
  })

  it.each([
    '/etc/passwd',
    '../a',
    'a/../../b',
    '..\\a',
    'C:\\a',
    'c:a',
    '\\\\host\\a',
    'a\0b',
    'a\nb',
    'x\u202egnp.txt',
    '',
    'a'.repeat(2000),
  ])('a name that leads elsewhere: %j', async (name) => {
    expect(await read(zipOf({ parts: [{ name, content: 'x' }] }))).toMatch(/^active_content/)
  })

  it('cut, wherever', async () => {
    const whole = zipOf({ parts: plain })
    for (let end = 0; end < whole.length; end++)
      expect(await read(whole.subarray(0, end))).toMatch(/^(corrupt|polyglot)/)
  })
})

it('a picture that is called a ZIP is none', async () => {
  expect(await read((await png()).bytes)).toMatch(/^corrupt/)
})

it('whatever is changed in one, it is read or refused, and no more comes out than may', async () => {
  const seeds = [
    zipOf({ parts: plain }),
    zipOf({ parts: [{ name: 'inner.zip', content: zipOf({ parts: plain }) }], comment: 'c' }),
    zipOf({ parts: plain.map((part) => ({ ...part, late: true })) }),
  ].map((bytes) => bytes.toString('latin1'))
  const fragments = ['PK\x01\x02', 'PK\x03\x04', 'PK\x05\x06', '\xff\xff\xff\xff', '\0\0\0\0', '\x01', 'PK\x06\x06']
  const random = numbers(11)
  for (let run = 0; run < Number(process.env.MUTATIONS ?? 2000); run++)
    expect(await read(Buffer.from(mutated(seeds[run % seeds.length]!, fragments, random), 'latin1'))).toMatch(
      /^[a-z_]+/,
    )
})

it('a part of a document is read as what its type says, whatever its name ends in', async () => {
  const word = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
  const field = '<d><fldSimple instr="DDEAUTO cmd"/></d>'
  const types = `<Types><Override PartName="/word/document.dat" ContentType="${word}.main+xml"/></Types>`
  const parts = [
    { name: '[Content_Types].xml', content: types },
    { name: 'word/document.dat', content: field },
  ]
  expect(await read(zipOf({ parts }), {}, word)).toMatch(/^active_content: .*DDEAUTO/)
})
