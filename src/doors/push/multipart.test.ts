import { randomBytes } from 'node:crypto'
import { assert, asyncProperty, nat, uniqueArray } from 'fast-check'
import { describe, expect, it } from 'vitest'
import { mutated, numbers } from '../../../tests/fixtures/mutations.ts'
import { naughtyNames } from '../../../tests/fixtures/names.ts'
import { BadRequest, MissingFile, SenderGone } from '../../errors.ts'
import { boundaryOf, fileOf } from './multipart.ts'

const boundary = '------------------------d74496d66958873e'

interface Read {
  filename: string
  declaredType: string | null
  bytes: Buffer
}

async function* pieces(body: Uint8Array, cuts: number[]): AsyncGenerator<Buffer> {
  let from = 0
  for (const cut of [...cuts, body.length].sort((a, b) => a - b)) {
    if (cut > from) yield Buffer.from(body.subarray(from, cut))
    from = Math.max(from, cut)
  }
}

async function readStream(body: AsyncIterable<Buffer>, of = boundary): Promise<Read> {
  const { filename, declaredType, bytes } = await fileOf(body, of, 'file')
  const read: Buffer[] = []
  for await (const piece of bytes) read.push(Buffer.from(piece))
  return { filename, declaredType, bytes: Buffer.concat(read) }
}

const read = (body: string | Uint8Array, cuts: number[] = [], of = boundary) =>
  readStream(pieces(typeof body === 'string' ? Buffer.from(body, 'latin1') : body, cuts), of)

/** `bad`: BadRequest('bad_multipart'). Anything but these two is a fault of ours. */
async function refusal(
  body: string | Uint8Array | AsyncIterable<Buffer>,
  cuts: number[] = [],
  of = boundary,
): Promise<string | null> {
  try {
    await (typeof body === 'string' || body instanceof Uint8Array ? read(body, cuts, of) : readStream(body, of))
    return null
  } catch (error) {
    if (error instanceof BadRequest && error.code === 'bad_multipart') return 'bad'
    if (error instanceof MissingFile) return 'missing'
    throw error
  }
}

const disposition = 'Content-Disposition: form-data; name="file"; filename="photo.jpg"'

function part(headers: string | string[], content = 'content'): string {
  return `--${boundary}\r\n${[headers].flat().join('\r\n')}\r\n\r\n${content}\r\n`
}

const field = (name: string, content = 'value') => part(`Content-Disposition: form-data; name="${name}"`, content)
const end = `--${boundary}--\r\n`
const form = (...parts: string[]) => parts.join('') + end
const file = part([disposition, 'Content-Type: image/jpeg'])

