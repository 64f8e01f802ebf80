import { describe, expect, it } from 'vitest'
import { examined } from '../../../../tests/fixtures/examined.ts'
import { zipOf } from '../../../../tests/fixtures/zips.ts'

const office = 'application/vnd.openxmlformats-officedocument.'
const pptx = `${office}presentationml.presentation`
const docx = `${office}wordprocessingml.document`
const xlsx = `${office}spreadsheetml.sheet`
const schemas = 'http://schemas.openxmlformats.org/officeDocument/2006/relationships'

interface Wish {
  /** Content type of the main part. */
  main?: string
  /** Of the package: which parts are its document. */
  documents?: string[]
  overrides?: [string, string][]
  /** Of the one slide. */
  slide?: string
  /** Its relationships. */
  links?: string
  parts?: { name: string; content: string }[]
}

/** A presentation with one slide. */
function presentation(wish: Wish = {}): Buffer {
  const {
    main = `${pptx}.main+xml`,
    documents = ['ppt/presentation.xml'],
    overrides = [],
    slide = '',
    links = '',
    parts = [],
  } = wish
  const types: [string, string][] = [
    ['/ppt/presentation.xml', main],
    ['/ppt/slides/slide1.xml', `${office}presentationml.slide+xml`],
    ...overrides,
  ]
  const relationships = (inner: string) =>
    `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">${inner}</Relationships>`
  return zipOf({
    parts: [
      {
        name: '[Content_Types].xml',
        content: `<Types><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>${types
          .map(([name, type]) => `<Override PartName="${name}" ContentType="${type}"/>`)
          .join('')}</Types>`,
      },
      {
        name: '_rels/.rels',
        content: relationships(
          documents
            .map((name, i) => `<Relationship Id="r${i}" Type="${schemas}/officeDocument" Target="${name}"/>`)
            .join(''),
        ),
      },
      { name: 'ppt/presentation.xml', content: '<p:presentation xmlns:p="p"/>' },
      { name: 'ppt/slides/slide1.xml', content: `<p:sld xmlns:p="p" xmlns:a="a" xmlns:r="r">${slide}</p:sld>` },
      { name: 'ppt/slides/_rels/slide1.xml.rels', content: relationships(links) },
      ...parts,
    ],
  })
}

const link = (kind: string, target: string, mode = 'External') =>
  `<Relationship Id="r9" Type="${schemas}/${kind}" Target="${target}" TargetMode="${mode}"/>`

describe('a presentation', () => {
  it('with pages, links to pages and pictures of its own is taken', async () => {
    expect(await examined(presentation(), pptx)).toBe('taken')
    const slide = '<a:hlinkClick r:id="r9" action="ppaction://hlinksldjump"/>'
    const links = link('hyperlink', 'https://example.com/page') + link('slide', 'slide2.xml', 'Internal')
    expect(await examined(presentation({ slide, links }), pptx)).toBe('taken')
  })

  it.each<[string, Wish]>([
    ['a program that a click starts', { slide: '<a:hlinkClick r:id="" action="ppaction://program"/>' }],
    ['a macro that a click starts', { slide: '<a:hlinkClick r:id="" action="ppaction://macro?name=Go"/>' }],
    ['an object that a click opens', { slide: '<a:hlinkHover action="ppaction://ole?verb=0"/>' }],
    ['a link to a file', { links: link('hyperlink', 'file:///c:/windows/system32/calc.exe') }],
    ['a link to a share', { links: link('hyperlink', '\\\\evil.example\\share\\x.exe') }],
    ['a link to a script', { links: link('hyperlink', 'javascript:alert(1)') }],
    ['a picture that lies elsewhere', { links: link('image', 'https://evil.example/pixel.png') }],
    ['a film that lies elsewhere', { links: link('video', 'file://evil.example/film.mp4') }],
    ['an object that lies elsewhere', { links: link('oleObject', 'https://evil.example/x.xlsx') }],
    ['an embedded object', { links: link('oleObject', '../embeddings/oleObject1.bin', 'Internal') }],
    ['an embedded object without a relationship', { parts: [{ name: 'ppt/embeddings/oleObject1.bin', content: 'x' }] }],
    ['a control', { links: link('control', '../activeX/activeX1.xml', 'Internal') }],
    ['a project of macros', { parts: [{ name: 'ppt/vbaProject.bin', content: 'x' }] }],
    [
      'a project of macros under another name',
      { overrides: [['/ppt/picture.png', 'application/vnd.ms-office.vbaProject']] },
    ],
    ['a ribbon of its own', { parts: [{ name: 'customUI/customUI.xml', content: '<customUI onLoad="Go"/>' }] }],
    ['macros, called one without', { main: 'application/vnd.ms-powerpoint.presentation.macroEnabled.main+xml' }],
    ['a slide show with macros', { main: 'application/vnd.ms-powerpoint.slideshow.macroEnabled.main+xml' }],
  ])('with %s is refused', async (_, wish) => {
    expect(await examined(presentation(wish), pptx)).toMatch(/^active_content: /)
  })

  it('that is a template or a slide show is a type of its own', async () => {
    for (const kind of ['template', 'slideshow'])
      expect(await examined(presentation({ main: `${office}presentationml.${kind}.main+xml` }), pptx)).toMatch(
        /^type_mismatch: /,
      )
  })
})

describe('the main part', () => {
  it('is the one that the package calls its document, whatever else it has', async () => {
    const both = presentation({
      overrides: [['/word/document.xml', `${docx}.main+xml`]],
      parts: [{ name: 'word/document.xml', content: '<w:document xmlns:w="w"/>' }],
    })
    expect([await examined(both, pptx), await examined(both, docx)]).toEqual([
      'taken',
      expect.stringMatching(/^type_mismatch: /),
    ])
    expect(await examined(presentation({ documents: ['/PPT/Presentation.xml'] }), pptx)).toBe('taken')
  })

  it.each<[string, Wish]>([
    ['none', { documents: [] }],
    ['two', { documents: ['ppt/presentation.xml', 'ppt/slides/slide1.xml'] }],
    ['one that is not there', { documents: ['word/document.xml'] }],
    ['one of a type that is none', { documents: ['ppt/slides/slide1.xml'] }],
  ])('that is %s is corrupt', async (_, wish) => {
    expect(await examined(presentation(wish), pptx)).toMatch(/^corrupt: /)
  })

  it('of a binary workbook is never read as a workbook, and is refused', async () => {
    const main = 'application/vnd.ms-excel.sheet.binary.macroEnabled.main'
    for (const type of [xlsx, pptx]) expect(await examined(presentation({ main }), type)).toMatch(/^active_content: /)
  })
})
