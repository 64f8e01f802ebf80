import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateRawSync, gzipSync } from 'node:zlib'
import { pdfOf } from '../../fixtures/pdfs.ts'
import { type ZipPart, zipOf } from '../../fixtures/zips.ts'
import type { Bad, Good } from './sample.ts'

const zip = 'application/zip'
const ooxml = 'application/vnd.openxmlformats-officedocument.'
const [docx, xlsx, pptx] = ['wordprocessingml.document', 'spreadsheetml.sheet', 'presentationml.presentation'].map(
  (name) => ooxml + name,
) as [string, string, string]
const odf = (name: string) => `application/vnd.oasis.opendocument.${name}`

export async function good(): Promise<Good[]> {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-corpus-'))
  const samples: Good[] = []
  const keep = (name: string, type: string, origin: string, bytes: Buffer) =>
    samples.push({ name, type, origin, bytes })
  const run = (command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
  }
  try {
    mkdirSync(join(folder, 'papers/inner'), { recursive: true })
    writeFileSync(join(folder, 'papers/letter.pdf'), pdfOf())
    writeFileSync(join(folder, 'papers/notes.txt'), 'Grüße\n'.repeat(100))
    writeFileSync(join(folder, 'papers/inner/Rechnung Größe 42.txt'), 'x')
    const zipped = (name: string, origin: string, command: string, ...args: string[]) => {
      run(command, ...args)
      keep(name, zip, origin, readFileSync(join(folder, name)))
    }
    zipped('zip.zip', 'Info-ZIP', 'zip', '-qrX', 'zip.zip', 'papers')
    zipped('extra.zip', 'Info-ZIP, with times and owners', 'zip', '-qr', 'extra.zip', 'papers')
    zipped('store.zip', 'Info-ZIP, stored', 'zip', '-qr0', 'store.zip', 'papers')
    zipped('nested.zip', 'Info-ZIP, with another inside', 'zip', '-qr', 'nested.zip', 'zip.zip', 'papers')
    const python = (name: string, origin: string, script: string) =>
      zipped(
        name,
        origin,
        'python3',
        '-c',
        `import zipfile,sys\nz=zipfile.ZipFile('${name}','w',zipfile.ZIP_DEFLATED)\n${script}\nz.close()`,
      )
    python('python.zip', 'Python zipfile', "z.write('papers/notes.txt')\nz.comment=b'hello'")
    python(
      'wide.zip',
      'Python zipfile, long numbers',
      "f=z.open('a.txt','w',force_zip64=True)\nf.write(b'x'*1000)\nf.close()",
    )
    python('empty.zip', 'Python zipfile, empty', '')
    keep(
      'stream.zip',
      zip,
      'written as a stream: sizes behind the data',
      zipOf({ parts: [{ name: 'a.txt', content: 'hello '.repeat(50), late: true }] }),
    )

    writeFileSync(join(folder, 'table.csv'), 'a,b,c\n1,2,=A2+B2\n"x, y",-5,€\n')
    const office = (from: string, to: string, name: string, type: string) => {
      run(
        'soffice',
        '--headless',
        `-env:UserInstallation=file://${folder}/profile`,
        '--convert-to',
        to,
        '--outdir',
        'out',
        from,
      )
      const ending = to.split(':')[0]!
      keep(
        name,
        type,
        `LibreOffice: ${ending}`,
        readFileSync(join(folder, 'out', from.replace(/\.\w+$/, `.${ending}`))),
      )
    }
    writeFileSync(join(folder, 'letter.txt'), 'Größe\n領収書\n')
    office('letter.txt', 'odt:writer8', 'letter.odt', odf('text'))
    writeFileSync(join(folder, 'letter2.odt'), samples.at(-1)!.bytes)
    office('letter2.odt', 'docx:MS Word 2007 XML', 'letter.docx', docx)
    office('letter2.odt', 'docx:Office Open XML Text', 'letter-strict.docx', docx)
    office('table.csv', 'xlsx:Calc MS Excel 2007 XML', 'table.xlsx', xlsx)
    office('table.csv', 'ods:calc8', 'table.ods', odf('spreadsheet'))
    writeFileSync(join(folder, 'slide.fodp'), slide)
    office('slide.fodp', 'odp:impress8', 'slide.odp', odf('presentation'))
    office('slide.fodp', 'pptx:Impress MS PowerPoint 2007 XML', 'slide.pptx', pptx)
    keep('hand.docx', docx, 'written by hand: links, fields, a chart’s table', document({}))
    return samples
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const slide = `<?xml version="1.0" encoding="UTF-8"?><office:document xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" xmlns:draw="urn:oasis:names:tc:opendocument:xmlns:drawing:1.0" xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" xmlns:svg="urn:oasis:names:tc:opendocument:xmlns:svg-compatible:1.0" office:version="1.2" office:mimetype="application/vnd.oasis.opendocument.presentation"><office:body><office:presentation><draw:page><draw:frame svg:width="10cm" svg:height="2cm"><draw:text-box><text:p>Hello</text:p></draw:text-box></draw:frame></draw:page></office:presentation></office:body></office:document>`

const relationshipBase = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

interface DocumentWish {
  /** Main part's content type. */
  main?: string
  body?: string
  /** `[kind, target, external]` of the main part. */
  links?: [kind: string, target: string, external: boolean][]
  parts?: ZipPart[]
  types?: string
}

/** A DOCX by hand. */
function document({ main = `${docx}.main+xml`, body = '', links = [], parts = [], types = '' }: DocumentWish): Buffer {
  const relationships = (all: [string, string, boolean][]) =>
    `<?xml version="1.0"?><Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${all
      .map(
        ([kind, target, external], i) =>
          `<Relationship Id="r${i}" Type="${relationshipBase}/${kind}" Target="${target}"${external ? ' TargetMode="External"' : ''}/>`,
      )
      .join('')}</Relationships>`
  const own: ZipPart[] = [
    {
      name: '[Content_Types].xml',
      content: `<?xml version="1.0"?><Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types"><Default Extension="xml" ContentType="application/xml"/><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Override PartName="/word/document.xml" ContentType="${main}"/>${types}</Types>`,
    },
    { name: '_rels/.rels', content: relationships([['officeDocument', 'word/document.xml', false]]) },
    {
      name: 'word/document.xml',
      content: `<?xml version="1.0"?><w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main" xmlns:o="urn:o"><w:body><w:p><w:r><w:t>Hello</w:t></w:r></w:p>${body}</w:body></w:document>`,
    },
    {
      name: 'word/_rels/document.xml.rels',
      content: relationships(links.length > 0 ? links : [['hyperlink', 'https://example.com', true]]),
    },
  ]
  const names = new Set(parts.map(({ name }) => name))
  return zipOf({ parts: [...own.filter(({ name }) => !names.has(name)), ...parts] })
}

const field = (...runs: string[]) =>
  `<w:p><w:r><w:fldChar w:fldCharType="begin"/></w:r>${runs.map((run) => `<w:r><w:instrText>${run}</w:instrText></w:r>`).join('')}<w:r><w:fldChar w:fldCharType="end"/></w:r></w:p>`

/** None does anything where it is opened, but take room; addresses lead nowhere. */
export async function bad(): Promise<Bad[]> {
  const samples: Bad[] = []
  const add = (name: string, code: Bad['code'], origin: string, bytes: Buffer, type = zip) =>
    samples.push({ name, type, origin, code, bytes })
  const parts: ZipPart[] = [
    { name: 'a.txt', content: 'hello '.repeat(20) },
    { name: 'b.txt', content: 'x', stored: true },
  ]
  const zeros = (megabytes: number) => Buffer.alloc(megabytes * 1024 * 1024)

  add(
    'one.zip',
    'bomb',
    'one entry expands to 31 MB, which an engine calls clean',
    zipOf({ parts: [{ name: 'a', content: zeros(31) }] }),
  )
  add(
    'sum.zip',
    'bomb',
    '100 entries of 1 MB',
    zipOf({ parts: Array.from({ length: 100 }, (_, i) => ({ name: `${i}`, content: zeros(1) })) }),
  )
  add('ratio.zip', 'bomb', 'expands a thousand times', zipOf({ parts: [{ name: 'a', content: zeros(2) }] }))
  add(
    'zero.zip',
    'bomb',
    'says size 0, sizes behind the data',
    zipOf({ parts: [{ name: 'a', content: zeros(2), lies: { size: 0 }, late: true }] }),
  )
  add('lies.zip', 'bomb', 'says 10 bytes', zipOf({ parts: [{ name: 'a', content: zeros(2), lies: { size: 10 } }] }))
  add(
    'many.zip',
    'bomb',
    '1,001 entries',
    zipOf({ parts: Array.from({ length: 1001 }, (_, i) => ({ name: `${i}`, stored: true })) }),
  )
  add(
    'uncounted.zip',
    'bomb',
    '65,537 empty entries, counted as 1',
    zipOf({ parts: Array.from({ length: 1200 }, (_, i) => ({ name: `${i}`, stored: true })), count: 65_537 + 1199 }),
  )
  let nested = zipOf({ parts })
  for (let depth = 0; depth < 5; depth++)
    nested = zipOf({ parts: Array.from({ length: 3 }, (_, i) => ({ name: `${i}.zip`, content: nested })) })
  add('levels.zip', 'bomb', 'three in each of five levels (as 42.zip)', nested)
  const packed = deflateRawSync(zeros(1))
  const over = packed.length + 35
  add(
    'overlap.zip',
    'bomb',
    'entries over each other (as of Fifield)',
    zipOf({
      parts: [
        { name: 'a', content: packed, stored: true, lies: { packedSize: over, size: over } },
        { name: 'b', content: 'x', stored: true },
      ],
    }),
  )
  add('gz.zip', 'bomb', 'a gzip inside', zipOf({ parts: [{ name: 'a.gz', content: gzipSync(zeros(5)) }] }))
  add(
    '7z.zip',
    'unscannable',
    'a 7z inside (head only)',
    zipOf({ parts: [{ name: 'a', content: Buffer.from('377abcaf271c0004', 'hex') }] }),
  )
  add(
    'rar.zip',
    'unscannable',
    'a RAR inside (head only)',
    zipOf({ parts: [{ name: 'a', content: Buffer.from('526172211a070100', 'hex') }] }),
  )
  add('password.zip', 'encrypted', 'encrypted', zipOf({ parts: [{ name: 'a', content: 'x', lies: { flags: 1 } }] }))
  add(
    'aes.zip',
    'encrypted',
    'encrypted by AES',
    zipOf({ parts: [{ name: 'a', content: 'x', lies: { method: 99, flags: 1 } }] }),
  )
  add(
    'method.zip',
    'unscannable',
    'packed by bzip2',
    zipOf({ parts: [{ name: 'a', content: 'x', lies: { method: 12 } }] }),
  )
  add(
    'sum-wrong.zip',
    'corrupt',
    'a wrong check sum',
    zipOf({ parts: [{ name: 'a', content: 'x', lies: { crc: 1 } }] }),
  )
  add(
    'two-names.zip',
    'corrupt',
    'an entry with two names',
    zipOf({ parts: [{ name: 'a.txt', content: 'x', local: { name: 'a.exe' } }] }),
  )
  add(
    'twice.zip',
    'corrupt',
    'a name that is there twice',
    zipOf({
      parts: [
        { name: 'a.txt', content: 'x' },
        { name: 'A.TXT', content: 'y' },
      ],
    }),
  )
  add('count.zip', 'corrupt', 'fewer entries than it has', zipOf({ parts, count: 1 }))
  add('cut.zip', 'corrupt', 'its end is missing', zipOf({ parts }).subarray(0, -30))
  add('gap.zip', 'polyglot', 'something between its entries', zipOf({ parts, gap: Buffer.from('hidden') }))
  add(
    'before.zip',
    'type_mismatch',
    'a picture before it',
    Buffer.concat([Buffer.from('GIF89a\x01\0\x01\0\0\0\0;', 'latin1'), zipOf({ parts })]),
  )
  add(
    'behind.zip',
    'polyglot',
    'a page behind it',
    Buffer.concat([zipOf({ parts }), Buffer.from('<script>alert(1)</script>')]),
  )
  add('link.zip', 'active_content', 'a link', zipOf({ parts: [{ name: 'a', content: '/etc/passwd', mode: 0o120777 }] }))
  add('device.zip', 'active_content', 'a device', zipOf({ parts: [{ name: 'a', mode: 0o060666 }] }))
  for (const [name, entry] of Object.entries({
    dots: '../a.txt',
    absolute: '/a.txt',
    drive: 'C:\\a.txt',
    share: '\\\\example.invalid\\a',
    nul: 'a.exe\0.txt',
    line: 'a\n.txt',
    turned: 'a\u202etxt.exe',
  }))
    add(
      `name-${name}.zip`,
      'active_content',
      `an entry ${JSON.stringify(entry)}`,
      zipOf({ parts: [{ name: entry, content: 'x' }] }),
    )
  for (const ending of ['exe', 'js', 'lnk', 'hta', 'iso', 'docm', 'jar'])
    add(
      `${ending}.zip`,
      'active_content',
      `an entry that ends in .${ending}`,
      zipOf({ parts: [{ name: `invoice.${ending}`, content: 'x' }] }),
    )
  add(
    'program.zip',
    'active_content',
    'a program that is called a text',
    zipOf({ parts: [{ name: 'a.txt', content: `MZ${'\0'.repeat(100)}` }] }),
  )
  add(
    'elf.zip',
    'active_content',
    'a program of Linux',
    zipOf({ parts: [{ name: 'a', content: `\x7fELF\x02\x01\x01${'\0'.repeat(100)}` }] }),
  )
  add(
    'pdf.zip',
    'active_content',
    'a PDF with a script inside',
    zipOf({
      parts: [{ name: 'a.pdf', content: pdfOf({ parts: [[9, '<< /S /JavaScript /JS (app.alert\\(1\\)) >>']] }) }],
    }),
  )
  add('docx.zip', 'type_mismatch', 'a document that is called a ZIP', document({}))

  const word = (name: string, code: Bad['code'], origin: string, wish: DocumentWish) =>
    add(`${name}.docx`, code, origin, document(wish), docx)
  const active = (name: string, origin: string, wish: DocumentWish) => word(name, 'active_content', origin, wish)
  word('docm', 'type_mismatch', 'a DOCM that is called a DOCX', {
    main: 'application/vnd.ms-word.document.macroEnabled.main+xml',
  })
  active('vba', 'a project of macros', { parts: [{ name: 'word/vbaProject.bin', content: 'x' }] })
  active('vba-renamed', 'a project of macros under another name', {
    links: [['http://schemas.microsoft.com/office/2006/relationships/vbaProject'.slice(-10), 'data.bin', false]],
    parts: [{ name: 'word/data.bin', content: 'x' }],
  })
  active('vba-type', 'a project of macros by its type', {
    types: '<Override PartName="/word/d.bin" ContentType="application/vnd.ms-office.vbaProject"/>',
    parts: [{ name: 'word/d.bin', content: 'x' }],
  })
  active('template', 'a template that lies elsewhere', {
    links: [['attachedTemplate', 'http://example.invalid/a.dotm', true]],
  })
  active('picture', 'a picture that lies elsewhere', { links: [['image', 'http://example.invalid/a.png', true]] })
  active('frame', 'a frame that lies elsewhere', { links: [['frame', 'http://example.invalid/', true]] })
  active('ole-link', 'an object that lies elsewhere', { links: [['oleObject', 'file:///c:/a.xls', true]] })
  active('share', 'a link to a share', { links: [['hyperlink', '\\\\example.invalid\\a', true]] })
  active('script-link', 'a link to a script', { links: [['hyperlink', 'javascript:alert(1)', true]] })
  active('ole', 'an embedded object', { parts: [{ name: 'word/embeddings/oleObject1.bin', content: 'x' }] })
  active('activex', 'ActiveX', { parts: [{ name: 'word/activeX/activeX1.xml', content: '<a/>' }] })
  active('dde', 'DDE', { body: field(' DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe "/k calc" ') })
  active('dde-split', 'DDE in several runs', { body: field(' DD', 'E', 'AUTO c:\\\\cmd') })
  active('dde-simple', 'DDE as a simple field', { body: '<w:p><w:fldSimple w:instr="DDE excel a b"/></w:p>' })
  active('include', 'a text that is fetched', { body: field(' INCLUDETEXT "http://example.invalid/a" ') })
  active('ribbon', 'buttons with macros', {
    parts: [{ name: 'customUI/customUI.xml', content: '<customUI onLoad="x"/>' }],
  })
  active('xxe', 'an external entity', {
    parts: [
      {
        name: 'word/document.xml',
        content: '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
      },
    ],
  })
  active('laughs', 'a billion laughs', {
    parts: [
      {
        name: 'word/settings.xml',
        content: '<?xml version="1.0"?><!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]><l>&b;</l>',
      },
    ],
  })
  active('xxe-16', 'an external entity in UTF-16', {
    parts: [
      {
        name: 'word/document.xml',
        content: Buffer.from('\ufeff<!DOCTYPE a SYSTEM "http://example.invalid"><a/>', 'utf16le'),
      },
    ],
  })
  active('program', 'a program inside', {
    parts: [{ name: 'word/media/image1.png', content: `MZ${'\0'.repeat(100)}` }],
  })
  word('gz', 'bomb', 'a gzip inside', {
    parts: [{ name: 'word/media/image1.png', content: gzipSync(zeros(5)) }],
  })
  word('bomb', 'bomb', 'a part that expands to 31 MB', {
    parts: [{ name: 'word/media/image1.png', content: zeros(31) }],
  })
  word('template-type', 'type_mismatch', 'a template that is called a document', {
    main: `${ooxml}wordprocessingml.template.main+xml`,
  })
  word('sheet', 'type_mismatch', 'a table that is called a document', { main: `${xlsx}.main+xml` })
  word('not-xml', 'corrupt', 'its main part is cut', {
    parts: [{ name: 'word/document.xml', content: '<w:document xmlns:w="w"><w:body>' }],
  })
  word('deep', 'unscannable', 'elements in elements', {
    parts: [{ name: 'word/document.xml', content: '<a>'.repeat(2000) + '</a>'.repeat(2000) }],
  })
  const table = (name: string, origin: string, wish: DocumentWish) =>
    add(`${name}.xlsx`, 'active_content', origin, document({ main: `${xlsx}.main+xml`, ...wish }), xlsx)
  table('macrosheet', 'a sheet of Excel 4 macros', { parts: [{ name: 'xl/macrosheets/sheet1.xml', content: '<a/>' }] })
  table('macrosheet-type', 'a sheet of Excel 4 macros by its type', {
    types: '<Override PartName="/xl/a.xml" ContentType="application/vnd.ms-excel.macrosheet+xml"/>',
  })
  table('ddelink', 'a DDE link', {
    parts: [
      { name: 'xl/a.xml', content: '<externalLink><ddeLink ddeService="cmd" ddeTopic="/c calc"/></externalLink>' },
    ],
  })
  table('formula', 'a formula that calls a program', {
    parts: [{ name: 'xl/a.xml', content: "<c><f>cmd|'/c calc'!A0</f></c>" }],
  })
  table('web', 'a formula that fetches', {
    parts: [{ name: 'xl/a.xml', content: '<c><f>WEBSERVICE("http://example.invalid")</f></c>' }],
  })
  table('connections', 'data that is fetched', {
    types:
      '<Override PartName="/xl/c.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.connections+xml"/>',
  })
  add(
    'start.pptx',
    'active_content',
    'a click that starts a program',
    document({ main: `${pptx}.main+xml`, parts: [{ name: 'ppt/a.xml', content: '<a action="ppaction://program"/>' }] }),
    pptx,
  )

  const manifest = (inner = '') => `<manifest:manifest xmlns:manifest="m">${inner}</manifest:manifest>`
  const open = (name: string, code: Bad['code'], origin: string, content: string, more: ZipPart[] = [], inner = '') =>
    add(
      `${name}.odt`,
      code,
      origin,
      zipOf({
        parts: [
          { name: 'mimetype', content: odf('text'), stored: true },
          { name: 'content.xml', content },
          ...more,
          { name: 'META-INF/manifest.xml', content: manifest(inner) },
        ],
      }),
      odf('text'),
    )
  open('macro', 'active_content', 'a macro', '<a/>', [{ name: 'Basic/Standard/Module1.xml', content: '<a/>' }])
  open('script', 'active_content', 'a script', '<a/>', [{ name: 'Scripts/python/a.py', content: 'x' }])
  open('event', 'active_content', 'an event that runs', '<o xmlns:s="s"><s:event-listener/></o>')
  open(
    'object',
    'active_content',
    'an object that lies elsewhere',
    '<o xmlns:x="x"><object x:href="http://example.invalid"/></o>',
  )
  open(
    'picture',
    'active_content',
    'a picture that lies elsewhere',
    '<o xmlns:x="x"><image x:href="http://example.invalid/a.png"/></o>',
  )
  open('dde', 'active_content', 'DDE', '<dde-source/>')
  open('xxe', 'active_content', 'an external entity', '<!DOCTYPE a SYSTEM "http://example.invalid"><a/>')
  open('encrypted', 'encrypted', 'encrypted', '<a/>', [], '<manifest:encryption-data/>')
  return samples
}