describe('a genuine form', () => {
  it('of curl is read', async () => {
    expect(await read(form(file))).toEqual({
      filename: 'photo.jpg',
      declaredType: 'image/jpeg',
      bytes: Buffer.from('content'),
    })
  })

  it('of curl escapes quotes and backslashes in names', async () => {
    const head = String.raw`Content-Disposition: form-data; name="file"; filename="a \"quoted\" back\\slash; x=y.jpg"`
    expect((await read(form(part(head)))).filename).toBe(String.raw`a "quoted" back\slash; x=y.jpg`)
  })

  it.each(['photo.jpg', 'Grüße 写真 😀.png', 'with "quotes".jpg', 'a;b=c.jpg', 'line\nbreak.jpg', "o'brien.pdf"])(
    'of a browser, or of fetch, is read: %j',
    async (name) => {
      const bytes = randomBytes(200_000)
      const data = new FormData()
      data.append('before', 'value')
      data.append('file', new Blob([bytes], { type: 'image/png' }), name)
      data.append('after', 'Grüße\r\n--')
      const request = new Response(data)
      const of = boundaryOf(request.headers.get('content-type') ?? undefined)
      const found = await read(Buffer.from(await request.arrayBuffer()), [70_000, 70_001], of)
      // What a browser may not write into a header it percent-encodes (HTML, 4.10.21.8); the name stays as it came.
      const written = name.replaceAll('"', '%22').replaceAll('\n', '%0A')
      expect([found.filename, found.declaredType]).toEqual([written, 'image/png'])
      expect(found.bytes.equals(bytes)).toBe(true)
    },
  )

  it('of Python writes names that are not ASCII in its own way', async () => {
    const old = 'Content-Disposition: form-data; name="file"; filename*=utf-8\'\'Gr%C3%BC%C3%9Fe%20%22.pdf'
    expect((await read(form(part(old)))).filename).toBe('Grüße ".pdf')
    const both = 'Content-Disposition: form-data; name="file"; filename="a.pdf"; filename*=UTF-8\'en\'a.pdf'
    expect((await read(form(part(both)))).filename).toBe('a.pdf')
    const plain = 'Content-Disposition: form-data; name="file"; filename="Grüße.pdf"'
    expect((await read(Buffer.from(form(part(plain))))).filename).toBe('Grüße.pdf')
  })

  it('of old programs has names in Latin-1, and tokens without quotes', async () => {
    expect(
      (await read(form(part('Content-Disposition: form-data; name="file"; filename="Gr\xfc\xdfe.pdf"')))).filename,
    ).toBe('Grüße.pdf')
    expect((await read(form(part('content-disposition:form-data;name=file;filename=photo.jpg')))).filename).toBe(
      'photo.jpg',
    )
    expect(
      (await read(form(part('Content-Disposition: FORM-DATA; NAME="file"; FileName="photo.jpg";')))).filename,
    ).toBe('photo.jpg')
    expect(
      (
        await read(
          form(part(String.raw`Content-Disposition: form-data; name="file"; filename="C:\Users\me\photo.jpg"`)),
        )
      ).filename,
    ).toBe(String.raw`C:\Users\me\photo.jpg`)
  })

  it('may declare no type, and further headers', async () => {
    expect((await read(form(part(disposition)))).declaredType).toBeNull()
    const headers = [
      'Content-Type: text/plain; charset=utf-8',
      'X-Other: anything',
      disposition,
      'Content-Transfer-Encoding: binary',
      'Content-Length: 7',
    ]
    expect((await read(form(part(headers)))).declaredType).toBe('text/plain; charset=utf-8')
  })

  it('may have fields before and after its file, and blanks after a boundary', async () => {
    const blanks = form(field('a'), file, field('file')).replaceAll(`${boundary}\r\n`, `${boundary} \t \r\n`)
    for (const body of [
      form(field('a'), field('b', ''), file),
      form(file, field('a')),
      form(field('file'), file, field('z')),
      blanks,
    ])
      expect((await read(body)).bytes.toString()).toBe('content')
  })

  it('may have a little before its first boundary and after its last, or no line break at its end', async () => {
    for (const body of [
      `preamble\r\n${form(file)}`,
      `\r\n${form(file)}`,
      `${form(file)}epilogue`,
      form(file).slice(0, -2),
    ])
      expect((await read(body)).bytes.toString()).toBe('content')
  })

  it('may have an empty file, and a file that looks nearly like a boundary throughout', async () => {
    expect((await read(form(part(disposition, '')))).bytes.length).toBe(0)
    for (const content of [
      '\r\n',
      '\r\n--',
      '--',
      `\r\n--${boundary.slice(0, -1)}`,
      `\r--${boundary}\n`,
      `--${boundary}--`,
      '\r'.repeat(200),
      `\r\n-${boundary}`,
    ])
      expect((await read(form(part(disposition, content)))).bytes.toString('latin1')).toBe(content)
  })

  it.each(naughtyNames.filter((name) => !/[\0\r\n]/.test(name)))('may name its file in any way: %j', async (name) => {
    const quoted = name.replace(/["\\]/g, '\\$&')
    const plain = Buffer.from(form(part(`Content-Disposition: form-data; name="file"; filename="${quoted}"`)))
    expect((await read(plain)).filename).toBe(name.toWellFormed())
    if (!name.isWellFormed()) return
    const encoded = encodeURIComponent(name).replace(
      /['()*]/g,
      (character) => `%${character.charCodeAt(0).toString(16)}`,
    )
    expect(
      (await read(form(part(`Content-Disposition: form-data; name="file"; filename*=UTF-8''${encoded}`)))).filename,
    ).toBe(name)
  })
})

describe('how a form came does not change how it is read', () => {
  const bytes = Buffer.from(
    form(
      field('a', '\r\n--x'),
      part([disposition, 'Content-Type: image/jpeg'], `x\r\n--${boundary.slice(0, 9)}\r\n`),
      field('z'),
    ),
  )

  it('cut in two at every byte, and byte by byte', async () => {
    const whole = await read(bytes)
    for (let cut = 0; cut <= bytes.length; cut++) expect(await read(bytes, [cut])).toEqual(whole)
    expect(await read(bytes, Array.from(bytes.keys()))).toEqual(whole)
  })

  it('cut anywhere', async () => {
    const whole = await read(bytes)
    await assert(
      asyncProperty(uniqueArray(nat(bytes.length), { maxLength: 40 }), async (cuts) => {
        expect(await read(bytes, cuts)).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })

  it('and a form that is refused is refused however it came', async () => {
    const broken = [form(file, file), form(part('X: y')), form(file).replace('--\r\n', '-x\r\n'), form(field('a'))].map(
      (body) => Buffer.from(body),
    )
    for (const body of broken) {
      const whole = await refusal(body)
      expect(whole).not.toBeNull()
      for (let cut = 0; cut <= body.length; cut++) expect(await refusal(body, [cut])).toBe(whole)
    }
  })
})

describe('a form that ends early', () => {
  it('is refused at every byte before its last boundary', async () => {
    const body = Buffer.from(form(field('a'), file, field('z')))
    const whole = body.length - '\r\n'.length
    for (let length = 0; length < whole; length++)
      expect(await refusal(body.subarray(0, length)), `${length} bytes`).toBe('bad')
    expect(await refusal(body.subarray(0, whole))).toBeNull()
  })

  it('because its sender went away is not called malformed', async () => {
    async function* gone() {
      yield Buffer.from(form(file).slice(0, 200))
      throw new SenderGone('the sender went away')
    }
    await expect(refusal(gone())).rejects.toThrow(SenderGone)
  })
})

describe('a form is refused', () => {
  const header = (line: string) => form(part([disposition, line]))
  const named = (parameters: string) => form(part(`Content-Disposition: form-data; ${parameters}`))
  const bad: [string, string][] = [
    ['nothing at all', ''],
    ['another boundary', form(file).replaceAll(boundary, 'other')],
    ['no last boundary', file],
    ['two files of one name', form(file, file)],
    ['two files of two names', form(file, file.replace('name="file"', 'name="other"'))],
    ['two files, the first of another name', form(file.replace('name="file"', 'name="other"'), file)],
    ['two files with fields between', form(file, field('a'), file)],
    ['a second file that is empty', form(file, named('name="file"; filename=""').slice(0, -end.length))],
    ['text after a boundary', form(file).replace(`${boundary}\r\n`, `${boundary}x\r\n`)],
    ['a long blank after a boundary', form(file).replace(`${boundary}\r\n`, `${boundary}${' '.repeat(1000)}\r\n`)],
    ['lone line feeds', form(file).replaceAll('\r\n', '\n')],
    ['lone carriage returns', form(file).replaceAll('\r\n', '\r')],
    ['a part without headers', `--${boundary}\r\n\r\ncontent\r\n${end}`],
    ['a part without a line break before its content', `--${boundary}\r\ncontent\r\n${end}`],
    ['a part that is no form-data', form(part('Content-Disposition: attachment; filename="photo.jpg"'))],
    ['a part without a disposition', form(part('Content-Type: image/jpeg'))],
    ['a disposition without parameters', form(part('Content-Disposition: form-data'))],
    ['a part without a name', named('filename="photo.jpg"')],
    ['a folded header', header('X-Folded: a\r\n b')],
    ['a folded disposition', form(part('Content-Disposition: form-data;\r\n name="file"; filename="photo.jpg"'))],
    ['a header without a colon', header('nothing')],
    ['a header without a name', header(': value')],
    ['a blank before the colon', header('X-Blank : value')],
    ['a NUL in a header', header('X-Nul: a\0b')],
    ['a NUL in a name', named('name="file"; filename="photo.jpg\0.exe"')],
    ['a lone carriage return in a header', header('X: a\rb')],
    ['a lone line feed in a header', header('X: a\nb')],
    ['a header twice', header(disposition)],
    ['a type twice', form(part([disposition, 'Content-Type: image/jpeg', 'content-type: text/html']))],
    ['name twice', named('name="file"; name="other"; filename="a.jpg"')],
    ['filename twice', named('name="file"; filename="a.jpg"; filename="b.php"')],
    ['filename twice, in other letters', named('name="file"; filename="a.jpg"; FILENAME="b.php"')],
    ['filename and filename* that disagree', named('name="file"; filename="a.jpg"; filename*=UTF-8\'\'b.php')],
    ['filename* in another charset', named('name="file"; filename*=ISO-8859-1\'\'gr%FC.jpg')],
    ['filename* that is no UTF-8', named('name="file"; filename*=UTF-8\'\'gr%FC.jpg')],
    ['filename* that is overlong UTF-8', named('name="file"; filename*=UTF-8\'\'%C0%AE.jpg')],
    ['filename* with half a character', named('name="file"; filename*=UTF-8\'\'%ED%A0%80.jpg')],
    ['filename* without a charset', named('name="file"; filename*=photo.jpg')],
    ['filename* with a NUL', named('name="file"; filename*=UTF-8\'\'a.php%00.jpg')],
    ['filename* with a line break', named('name="file"; filename*=UTF-8\'\'a%0D%0AX: y.jpg')],
    ['a quote that is not closed', named('name="file"; filename="photo.jpg')],
    ['a quote that is escaped away', named('name="file"; filename="photo.jpg\\"')],
    ['a parameter without a value', named('name="file"; filename')],
    ['an empty parameter', named('name=; filename="a.jpg"')],
    ['text after a quote', named('name="file"x; filename="a.jpg"')],
    ['no separator', named('name="file" filename="a.jpg"')],
    ['content that is said to be base64', header('Content-Transfer-Encoding: base64')],
    ['content that is said to be quoted-printable', header('Content-Transfer-Encoding: quoted-printable')],
    ['a part that is multipart itself', header('Content-Type: multipart/mixed; boundary=inner')],
    ['a part that is multipart itself, in other letters', header('Content-Type: MultiPart/Form-Data')],
    ['ten thousand parts', form(field('a').repeat(10_000), file)],
    ['ten thousand parts after its file', form(file, field('a').repeat(10_000))],
    ['ten thousand headers', form(part([disposition, ...Array.from({ length: 10_000 }, (_, i) => `X-${i}: y`)]))],
    ['33 headers', form(part([disposition, ...Array.from({ length: 32 }, (_, i) => `X-${i}: y`)]))],
    ['a header of 17 KiB', header(`X: ${'y'.repeat(17_000)}`)],
    ['headers without an end', `--${boundary}\r\n${'X: y\r\n'.repeat(100_000)}`],
    ['a field of more than 64 KiB', form(field('a', 'x'.repeat(65_537)), file)],
    ['a field of more than 64 KiB after its file', form(file, field('a', 'x'.repeat(65_537)))],
    ['too much before its first boundary', `${'x'.repeat(9000)}\r\n${form(file)}`],
    ['too much after its last boundary', `${form(file)}${'x'.repeat(9000)}`],
  ]
  it.each(bad)('for %s', async (_, body) => {
    expect(await refusal(body)).toBe('bad')
  })

  it('without a file it is told apart: that is a file missing', async () => {
    const empty = named('name="file"; filename=""').replace('content', '')
    for (const body of [
      end,
      form(field('a')),
      form(field('file')),
      form(file.replace('name="file"', 'name="File"')),
      empty,
    ])
      expect(await refusal(body)).toBe('missing')
  })

  it('not for a field that a browser sends for a file that was not chosen, beside one that was', async () => {
    const none = part('Content-Disposition: form-data; name="other"; filename=""', '')
    expect((await read(form(none, file))).filename).toBe('photo.jpg')
  })
})

describe('a form is not read further than needed', () => {
  /** Reads from an endless body and tells how much was asked for. */
  async function readOf(start: string, more: string): Promise<{ outcome: string | null; bytes: number }> {
    let bytes = 0
    async function* endless() {
      yield Buffer.from(start, 'latin1')
      const piece = Buffer.from(more.repeat(Math.ceil(65_536 / more.length)), 'latin1')
      for (;;) {
        bytes += piece.length
        if (bytes > 1 << 30) throw new Error('it is read for ever')
        yield piece
      }
    }
    return { outcome: await refusal(endless()), bytes }
  }

  it.each([
    ['before its first boundary', '', 'x'],
    ['line breaks before its first boundary', '', '\r\n'],
    ['after its last boundary', form(file), 'x'],
    ['boundaries after its last', form(file), `\r\n--${boundary}`],
    ['in a header', `--${boundary}\r\nX: `, 'x'],
    ['in blanks of a header', `--${boundary}\r\nX: `, ' '],
    ['in headers', `--${boundary}\r\n`, 'X: y\r\n'],
    ['in a field', `--${boundary}\r\nContent-Disposition: form-data; name="a"\r\n\r\n`, 'x'],
    ['in fields', '', field('a')],
    ['after a boundary', `--${boundary}`, ' '],
    ['after a boundary, in other text', `--${boundary}`, 'x'],
  ])('that has gigabytes %s', async (_, start, more) => {
    const { outcome, bytes } = await readOf(start, more)
    expect(outcome).toBe('bad')
    expect(bytes).toBeLessThan(1024 * 1024)
  })

  it('that has gigabytes in a file of another name: then there is none of the right name', async () => {
    const { outcome, bytes } = await readOf(
      `--${boundary}\r\nContent-Disposition: form-data; name="other"; filename="a"\r\n\r\n`,
      'x',
    )
    expect(outcome).toBe('missing')
    expect(bytes).toBeLessThan(2 * 1024 * 1024)
  })

  it('than somebody reads its file', async () => {
    let asked = 0
    async function* counted() {
      yield Buffer.from(form(file).slice(0, 180), 'latin1')
      for (;;) {
        asked++
        yield Buffer.alloc(65_536)
      }
    }
    const { bytes } = await fileOf(counted(), boundary, 'file')
    const reading = bytes[Symbol.asyncIterator]()
    expect(asked).toBeLessThanOrEqual(1)
    for (let i = 0; i < 5; i++) await reading.next()
    expect(asked).toBeLessThanOrEqual(6)
    await reading.return?.()
    expect(asked).toBeLessThanOrEqual(6)
  })
})

describe('a form takes a time that grows with its length only', () => {
  const blanks = ' '.repeat(15_000)
  it.each([
    ['blanks in a header and a NUL', form(part([disposition, `X:${blanks}\0`]))],
    ['blanks inside a header', form(part([disposition, `X: a${blanks}b`]))],
    ['blanks in the parameters', form(part(`Content-Disposition: form-data; name="file"${blanks}x`))],
    [
      'blanks and a semicolon in the parameters',
      form(part(`Content-Disposition: form-data; name="file"${blanks};${blanks.slice(300)}x`)),
    ],
    ['semicolons in the parameters', form(part(`Content-Disposition: form-data; name="file"${';'.repeat(15_000)}x`))],
    ['backslashes in a quote', form(part(`Content-Disposition: form-data; name="${'\\'.repeat(15_000)}`))],
    ['quotes in the parameters', form(part(`Content-Disposition: form-data; name=${'"a"'.repeat(5000)}`))],
    [
      'percents in filename*',
      form(part(`Content-Disposition: form-data; name="file"; filename*=UTF-8''${'%'.repeat(15_000)}`)),
    ],
    ['carriage returns in a file', form(part(disposition, '\r'.repeat(3_000_000)))],
    ['line breaks in a file', form(part(disposition, '\r\n-'.repeat(1_000_000)))],
    ['half boundaries in a file', form(part(disposition, `\r\n--${boundary.slice(0, -1)}`.repeat(50_000)))],
  ])('%s', async (_, body) => {
    const before = process.cpuUsage().user
    await refusal(
      body,
      Array.from({ length: 40 }, (_, i) => 65_536 * (i + 1)),
    )
    // Microseconds: what is not linear takes seconds, or years.
    expect(process.cpuUsage().user - before).toBeLessThan(1_500_000)
  })

  it('and so does its Content-Type', () => {
    const before = process.cpuUsage().user
    for (const given of [
      blanks,
      `;${blanks}x`,
      `${blanks};x`,
      `; boundary="${'\\'.repeat(15_000)}`,
      `; boundary=${'x'.repeat(15_000)}`,
    ])
      expect(() => boundaryOf(`multipart/form-data${given}`)).toThrow(BadRequest)
    expect(process.cpuUsage().user - before).toBeLessThan(1_500_000)
  })
})

describe('any bytes at all', () => {
  it('are a form, or are refused as none: five thousand mutations of good forms', async () => {
    const random = numbers(20_261_002)
    const good = [
      form(file),
      form(field('a'), file, field('z')),
      form(part(['Content-Disposition: form-data; name="file"; filename*=UTF-8\'\'%C3%BC.jpg', 'Content-Type: a/b'])),
    ]
    const fragments = [
      '\r\n',
      '--',
      boundary,
      `\r\n--${boundary}`,
      '"',
      '\\',
      ';',
      ':',
      '\0',
      '\r',
      '\n',
      ' ',
      '%',
      "'",
      '=',
      'name=',
      'filename=',
      'Content-Type: ',
    ]
    const outcomes = new Map<string | null, number>()
    for (let i = 0; i < 5000; i++) {
      const body = mutated(good[random(good.length)]!, fragments, random)
      const outcome = await refusal(body, [random(body.length + 1), random(body.length + 1)])
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    expect([...outcomes.keys()].sort()).toEqual(['bad', 'missing', null].sort())
  })
})

describe('a boundary', () => {
  const type = (boundary: string) => `multipart/form-data; boundary=${boundary}`

  it.each([
    ['x', 'x'],
    ['"x"', 'x'],
    ['"with blanks inside"', 'with blanks inside'],
    [`"it's (a)+_,-./:=?b"`, "it's (a)+_,-./:=?b"],
    ['a'.repeat(70), 'a'.repeat(70)],
    ['----WebKitFormBoundary7MA4YWxkTrZu0gW', '----WebKitFormBoundary7MA4YWxkTrZu0gW'],
    ['x; charset=utf-8', 'x'],
    ['x ;', 'x'],
  ])('is taken as given: %s', async (given, found) => {
    expect(boundaryOf(type(given))).toBe(found)
    expect(boundaryOf(type(given).replace('multipart/form-data', 'Multipart/Form-Data'))).toBe(found)
    expect((await read(form(file).replaceAll(boundary, found), [], found)).filename).toBe('photo.jpg')
  })

  it.each([
    ['no type', undefined],
    ['an empty type', ''],
    ['another type', 'application/json'],
    ['another multipart', 'multipart/mixed; boundary=x'],
    ['a longer type', 'multipart/form-data-x; boundary=x'],
    ['no boundary', 'multipart/form-data'],
    ['no boundary after the semicolon', 'multipart/form-data;'],
    ['another parameter', 'multipart/form-data; charset=utf-8'],
    ['an empty boundary', type('')],
    ['an empty boundary in quotes', type('""')],
    ['a boundary of 71 characters', type('a'.repeat(71))],
    ['a boundary that ends in a blank', type('"a "')],
    ['a boundary with a quote inside', type('"a\\"b"')],
    ['a boundary with a NUL', type('"a\0b"')],
    ['a boundary with a line break', type('"a\r\nb"')],
    ['a boundary that is not ASCII', type('"grüße"')],
    ['two boundaries', type('a; boundary=b')],
    ['a quote that is not closed', type('"a')],
    ['a second type', `${type('a')}, ${type('b')}`],
  ])('is refused: %s', (_, given) => {
    expect(() => boundaryOf(given)).toThrow(BadRequest)
  })
})
