import { deflateSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { mutated, numbers } from '../../../../tests/fixtures/mutations.ts'
import { escapedNames, objectStream, type PdfPart, pdfOf, revised, streamOf } from '../../../../tests/fixtures/pdfs.ts'
import { Refused } from '../../../errors.ts'
import { beginWork, defaultLimits, type Limits } from '../limits.ts'
import { bufferSource } from '../source.ts'
import { pdfReader } from './reader.ts'

async function read(bytes: Buffer, limits: Partial<Limits> = {}): Promise<string> {
  try {
    const found = await pdfReader.read(
      bufferSource(bytes),
      'application/pdf',
      beginWork({ ...defaultLimits, ...limits }),
    )
    return found.end === bytes.length ? 'whole' : `whole to ${found.end}`
  } catch (error) {
    if (error instanceof Refused) return `${error.code}: ${error.detail}`
    throw error
  }
}

/** Something that acts, as an object of its own, and how it is told. */
const acting: [string, string, RegExp][] = [
  ['a script', '<< /S /JavaScript /JS (app.alert\\(1\\)) >>', /script|JavaScript/],
  ['a script without its key', '<< /Type /Action /S /JavaScript >>', /JavaScript/],
  ['a start of a program', '<< /Type /Action /S /Launch /F (calc.exe) >>', /Launch/],
  ['a form that is sent', '<< /S /SubmitForm /F (http://example.invalid) >>', /SubmitForm/],
  ['data that is fetched', '<< /S /ImportData /F (data.fdf) >>', /ImportData/],
  ['a jump into another file', '<< /S /GoToR /F (\\\\\\\\example.invalid\\\\share) /D [0 /Fit] >>', /GoToR/],
  ['a jump into an embedded file', '<< /S /GoToE /T << /R /C >> >>', /GoToE/],
  ['a link to a script', '<< /S /URI /URI (java\\nscript:alert\\(1\\)) >>', /javascript:/],
  ['a link to a file', '<< /S /URI /URI (file:///etc/passwd) >>', /file:/],
  ['a link to a share', '<< /S /URI /URI (\\\\\\\\example.invalid\\\\x) >>', /share/],
  ['an embedded file', '<< /Type /Filespec /F (a.exe) /EF << /F 9 0 R >> >>', /embedded file/],
  ['embedded files by name', '<< /Names << /EmbeddedFiles << /Names [(a) 9 0 R] >> >> >>', /embedded file/],
  ['rich media', '<< /Type /Annot /Subtype /RichMedia /Rect [0 0 9 9] >>', /RichMedia/],
  ['a film', '<< /Type /Annot /Subtype /Movie /Movie << /F (a.avi) >> >>', /Movie/],
  ['an attachment', '<< /Type /Annot /Subtype /FileAttachment /FS 9 0 R >>', /FileAttachment/],
  ['an XFA form', '<< /Fields [] /XFA [(template) 9 0 R] >>', /XFA/],
  [
    'a link that opens by itself',
    '<< /Type /Page /AA << /O << /S /URI /URI (http://example.invalid) >> >> >>',
    /by itself/,
  ],
  ['a page of another file', '<< /Type /XObject /Subtype /Form /Ref << /F (other.pdf) /Page 0 >> >>', /another file/],
  ['it in a list in a dictionary', '<< /A [ [ << /B << /S /Launch /F (x) >> >> ] ] >>', /Launch/],
]

describe('what acts is found', () => {
  it.each(acting)('%s', async (_, content, told) => {
    expect(await read(pdfOf({ parts: [[9, content]] }))).toMatch(/^active_content/)
    expect(await read(pdfOf({ parts: [[9, content]] }))).toMatch(told)
  })

  it.each(acting)('%s, with names in hexadecimal', async (_, content) => {
    expect(await read(pdfOf({ parts: [[9, escapedNames(content)]] }))).toMatch(/^active_content/)
  })

  it.each(acting)('%s, in an object stream', async (_, content) => {
    expect(await read(pdfOf({ parts: [[8, objectStream([[9, content]])]] }))).toMatch(/^active_content/)
  })

  it.each(acting)('%s, in an older revision', async (_, content) => {
    const old = pdfOf({ parts: [[9, content]] })
    expect(await read(revised(old, [[9, 'null']]))).toMatch(/^active_content/)
  })

  it.each(acting)('%s, that no index names', async (_, content) => {
    const whole = pdfOf().toString('latin1')
    const hidden = whole.replace('xref\n', `\n9 0 obj ${content.replaceAll('$', '$$$$')} endobj\nxref\n`)
    expect(await read(Buffer.from(hidden, 'latin1'))).toMatch(/^active_content/)
  })

  it.each(acting)('%s, in the data of a stream, where the index points', async (_, content) => {
    const inside = `\n9 0 obj\n${content}\nendobj\n`
    const whole = pdfOf({ parts: [[7, streamOf('', inside)]] })
    const at = whole.toString('latin1').indexOf('9 0 obj')
    const table = `xref\n0 1\n0000000000 65535 f \n9 1\n${String(at).padStart(10, '0')} 00000 n \n`
    expect(
      await read(Buffer.from(whole.toString('latin1').replace('xref\n0 1\n0000000000 65535 f \n', table), 'latin1')),
    ).toMatch(/^active_content/)
  })

  it.each(acting)('%s, in the data of a stream, when the index is broken', async (_, content) => {
    const inside = `\n9 0 obj\n${content}\nendobj\n`
    const whole = pdfOf({ parts: [[7, streamOf('', inside)]] }).toString('latin1')
    const broken = whole.replace(/\d{10} 00000 n/, '0000000005 00000 n')
    expect(await read(Buffer.from(broken, 'latin1'))).toMatch(/^active_content/)
  })

  it('by the catalogue, when it is done as the file is opened', async () => {
    const opening = (action: string): PdfPart[] => [[1, `<< /Type /Catalog /Pages 2 0 R /OpenAction ${action} >>`]]
    const link = '<< /S /URI /URI (http://example.invalid) >>'
    expect(await read(pdfOf({ parts: opening(link) }))).toMatch(/URI by itself/)
    expect(await read(pdfOf({ parts: [...opening('9 0 R'), [9, link]] }))).toMatch(/URI by itself/)
    expect(await read(pdfOf({ parts: [...opening('9 0 R'), [9, `<< /S /GoTo /D (x) /Next ${link} >>`]] }))).toMatch(
      /URI by itself/,
    )
    expect(
      await read(pdfOf({ parts: [...opening('9 0 R'), [9, '<< /S /GoTo /D (x) /Next 10 0 R >>'], [10, link]] })),
    ).toMatch(/URI by itself/)
    expect(await read(pdfOf({ parts: opening('[3 0 R /Fit]') }))).toBe('whole')
    expect(await read(pdfOf({ parts: opening('<< /S /GoTo /D [3 0 R /Fit] >>') }))).toBe('whole')
  })

  it('in an object stream of an object stream’s filters', async () => {
    const content = Buffer.from('9 0 << /S /Launch /F (x) >>')
    const as = (filter: string, bytes: Buffer | string) =>
      pdfOf({ parts: [[8, streamOf(`/Type /ObjStm /N 1 /First 4 /Filter ${filter}`, bytes)]] })
    expect(await read(as('/ASCIIHexDecode', `${content.toString('hex')}>`))).toMatch(/Launch/)
    expect(await read(as('[/ASCIIHexDecode /FlateDecode]', `${deflateSync(content).toString('hex')}>`))).toMatch(
      /Launch/,
    )
    expect(await read(as('/LZWDecode', content))).toMatch(/^unscannable: .*LZWDecode/)
    expect(await read(as('/Crypt', content))).toMatch(/^unscannable/)
    expect(await read(as('[/A /B /C /D /E /F /G /H /I]', content))).toMatch(/^bomb: .*9 times/)
  })
})

describe('what does not act is let be', () => {
  it.each<[string, PdfPart[]]>([
    ['a page', []],
    [
      'links to pages of the world',
      [[9, '<< /Type /Annot /Subtype /Link /A << /S /URI /URI (https://example.com/?q=javascript:) >> >>']],
    ],
    [
      'a link to a page of its own',
      [
        [9, '<< /S /URI /URI (page.html) >>'],
        [10, '<< /S /GoTo /D (chapter) >>'],
      ],
    ],
    [
      'mail, telephone',
      [
        [9, '<< /URI (mailto:a@example.com) >>'],
        [10, '<< /URI (tel:+49301234) >>'],
      ],
    ],
    [
      'a form without scripts',
      [
        [9, '<< /Fields [10 0 R] /DA (/Helv 0 Tf) >>'],
        [10, '<< /FT /Tx /T (name) /V (x) /Subtype /Widget >>'],
      ],
    ],
    ['texts that speak of scripts', [[9, '<< /Title (/JavaScript /JS << /S /Launch >>) /Author <2F4A53> >>']]],
    ['a stream that speaks of them', [[9, streamOf('', '<< /S /JavaScript /JS (x) >> 9 0 obj')]]],
    ['a structure element that is called so', [[9, '<< /Type /StructElem /S /Movie /P 1 0 R >>']]],
    ['names without any', [[9, '<< /Names << /EmbeddedFiles << /Names [] >> >> >>']]],
    [
      'a signature',
      [[9, '<< /Type /Sig /Filter /Adobe.PPKLite /SubFilter /adbe.pkcs7.detached /ByteRange [0 1 2 3] >>']],
    ],
    [
      'buttons of a viewer',
      [
        [9, '<< /S /Named /N /NextPage >>'],
        [10, '<< /S /ResetForm >>'],
      ],
    ],
    ['comments', [[9, '<< /A % /JS (x)\n 1 >>']]],
    ['texts with brackets and escapes', [[9, '<< /T (a (b) \\) \\( \\101 \\\n) /U (\\\\) >>']]],
  ])('%s', async (_, parts) => {
    expect(await read(pdfOf({ parts }))).toBe('whole')
  })

  it('revisions', async () => {
    expect(await read(revised(revised(pdfOf(), [[9, '<< >>']]), [[9, 'null']]))).toBe('whole')
  })

  it('an index that is a little wrong, as writers leave it', async () => {
    const whole = pdfOf().toString('latin1')
    expect(await read(Buffer.from(whole.replace(/startxref\n\d+/, 'startxref\n7'), 'latin1'))).toBe('whole')
    expect(await read(Buffer.from(whole.replace(/0 1\n0000000000 65535 f/, '0 9\n0000000000 65535 f'), 'latin1'))).toBe(
      'whole',
    )
    expect(await read(Buffer.from(whole.replace(/(\d{10}) 00000 n/, '0000000001 00000 n'), 'latin1'))).toBe('whole')
  })

  it('a length that is wrong: the stream ends where it ends', async () => {
    const stream = streamOf('', 'some bytes').toString('latin1')
    expect(await read(pdfOf({ parts: [[9, stream.replace('/Length 10', '/Length 7')]] }))).toBe('whole')
    expect(
      await read(
        pdfOf({
          parts: [
            [9, stream.replace('/Length 10', '/Length 8 0 R')],
            [8, '10'],
          ],
        }),
      ),
    ).toBe('whole')
  })
})

describe('a PDF is refused', () => {
  const whole = pdfOf()

  it('when something comes before or follows it', async () => {
    expect(await read(Buffer.concat([Buffer.from('GIF89a'), whole]))).toMatch(/^polyglot: 6 bytes/)
    expect(await read(Buffer.concat([Buffer.alloc(1000, 0x20), whole]))).toMatch(/^polyglot/)
    expect(await read(Buffer.concat([whole, Buffer.from('PK\x03\x04 (')]))).toBe(`whole to ${whole.length}`)
    expect(await read(Buffer.concat([whole, whole]))).toMatch(/^polyglot: a second PDF/)
  })

  it('when it is cut, wherever', async () => {
    for (let end = 0; end < whole.length - 7; end++) expect(await read(whole.subarray(0, end))).toMatch(/^corrupt/)
    // A revision that is cut leaves the end of the one before.
    const two = revised(whole, [[9, '<< /A (b) >>']])
    expect(await read(two.subarray(0, two.length - 20))).toMatch(/^corrupt: it is cut/)
  })

  it('when it is encrypted, also with an empty password', async () => {
    expect(await read(pdfOf({ trailer: '/Encrypt 9 0 R ' }))).toBe('encrypted: it is encrypted')
    expect(await read(pdfOf({ trailer: '/Encr#79pt << /Filter /Standard >> ' }))).toMatch(/^encrypted/)
    expect(await read(pdfOf({ parts: [[9, streamOf('/Type /XRef /W [1 1 1] /Size 0 /Encrypt 8 0 R', '')]] }))).toMatch(
      /^encrypted/,
    )
  })

  it('when it asks too much', async () => {
    expect(await read(pdfOf({ parts: [[3, '<< /Type /Page /MediaBox [0 0 1000000 9] >>']] }))).toMatch(
      /^bomb: a page of 1000000/,
    )
    expect(await read(pdfOf({ parts: [[3, '<< /Type /Page /UserUnit 75000 /MediaBox [0 0 9 9] >>']] }))).toMatch(
      /^bomb/,
    )
    expect(await read(pdfOf({ parts: [[9, streamOf('/Subtype /Image /Width 65000 /Height 65000', '')]] }))).toMatch(
      /^bomb: a picture/,
    )
    expect(await read(pdfOf({ parts: [[9, '<< /Type /Page >>']] }), { pages: 1 })).toBe('bomb: more than 1 pages')
    const vast = deflateSync(Buffer.alloc(3_000_000))
    const limits = { unpackedEntry: 1_000_000 }
    expect(await read(pdfOf({ parts: [[9, streamOf('/Filter /FlateDecode', vast)]] }), limits)).toMatch(
      /^bomb: stream 9/,
    )
    expect(
      await read(pdfOf({ parts: [[9, streamOf('/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode', vast)]] }), limits),
    ).toMatch(/^bomb: object stream 9/)
  })

  it('when it nests without end', async () => {
    expect(await read(pdfOf({ parts: [[9, '['.repeat(100_000)]] }))).toMatch(/^corrupt: values nest/)
    expect(await read(pdfOf({ parts: [[9, '<</A'.repeat(100_000)]] }))).toMatch(/^corrupt/)
  })

  it('when an object stream is not what it says', async () => {
    const stream = (dictionary: string, bytes: Buffer | string = deflateSync(Buffer.from('9 0 null'))) =>
      pdfOf({ parts: [[8, streamOf(`/Type /ObjStm ${dictionary} /Filter /FlateDecode`, bytes)]] })
    expect(await read(stream('/N 1 /First 4'))).toBe('whole')
    expect(await read(stream('/N 1 /First 400'))).toMatch(/^corrupt/)
    expect(await read(stream('/N 5 /First 4'))).toMatch(/^corrupt: the index/)
    expect(await read(stream('/N 1 /First 4', 'no such data'))).toMatch(/^corrupt: object stream 8/)
  })
})

it('whatever is changed in one, it is read or refused, and nothing else happens', async () => {
  const seeds = [
    pdfOf({
      parts: [
        [8, objectStream([[9, '<< /A (b) /C [1 2 /D] >>']])],
        [10, streamOf('', 'data')],
      ],
    }),
    revised(pdfOf({ parts: [[9, '<< /S /URI /URI (http://example.com) >>']] }), [[9, 'null']]),
  ].map((bytes) => bytes.toString('latin1'))
  const fragments = [
    '<<',
    '>>',
    '[',
    ']',
    '(',
    ')',
    '/',
    ' obj',
    'endobj',
    'stream\n',
    'endstream',
    '%',
    '#4',
    '1 0 R',
    '%%EOF',
    'xref\n',
    '-',
  ]
  const random = numbers(7)
  for (let run = 0; run < Number(process.env.MUTATIONS ?? 2000); run++)
    expect(await read(Buffer.from(mutated(seeds[run % seeds.length]!, fragments, random), 'latin1'))).toMatch(
      /^[a-z_]+/,
    )
})
