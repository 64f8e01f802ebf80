import { Refused } from '../../../errors.ts'
import { checkInside } from '../archive/inside.ts'
import type { Zip, ZipEntry } from '../archive/zip.ts'
import type { Work } from '../limits.ts'
import { isPlainLink } from './links.ts'
import { checkSvg, isSvgName } from './svg.ts'
import { readXml, type XmlHandlers } from './xml.ts'

const base = 'application/vnd.openxmlformats-officedocument.'
const [docx, xlsx, pptx] = ['wordprocessingml.document', 'spreadsheetml.sheet', 'presentationml.presentation'].map(
  (name) => base + name,
) as [string, string, string]

export const ooxmlTypes: readonly string[] = [docx, xlsx, pptx]

/** Parts that act, by what their content type or kind of relationship is called. */
const activeParts =
  /macroEnabled|vbaProject|vbaData|macrosheet|dialogsheet|activeX|oleObject|customUI|userCustomization|attachedToolbars|keyMapCustomizations|connections\+xml|queryTable|externalLink|\/control$|wordVbaData/i
/** Folders and names under which they lie, whatever they are called otherwise. */
const activeNames = /(^|\/)(vbaProject|vbaData|activeX|oleObject|macrosheets|dialogsheets|customUI)/i
/** Fields that fetch or start. */
const activeFields =
  /^\s*(DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE\s+"?\s*(https?|file|\\\\)|IMPORT|MACROBUTTON|DATABASE|LINK|RD|QUOTE\s+\d+)\b/i
const activeFormulas = /\|.*!|\b(WEBSERVICE|CALL|REGISTER(\.ID)?|EXEC|FOPEN)\s*\(/i

/**
 * Office Open XML (ECMA-376): every part is read; what it is called decides nothing that its content type and relationships do not
 * say too. Returns the true type. Throws `Refused`.
 */
export async function checkOoxml(zip: Zip, work: Work): Promise<string> {
  /** Content types of parts that have one of their own. */
  const typeOf = new Map<string, string>()
  const mains: string[] = []
  // Parts that are XML by their type, whatever they end in, and endings that are.
  const xml = new Set(['.xml', '.vml'])
  await readXml('[Content_Types].xml', zip.open(entryOf(zip, '[Content_Types].xml')), work, {
    open(name, { ContentType = '', PartName, Extension }) {
      if (name !== 'Default' && name !== 'Override') return
      if (/xml$/i.test(ContentType)) xml.add((PartName?.replace(/^\//, '') ?? `.${Extension}`).toLowerCase())
      if (activeParts.test(ContentType)) refuse(`a part of the type ${ContentType.slice(0, 80)}`)
      if (PartName !== undefined) typeOf.set(partNamed(PartName), ContentType)
    },
  })
  const isXml = (name: string) => xml.has(name) || xml.has(name.slice(name.lastIndexOf('.')))
  for (const { name } of zip.entries) if (activeNames.test(name)) refuse(`the part ${name.slice(0, 60)}`)
  for (const entry of zip.entries) {
    if (entry.name === '[Content_Types].xml') continue
    if (entry.name.endsWith('.rels'))
      await readXml(entry.name, zip.open(entry), work, relationships(entry.name === '_rels/.rels' ? mains : []))
    else if (isSvgName(entry.name) || /svg/i.test(typeOf.get(partNamed(entry.name)) ?? ''))
      await checkSvg(entry.name, zip.open(entry), work)
    else if (isXml(entry.name.toLowerCase())) await readXml(entry.name, zip.open(entry), work, partHandlers())
    else await checkInside(entry.name, zip.open(entry), work)
  }
  const [main, ...others] = mains
  if (main === undefined || others.length > 0)
    throw new Refused('corrupt', `it names ${mains.length} main parts, and one is what it is`)
  return trueType(typeOf.get(main) ?? '')
}

/** Names of parts are compared without case (ECMA-376 part 2, 6.2.2.3). */
function partNamed(name: string): string {
  return name.replace(/^\//, '').toLowerCase()
}

function refuse(what: string): never {
  throw new Refused('active_content', `it has ${what}`)
}

function entryOf(zip: Zip, name: string): ZipEntry {
  return zip.entries.find((entry) => entry.name === name)!
}

/** By the part that the package itself calls its document. */
function trueType(main: string): string {
  const is = (name: string) => main === `${base}${name}.main+xml`
  if (is('wordprocessingml.document')) return docx
  if (is('spreadsheetml.sheet')) return xlsx
  if (is('presentationml.presentation')) return pptx
  // Templates, slide shows and what else is one of its kind are types of their own.
  if (/\.main\+xml$/.test(main)) return main.replace(/\.main\+xml$/, '')
  throw new Refused('corrupt', `its main part is of the type ${JSON.stringify(main.slice(0, 80))}`)
}

/** `mains` gets the parts that are called the document. */
const relationships = (mains: string[]): XmlHandlers => ({
  open(name, { Type = '', Target = '', TargetMode = '' }) {
    if (name !== 'Relationship') return
    const kind = Type.slice(Type.lastIndexOf('/') + 1)
    if (activeParts.test(Type)) refuse(`a relationship ${kind.slice(0, 40)}`)
    if (TargetMode.toLowerCase() !== 'external') {
      if (kind === 'officeDocument') mains.push(partNamed(Target))
      return
    }
    if (kind !== 'hyperlink') refuse(`a ${kind.slice(0, 40)} that lies elsewhere`)
    if (!isPlainLink(Target)) refuse(`a link to ${JSON.stringify(Target.slice(0, 40))}`)
  },
})

/** What stands in the parts themselves: fields that may be cut into several runs, formulas, links of DDE. */
function partHandlers(): XmlHandlers {
  let inside = ''
  let text = ''
  let field = ''
  const endField = () => {
    if (activeFields.test(field)) refuse(`the field ${field.trim().slice(0, 20)}`)
    field = ''
  }
  return {
    open(name, attributes) {
      inside = name
      text = ''
      if (['ddeLink', 'oleLink', 'OLEObject', 'control', 'webPr', 'dbPr'].includes(name)) refuse(`an element ${name}`)
      if (name === 'fldSimple' && activeFields.test(attributes.instr ?? ''))
        refuse(`the field ${attributes.instr!.trim().slice(0, 20)}`)
      if (name === 'fldChar') endField()
      if ((attributes.onLoad ?? attributes.onAction) !== undefined) refuse('a callback')
      // A click on a picture of a presentation that starts a program or macro.
      if (/^ppaction:\/\/(program|macro|ole)/i.test(attributes.action ?? ''))
        refuse(`the action ${attributes.action!.slice(0, 30)}`)
    },
    text(piece) {
      if (inside === 'instrText') field = (field + piece).slice(0, 4096)
      if (inside === 'f' || inside === 'definedName') text = (text + piece).slice(0, 16_384)
    },
    close(name) {
      if ((name === 'f' || name === 'definedName') && activeFormulas.test(text))
        refuse(`the formula ${text.slice(0, 30)}`)
      // A paragraph that never closed its field still has one.
      if (name === 'p' || name === 'document') endField()
      if (name === 'f' || name === 'definedName') text = ''
    },
  }
}
