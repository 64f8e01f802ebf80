import { text } from 'node:stream/consumers'
import { Refused } from '../../../errors.ts'
import { checkInside } from '../archive/inside.ts'
import type { Zip } from '../archive/zip.ts'
import type { Work } from '../limits.ts'
import { isPlainLink } from './links.ts'
import { checkSvg, isSvgName } from './svg.ts'
import { readXml, type XmlHandlers } from './xml.ts'

const base = 'application/vnd.oasis.opendocument.'
export const odfTypes: readonly string[] = ['text', 'spreadsheet', 'presentation'].map((name) => base + name)

/** Elements that act, or show what lies elsewhere by themselves. */
const active = new Set(
  'event-listener script applet plugin floating-frame dde-source dde-connection-decl dde-connection dde-link connection-resource'.split(
    ' ',
  ),
)
/** Elements whose target is loaded, not clicked on. */
const loaded = new Set(
  'image fill-image background-image object object-ole section-source a-source cell-range-source table-source sound master-page-source audio video'.split(
    ' ',
  ),
)

/** OpenDocument (ISO/IEC 26300). Returns the true type. Throws `Refused`. */
export async function checkOdf(zip: Zip, work: Work): Promise<string> {
  const [first] = zip.entries
  if (first?.name !== 'mimetype' || first.size > 200) throw new Refused('corrupt', 'its type does not stand first')
  const type = (await text(zip.open(first))).trim()
  const scripts = zip.entries.find(({ name, directory }) => /^(Basic|Scripts)\//i.test(name) && !directory)
  if (scripts) refuse(`the macro ${scripts.name.slice(0, 60)}`)
  for (const entry of zip.entries.slice(1)) {
    if (isSvgName(entry.name)) await checkSvg(entry.name, zip.open(entry), work)
    else if (/\.(xml|rdf)$/i.test(entry.name)) await readXml(entry.name, zip.open(entry), work, handlers)
    else await checkInside(entry.name, zip.open(entry), work)
  }
  return type
}

function refuse(what: string): never {
  throw new Refused('active_content', `it has ${what}`)
}

const handlers: XmlHandlers = {
  open(name, attributes) {
    if (name === 'encryption-data') throw new Refused('encrypted', 'it is encrypted')
    if (active.has(name)) refuse(`an element ${name}`)
    const { href } = attributes
    if (href === undefined) return
    const elsewhere = /^[a-z][a-z0-9+.-]*:|^\/\/|^\\\\|^\.\.\//i.test(href.trim())
    if (loaded.has(name) && elsewhere) refuse(`a ${name} that lies elsewhere`)
    if (!isPlainLink(href)) refuse(`a link to ${JSON.stringify(href.slice(0, 40))}`)
    if (name === 'object-ole') refuse('an embedded object')
  },
}
