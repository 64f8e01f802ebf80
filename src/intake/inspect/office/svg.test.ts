import { describe, expect, it } from 'vitest'
import { examined } from '../../../../tests/fixtures/examined.ts'
import { zipOf } from '../../../../tests/fixtures/zips.ts'
import type { Refused } from '../../../errors.ts'
import { beginWork, defaultLimits } from '../limits.ts'
import { checkSvg } from './svg.ts'

const drawing = (inner: string, before = '') =>
  `${before}<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink">${inner}</svg>`

async function judge(svg: string): Promise<string> {
  async function* bytes() {
    yield Buffer.from(svg)
  }
  return checkSvg('word/media/image1.svg', bytes(), beginWork(defaultLimits)).then(
    () => 'taken',
    (error: Refused) => `${error.code}: ${error.detail}`,
  )
}

describe('a drawing in a document', () => {
  it.each([
    ['a path', '<path d="M0 0L1 1"/>'],
    ['a gradient that is its own', '<linearGradient id="a"/><rect fill="url(#a)" style="stroke: url(#a)"/>'],
    ['a picture in it', '<image href="data:image/png;base64,iVBORw0KGgo="/>'],
    ['a link to click on', '<a xlink:href="https://www.example.com/"><text>see</text></a>'],
    ['what it uses of itself', '<use xlink:href="#a"/><animate attributeName="x" from="0" to="1" values="0;1"/>'],
    ['a style', '<style>.a{fill:red} @font-face{src:url(data:font/woff;base64,AA==)}</style>'],
    ['a text of scripts', '<text>&lt;script>alert(1)&lt;/script> onload=x javascript:</text>'],
    ['what a program says of itself', '<metadata><x:y xmlns:x="urn:x" x:one="1"/></metadata>'],
  ])('may have %s', async (_, inner) => {
    expect(await judge(drawing(inner))).toBe('taken')
  })

  it('may name its document type, and not define one', async () => {
    const dtd = '<!DOCTYPE svg PUBLIC "-//W3C//DTD SVG 1.1//EN" "http://www.w3.org/Graphics/SVG/1.1/DTD/svg11.dtd">'
    expect(await judge(drawing('<path/>', dtd))).toBe('taken')
    const own = '<!DOCTYPE svg [<!ENTITY x SYSTEM "file:///etc/passwd">]>'
    expect(await judge(drawing('<text>&x;</text>', own))).toMatch(/^active_content: .*document type/)
  })

  it.each([
    ['a script', '<script>alert(1)</script>'],
    ['one of another case or prefix', '<x:SCRIPT xmlns:x="http://www.w3.org/2000/svg" href="data:,x"/>'],
    ['a handler', '<rect onclick="alert(1)"/>'],
    ['a handler of the whole', '</svg><svg onload="alert(1)">'],
    [
      'a page in it',
      '<foreignObject><iframe xmlns="http://www.w3.org/1999/xhtml" src="https://x.example"/></foreignObject>',
    ],
    ['a picture that lies elsewhere', '<image href="https://x.example/a.png"/>'],
    ['one behind a harmless one', '<image xlink:href="https://x.example/a.png" href="#a"/>'],
    ['a use of another file', '<use href="other.svg#a"/>'],
    ['a link that runs', '<a href="java&#x09;script:alert(1)"/>'],
    ['an animation that sets one', '<set attributeName="href" to="javascript:alert(1)"/>'],
    ['a drawing in it that is not read', '<image href="data:image/svg+xml,x"/>'],
    ['a style that fetches', '<style>@import "https://x.example/a.css";</style>'],
    ['a style that fetches in disguise', '<style>.a{fill:u/**/rl(//x.example)}</style>'],
    ['an attribute that fetches', '<rect fill="url(https://x.example/#a)"/>'],
  ])('may not have %s', async (_, inner) => {
    expect(await judge(drawing(inner))).toMatch(/^(active_content|corrupt)/)
  })

  it('is read wherever it lies: in Office files and in OpenDocument', async () => {
    const types = `<Types><Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/><Default Extension="svg" ContentType="image/svg+xml"/><Override PartName="/word/document.xml" ContentType="application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"/><Override PartName="/word/media/hidden.bin" ContentType="image/svg+xml"/></Types>`
    const rels = `<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships"><Relationship Id="a" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/officeDocument" Target="word/document.xml"/></Relationships>`
    const docx = (name: string, svg: string) =>
      zipOf({
        parts: [
          { name: '[Content_Types].xml', content: types },
          { name: '_rels/.rels', content: rels },
          { name: 'word/document.xml', content: '<document/>' },
          { name, content: svg },
        ],
      })
    const odt = (svg: string) =>
      zipOf({
        parts: [
          { name: 'mimetype', content: 'application/vnd.oasis.opendocument.text', stored: true },
          { name: 'META-INF/manifest.xml', content: '<manifest/>' },
          { name: 'content.xml', content: '<document/>' },
          { name: 'Pictures/a.svg', content: svg },
        ],
      })
    const word = 'application/vnd.openxmlformats-officedocument.wordprocessingml.document'
    const writer = 'application/vnd.oasis.opendocument.text'
    const [good, bad] = [drawing('<path/>'), drawing('<script/>')]
    expect(await examined(docx('word/media/a.svg', good), word)).toBe('taken')
    expect(await examined(docx('word/media/a.svg', bad), word)).toMatch(/^active_content/)
    expect(await examined(docx('word/media/hidden.bin', bad), word)).toMatch(/^active_content/)
    expect(await examined(odt(good), writer)).toBe('taken')
    expect(await examined(odt(bad), writer)).toMatch(/^active_content/)
  })
})
