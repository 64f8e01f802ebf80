import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import { isPlainLink } from './links.ts'
import { readXml } from './xml.ts'

export const isSvgName = (name: string) => /\.svg$/i.test(name)

/** Elements that run, or show what would. */
const active = /^(script|handler|listener|iframe|object|embed|applet|form|meta|base|link)$/i
/** Style that fetches. */
const fetching = /@import|(?:url|image-set)\(\s*["']?\s*(?!["']?(?:#|data:(?:image|font|application\/(?:x-)?font)))/i

/**
 * A drawing in a document: no script, no handler, and nothing that it fetches. What draws it in an office program runs no script, but
 * the same file may be taken out and opened in a browser. Throws `Refused`.
 */
export async function checkSvg(name: string, bytes: AsyncIterable<Buffer>, work: Work): Promise<void> {
  const refuse = (what: string): never => {
    throw new Refused('active_content', `the drawing ${JSON.stringify(name.slice(-60))} has ${what}`)
  }
  let inStyle = false
  let style = ''
  const checkStyle = (text: string) => {
    if (fetching.test(text.replace(/\\[0-9a-f]{1,6}\s?|\/\*.*?\*\//gis, ''))) refuse('a style that fetches')
  }
  await readXml(name, bytes, work, {
    namesType: true,
    open(element, _attributes, _uri, all) {
      if (active.test(element)) refuse(`an element ${element.toLowerCase()}`)
      inStyle = element.toLowerCase() === 'style'
      for (const { prefix, local, value } of all) {
        // One of another namespace is nobody's handler.
        if (prefix === '' && /^on[a-z]/i.test(local)) refuse(`a handler ${local.slice(0, 20)}`)
        if (local === 'style' || /\burl\(/i.test(value)) checkStyle(value)
        if (/^(href|src|data|action|from|to|values)$/i.test(local) && !isHarmless(element, local, value))
          refuse(`an address ${JSON.stringify(value.slice(0, 40))}`)
      }
    },
    text(piece) {
      if (inStyle) style = (style + piece).slice(0, 1024 * 1024)
    },
    close() {
      if (inStyle) checkStyle(style)
      inStyle = false
      style = ''
    },
  })
}

function isHarmless(element: string, attribute: string, value: string): boolean {
  const address = value.replace(/[\0-\x20]/g, '')
  // What an animation sets may be an address.
  if (/^(from|to|values)$/i.test(attribute)) return !/(javascript|vbscript|data):/i.test(address)
  if (element.toLowerCase() === 'a') return isPlainLink(value)
  return (
    address === '' || address.startsWith('#') || /^data:(image\/(?!svg)|font\/|application\/(x-)?font)/i.test(address)
  )
}
