import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import { asName, Dictionary, isDictionary, type Value } from './lexer.ts'

/** Actions that run, start, send or fetch something. */
const actions = new Set(
  'JavaScript Launch SubmitForm ImportData GoToR GoToE Thread Rendition Movie Sound RichMediaExecute GoTo3DView GoToDp'.split(
    ' ',
  ),
)
/** Of what is done by itself when a page or file is opened: all but moving about in it. */
const harmlessByItself = new Set(['GoTo', 'Named', 'Hide', 'ResetForm', 'SetOCGState', 'Trans'])
/** Annotations that play, embed or attach something. */
const annotations = new Set(['RichMedia', 'Movie', 'Sound', '3D', 'FileAttachment'])
/** Keys whose being there is enough, with what they stand for. */
const keys = new Map([
  ['JS', 'a script'],
  ['JavaScript', 'a script'],
  ['EmbeddedFiles', 'an embedded file'],
  ['EF', 'an embedded file'],
  ['RichMediaContent', 'embedded media'],
  ['XFA', 'an XFA form'],
])
const schemes = new Set(['http', 'https', 'mailto', 'tel', 'sms', 'ftp'])
const longestSide = 200_000

/** An object that is done by itself, named from elsewhere. */
export type SelfActing = (object: number) => void

/**
 * Looks at a value, with all that is in it, for what acts. Throws `Refused`: `active_content`; `bomb` for a page or picture that
 * asks too much of a viewer. `stream`: the dictionary of one.
 */
export function checkActive(value: Value, work: Work, selfActing: SelfActing, stream: boolean): void {
  if (Array.isArray(value)) for (const one of value) checkActive(one, work, selfActing, false)
  if (!(value instanceof Dictionary)) return
  work.step(value.pairs.length)
  // Structure elements use the key for other things; they say what they are.
  const type = value.nameOf('Type')
  const action = type === undefined || type === 'Action' ? value.nameOf('S') : undefined
  if (action !== undefined && actions.has(action)) refuse(`the action ${action}`)
  const subtype = value.nameOf('Subtype')
  if (subtype !== undefined && annotations.has(subtype)) refuse(`an annotation ${subtype}`)
  if (type === 'EmbeddedFile') refuse('an embedded file')
  if (subtype === 'PS' && stream) refuse('a PostScript program')
  if (stream && value.has('F') && !isFilterName(value.get('F'))) refuse('a stream that lies in another file')
  for (const [key, inner] of value.pairs) {
    const what = keys.get(key)
    // A name tree that is empty holds nothing.
    if (what !== undefined && !isEmpty(inner)) refuse(what)
    if (key === 'URI' || (key === 'Base' && typeof inner === 'object')) checkLink(inner)
    if (key === 'Ref' && isDictionary(inner) && inner.has('F')) refuse('a page of another file')
    if (key === 'OpenAction' || key === 'AA') checkSelfActing(inner, selfActing, 0)
    if (key === 'MediaBox' || key === 'CropBox') checkBox(inner, value)
    checkActive(inner, work, selfActing, false)
  }
  if (subtype === 'Image') checkImage(value, work)
}

/** An action by itself: also what is harmless when somebody clicks on it. */
export function checkSelfActing(value: Value, selfActing: SelfActing, depth: number): void {
  if (depth > 3) return
  if (value !== null && typeof value === 'object' && 'ref' in value) selfActing(value.ref)
  if (!isDictionary(value)) return
  const action = value.nameOf('S')
  if (action !== undefined && !harmlessByItself.has(action)) refuse(`the action ${action} by itself`)
  // Of a dictionary of actions, each; of an action, what follows it.
  if (action === undefined) for (const [, inner] of value.pairs) checkSelfActing(inner, selfActing, depth + 1)
  const next = value.get('Next')
  for (const inner of Array.isArray(next) ? next : next === undefined ? [] : [next])
    checkSelfActing(inner, selfActing, depth + 1)
}

function refuse(what: string): never {
  throw new Refused('active_content', `it has ${what}`)
}

function isEmpty(value: Value): boolean {
  if (value === null) return true
  if (Array.isArray(value)) return value.length === 0
  return isDictionary(value) && value.pairs.every(([, inner]) => isEmpty(inner))
}

/** Old writers shorten `Filter` to `F`, with names under it. */
function isFilterName(value: Value | undefined): boolean {
  return Array.isArray(value) ? value.every((one) => asName(one) !== undefined) : asName(value) !== undefined
}

function checkLink(value: Value): void {
  if (value === null || typeof value !== 'object' || !('text' in value)) return
  // Blanks and controls in it are passed over by some viewers.
  const link = value.text.replace(/[\0-\x20]/g, '')
  const [, scheme] = /^([a-z][a-z0-9+.-]*):/i.exec(link) ?? []
  if (scheme !== undefined && !schemes.has(scheme.toLowerCase())) refuse(`a link to ${scheme.slice(0, 20)}:`)
  if (/^(\\\\|\/\/)/.test(link)) refuse('a link to a share')
}

function checkBox(value: Value, page: Dictionary): void {
  if (!Array.isArray(value)) return
  const unit = page.numberOf('UserUnit') ?? 1
  for (const side of value)
    if (typeof side === 'number' && Math.abs(side * unit) > longestSide)
      throw new Refused('bomb', `a page of ${Math.round(Math.abs(side * unit))} units, limit ${longestSide}`)
}

function checkImage(value: Dictionary, { limits }: Work): void {
  const [width, height] = [value.numberOf('Width') ?? 0, value.numberOf('Height') ?? 0]
  if (width * height > limits.pixels)
    throw new Refused('bomb', `a picture of ${width} × ${height} pixels, limit ${limits.pixels}`)
}
