import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { deflateSync } from 'node:zlib'
import PDFDocument from 'pdfkit'
import sharp from 'sharp'
import { escapedNames, objectStream, type PdfPart, pdfOf, revised, streamOf } from '../../fixtures/pdfs.ts'
import type { Bad, Good } from './sample.ts'

const type = 'application/pdf'

/** From the writers that people's machines have. */
export async function good(): Promise<Good[]> {
  const folder = mkdtempSync(join(tmpdir(), 'clipgate-corpus-'))
  const samples: Good[] = []
  const path = (name: string) => join(folder, name)
  /** Runs a program that writes one PDF. */
  const by = (name: string, origin: string, command: string, ...args: string[]) => {
    const { status, stderr } = spawnSync(command, args, { cwd: folder, encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command} ${args.join(' ')}: ${stderr}`)
    samples.push({ name, type, origin, bytes: readFileSync(path(name)) })
  }
  try {
    writeFileSync(path('kit.pdf'), await byPdfkit())
    samples.push({
      name: 'kit.pdf',
      type,
      origin: 'pdfkit: text, links, outline, form, picture',
      bytes: readFileSync(path('kit.pdf')),
    })
    for (const version of ['1.3', '1.4', '1.5', '1.6', '1.7', '1.7ext3'] as const) {
      const bytes = await byPdfkit(version)
      samples.push({ name: `kit-${version}.pdf`, type, origin: `pdfkit, version ${version}`, bytes })
    }
    writeFileSync(path('letter.html'), letter)
    const office = ['--headless', `-env:UserInstallation=file://${folder}/profile`, '--convert-to']
    const convert = (name: string, origin: string, filter: string) => {
      spawnSync('soffice', [...office, filter, 'letter.html'], { cwd: folder })
      spawnSync('mv', ['letter.pdf', name], { cwd: folder })
      samples.push({ name, type, origin, bytes: readFileSync(path(name)) })
    }
    const option = (name: string, value: string) =>
      `pdf:writer_web_pdf_Export:{"${name}":{"type":"${/^\d/.test(value) ? 'long' : 'boolean'}","value":"${value}"}}`
    convert('office.pdf', 'LibreOffice: a letter with links, a table, a form', 'pdf')
    convert('office-a1.pdf', 'LibreOffice: PDF/A-1b', option('SelectPdfVersion', '1'))
    convert('office-a2.pdf', 'LibreOffice: PDF/A-2b', option('SelectPdfVersion', '2'))
    convert('office-tagged.pdf', 'LibreOffice: tagged', option('UseTaggedPDF', 'true'))
    for (const source of ['kit.pdf', 'office.pdf']) {
      const base = source.replace('.pdf', '')
      for (const version of ['1.3', '1.4', '1.5', '1.7', '2.0'])
        by(
          `gs-${base}-${version}.pdf`,
          `Ghostscript, version ${version}, from ${base}`,
          'gs',
          '-q',
          '-dNOPAUSE',
          '-dBATCH',
          '-sDEVICE=pdfwrite',
          `-dCompatibilityLevel=${version}`,
          '-o',
          `gs-${base}-${version}.pdf`,
          source,
        )
      by(
        `gs-${base}-image.pdf`,
        `Ghostscript: pages as pictures, from ${base}`,
        'gs',
        '-q',
        '-dNOPAUSE',
        '-dBATCH',
        '-sDEVICE=pdfimage24',
        '-r40',
        '-o',
        `gs-${base}-image.pdf`,
        source,
      )
      const qpdf = (name: string, origin: string, ...args: string[]) =>
        by(
          `qpdf-${base}-${name}.pdf`,
          `qpdf: ${origin}, from ${base}`,
          'qpdf',
          ...args,
          source,
          `qpdf-${base}-${name}.pdf`,
        )
      qpdf('linear', 'linearized', '--linearize')
      qpdf('streams', 'object streams', '--object-streams=generate')
      qpdf('both', 'linearized with object streams', '--linearize', '--object-streams=generate')
      qpdf('qdf', 'for reading', '--qdf')
      qpdf('plain', 'nothing packed', '--object-streams=disable', '--stream-data=uncompress')
      qpdf('newest', 'made 2.0', '--force-version=2.0')
      by(`cairo-${base}.pdf`, `cairo by pdftocairo, from ${base}`, 'pdftocairo', '-pdf', source, `cairo-${base}.pdf`)
      by(`mupdf-${base}.pdf`, `MuPDF: cleaned, from ${base}`, 'mutool', 'clean', '-gggz', source, `mupdf-${base}.pdf`)
    }
    by('united.pdf', 'poppler: two put together', 'pdfunite', 'kit.pdf', 'office.pdf', 'united.pdf')
    by('separate.pdf', 'qpdf: one page of several', 'qpdf', 'kit.pdf', '--pages', '.', '1', '--', 'separate.pdf')
    writeFileSync(
      path('scan.jpg'),
      await sharp({ create: { width: 120, height: 160, channels: 3, background: '#ddd' } })
        .jpeg()
        .toBuffer(),
    )
    by('scan.pdf', 'img2pdf: a scanned page', 'img2pdf', 'scan.jpg', '-o', 'scan.pdf')
    const saved = revised(revised(pdfOf(), [[9, '<< /A (b) >>']]), [[9, 'null']])
    samples.push({ name: 'saved.pdf', type, origin: 'saved twice: two revisions more', bytes: saved })
    return samples
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

const letter = `<!doctype html><html><head><meta charset="utf-8"><title>Rechnung Nr. 12</title></head><body><h1>Rechnung</h1>
<p>Größe 42, 領収書, чек. See <a href="https://example.com/?a=1">our page</a> or <a href="mailto:a@example.com">write</a>.</p>
<form><input type="text" name="a" value="b"><input type="checkbox" name="c"><select name="s"><option>1</option></select></form>
<table border="1"><tr><td>1</td><td>2</td></tr></table></body></html>`

async function byPdfkit(pdfVersion: '1.3' | '1.4' | '1.5' | '1.6' | '1.7' | '1.7ext3' = '1.7'): Promise<Buffer> {
  const document = new PDFDocument({ pdfVersion, info: { Title: 'Über', CreationDate: new Date(0) } })
  const chunks: Buffer[] = []
  document.on('data', (chunk: Buffer) => chunks.push(chunk))
  const ended = new Promise((resolve) => document.on('end', resolve))
  document.fontSize(14).text('Dear customer', { link: 'https://example.com/', underline: true })
  document.outline.addItem('First')
  document.initForm()
  document.formText('name', 100, 200, 200, 20, { value: 'Anna' })
  document.formCheckbox('agreed', 100, 240, 20, 20)
  document.addPage().text('Second page', { goTo: 'first' })
  document.note(50, 50, 100, 20, 'a note')
  const picture = await sharp({ create: { width: 20, height: 20, channels: 4, background: '#36c8' } })
    .png()
    .toBuffer()
  document.image(picture, 100, 100)
  document.end()
  await ended
  return Buffer.concat(chunks)
}

/** None acts where it is opened: scripts would say "1", and addresses lead nowhere. */
export async function bad(): Promise<Bad[]> {
  const samples: Bad[] = []
  const add = (name: string, code: Bad['code'], origin: string, bytes: Buffer) =>
    samples.push({ name: `${name}.pdf`, type, origin, code, bytes })
  const active = (name: string, origin: string, parts: PdfPart[]) =>
    add(name, 'active_content', origin, pdfOf({ parts }))

  const script = '<< /S /JavaScript /JS (app.alert\\(1\\)) >>'
  const acting: [string, string, string][] = [
    ['script', 'JavaScript', script],
    ['launch', 'Launch', '<< /S /Launch /F (calc.exe) >>'],
    ['submit', 'SubmitForm', '<< /S /SubmitForm /F (http://example.invalid) >>'],
    ['remote', 'GoToR to a share', '<< /S /GoToR /F (\\\\\\\\example.invalid\\\\x) /D [0 /Fit] >>'],
    ['embedded', 'an embedded file', '<< /Type /Filespec /F (a.exe) /EF << /F 9 0 R >> >>'],
    ['media', 'RichMedia', '<< /Type /Annot /Subtype /RichMedia /Rect [0 0 9 9] >>'],
    ['xfa', 'XFA', '<< /Fields [] /XFA [(template) 9 0 R] >>'],
  ]
  for (const [name, origin, content] of acting) {
    active(name, origin, [[9, content]])
    active(`${name}-hex`, `${origin}, names in hexadecimal`, [[9, escapedNames(content)]])
    active(`${name}-objstm`, `${origin}, in an object stream`, [[8, objectStream([[9, content]])]])
    add(
      `${name}-old`,
      'active_content',
      `${origin}, in an older revision`,
      revised(pdfOf({ parts: [[9, content]] }), [[9, 'null']]),
    )
    add(`${name}-new`, 'active_content', `${origin}, in a later revision`, revised(pdfOf(), [[9, content]]))
  }
  active('goto-embedded', 'GoToE', [[9, '<< /S /GoToE /T << /R /C >> >>']])
  active('import', 'ImportData', [[9, '<< /S /ImportData /F (x.fdf) >>']])
  active('film', 'a film', [[9, '<< /Type /Annot /Subtype /Movie /Movie << /F (a.avi) >> >>']])
  active('sound', 'a sound', [[9, '<< /S /Sound /Sound 8 0 R >>']])
  active('rendition', 'a rendition', [[9, '<< /S /Rendition /R 8 0 R /OP 0 >>']])
  active('attached', 'an attachment', [[9, '<< /Type /Annot /Subtype /FileAttachment /FS 8 0 R >>']])
  active('names', 'embedded files by name', [[9, '<< /Names << /EmbeddedFiles << /Names [(a) 8 0 R] >> >> >>']])
  active('opens', 'a script as it is opened', [[1, `<< /Type /Catalog /Pages 2 0 R /OpenAction ${script} >>`]])
  active('opens-link', 'a page of the world as it is opened', [
    [1, '<< /Type /Catalog /Pages 2 0 R /OpenAction 9 0 R >>'],
    [9, '<< /S /URI /URI (http://example.invalid) >>'],
  ])
  active('page-opens', 'a script as a page is shown', [
    [3, `<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /AA << /O ${script} >> >>`],
  ])
  active('script-link', 'a link to a script', [[9, '<< /S /URI /URI (javascript:alert\\(1\\)) >>']])
  active('file-link', 'a link to a file', [[9, '<< /S /URI /URI (file:///c:/windows) >>']])
  active('elsewhere', 'a stream in another file', [[9, streamOf('/F (http://example.invalid/x)', '')]])
  active('postscript', 'PostScript', [[9, streamOf('/Type /XObject /Subtype /PS', 'showpage')]])
  const hidden = `\n9 0 obj\n${script}\nendobj\n`
  const inStream = pdfOf({ parts: [[7, streamOf('', hidden)]] }).toString('latin1')
  const offset = String(inStream.indexOf('9 0 obj')).padStart(10, '0')
  add(
    'in-stream',
    'active_content',
    'a script in the data of a stream, where the index points',
    Buffer.from(inStream.replace('0000000000 65535 f \n', `0000000000 65535 f \n9 1\n${offset} 00000 n \n`), 'latin1'),
  )
  add(
    'in-stream-broken',
    'active_content',
    'a script in the data of a stream, the index broken',
    Buffer.from(inStream.replace(/\d{10} 00000 n/, '0000000005 00000 n'), 'latin1'),
  )
  add(
    'no-index',
    'active_content',
    'a script that no index names',
    Buffer.from(pdfOf().toString('latin1').replace('xref\n', `9 0 obj ${script} endobj\nxref\n`), 'latin1'),
  )

  add(
    'encrypted',
    'encrypted',
    'encrypted, empty password',
    pdfOf({ trailer: '/Encrypt << /Filter /Standard /V 2 /R 3 >> ' }),
  )
  add(
    'encrypted-hex',
    'encrypted',
    'encrypted, the name in hexadecimal',
    pdfOf({ trailer: '/Encr#79pt << /Filter /Standard >> ' }),
  )
  add('box', 'bomb', 'a page of a kilometre', pdfOf({ parts: [[3, '<< /Type /Page /MediaBox [0 0 9999999 9] >>']] }))
  add(
    'unit',
    'bomb',
    'a unit that makes a page vast',
    pdfOf({ parts: [[3, '<< /Type /Page /UserUnit 75000 /MediaBox [0 0 9 9] >>']] }),
  )
  add(
    'picture',
    'bomb',
    'a picture of 65,000 × 65,000',
    pdfOf({ parts: [[9, streamOf('/Subtype /Image /Width 65000 /Height 65000', '')]] }),
  )
  const packed = deflateSync(Buffer.alloc(31 * 1024 * 1024))
  add(
    'unpacks',
    'bomb',
    'a page that unpacks to 31 MB',
    pdfOf({ parts: [[9, streamOf('/Filter /FlateDecode', packed)]] }),
  )
  add(
    'unpacks-objects',
    'bomb',
    'an object stream that unpacks to 31 MB',
    pdfOf({ parts: [[9, streamOf('/Type /ObjStm /N 1 /First 4 /Filter /FlateDecode', packed)]] }),
  )
  add(
    'piled',
    'bomb',
    'packed nine times',
    pdfOf({ parts: [[9, streamOf('/Filter [/A /B /C /D /E /F /G /H /I]', '')]] }),
  )
  add(
    'filter',
    'unscannable',
    'an object stream under a filter that we do not undo',
    pdfOf({ parts: [[9, streamOf('/Type /ObjStm /N 1 /First 4 /Filter /LZWDecode', 'x')]] }),
  )
  add('nests', 'corrupt', 'lists in lists', pdfOf({ parts: [[9, '['.repeat(5000)]] }))
  add('cut', 'corrupt', 'its second half is missing', pdfOf().subarray(0, 200))
  add('no-end', 'corrupt', 'its last line is missing', pdfOf().subarray(0, -7))
  add('cut-revision', 'corrupt', 'its last revision is cut', revised(pdfOf(), [[9, '<< /A (b) >>']]).subarray(0, -30))
  add(
    'junk-before',
    'type_mismatch',
    'something of 1,000 bytes before it',
    Buffer.concat([Buffer.alloc(1000, 0xff), pdfOf()]),
  )
  add(
    'zip-behind',
    'polyglot',
    'a ZIP behind it',
    Buffer.concat([pdfOf(), Buffer.from('504b0304', 'hex'), Buffer.alloc(40, 1)]),
  )
  add('two', 'polyglot', 'two PDFs in one', Buffer.concat([pdfOf(), pdfOf()]))
  add(
    'page-first',
    'polyglot',
    'a page for browsers in its first comment',
    Buffer.from(pdfOf().toString('latin1').replace('\n', '\n%<script>alert(1)</script>\n'), 'latin1'),
  )
  samples.push({
    name: 'photo.jpg',
    type: 'image/jpeg',
    origin: 'a PDF as a photo',
    code: 'type_mismatch',
    bytes: pdfOf(),
  })
  samples.push({
    name: 'letter.pdf.exe',
    type,
    origin: 'an ending that a system runs',
    code: 'type_mismatch',
    bytes: pdfOf(),
  })
  return samples
}
