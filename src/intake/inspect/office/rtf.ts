import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { pieces, type Source } from '../source.ts'
import { isPlainLink } from './links.ts'

const mostDepth = 500
/** More of a group's text is not kept: a field or an address is shorter. */
const mostKept = 4096

/** Words that stand for something that acts or is embedded, wherever they are. */
const active = new Map(
  Object.entries({
    object: 'an embedded object',
    objdata: 'an embedded object',
    objupdate: 'an object that is updated when it is opened',
    objocx: 'ActiveX',
    objlink: 'an object that lies elsewhere',
    objautlink: 'an object that lies elsewhere',
    objclass: 'an embedded object',
    htmltag: 'a page',
  }),
)
/** Groups whose text is an address that is fetched. */
const addresses = new Set(['template', 'nextfile', 'filetbl', 'file'])
const activeField = /^\s*(?:DDE|DDEAUTO|INCLUDETEXT|INCLUDEPICTURE|IMPORT|MACROBUTTON|DATABASE|LINK|RD|QUOTE\s+\d)\b/i

interface Group {
  /** The word that says what it is. */
  kind: string
  text: string
}

/**
 * RTF (specification 1.9.1): groups, words and the bytes of `\bin`, to the last brace. Programs read broken RTF too, so what is not
 * whole is refused. Words are compared as they are read: no blank or line end inside of a word hides it, since those end it.
 */
export const rtfReader: Reader = {
  types: ['application/rtf'],
  read(file: Source, _asked: string, work: Work): Found {
    if (!file.bytes(0, Math.min(6, file.size)).toString('latin1').startsWith('{\\rtf1'))
      throw new Refused('corrupt', 'it has no header of RTF')
    const letters = lettersOf(file)
    const groups: Group[] = []
    for (;;) {
      const letter = letters.next()
      if (letter === -1) throw new Refused('corrupt', 'its groups are not closed')
      work.step()
      if (letter === open) {
        if (groups.length >= mostDepth) throw new Refused('unscannable', `its groups are more than ${mostDepth} deep`)
        groups.push({ kind: '', text: '' })
      } else if (letter === close) {
        const group = groups.pop()!
        judge(group)
        const parent = groups.at(-1)
        if (!parent) return { type: 'application/rtf', end: letters.at() }
        // A field may be cut into groups of their own formats.
        if (hasText(parent.kind)) add(parent, group.text)
      } else if (letter === backslash) word(letters, groups)
      else if (letter >= 0x20) add(groups.at(-1)!, String.fromCharCode(letter))
    }
  },
}

const [open, close, backslash] = [0x7b, 0x7d, 0x5c]

const hasText = (kind: string) => kind === 'fldinst' || addresses.has(kind)

function add(group: Group, text: string): void {
  if (group.text.length < mostKept) group.text += text
}

interface Letters {
  next(): number
  peek(): number
  skip(count: number): void
  at(): number
}

function lettersOf(file: Source): Letters {
  let piece: Buffer = Buffer.alloc(0)
  let start = 0
  let at = 0
  const look = () => {
    if (at >= file.size) return -1
    if (at < start || at >= start + piece.length) {
      start = at
      piece = pieces(file, at).next().value as Buffer
    }
    return piece[at - start]!
  }
  return {
    next() {
      const letter = look()
      if (letter !== -1) at += 1
      return letter
    },
    peek: look,
    skip(count) {
      if (at + count > file.size) throw new Refused('corrupt', 'its binary data is cut')
      at += count
    },
    at: () => at,
  }
}

const isLetter = (code: number) => (code >= 0x61 && code <= 0x7a) || (code >= 0x41 && code <= 0x5a)
const isDigit = (code: number) => code >= 0x30 && code <= 0x39

/** What follows a backslash: a word and its number, or one sign. */
function word(letters: Letters, groups: Group[]): void {
  const group = groups.at(-1)!
  if (!isLetter(letters.peek())) {
    const sign = letters.next()
    if (sign === 0x27) {
      const code = Number.parseInt(String.fromCharCode(letters.next(), letters.next()), 16)
      if (Number.isNaN(code)) throw new Refused('corrupt', 'a letter in hex that is none')
      add(group, String.fromCharCode(code))
    } else if (sign === open || sign === close || sign === backslash) add(group, String.fromCharCode(sign))
    return
  }
  let name = ''
  while (isLetter(letters.peek())) {
    name += String.fromCharCode(letters.next())
    // The specification knows 32; programs take more, and cut.
    if (name.length > 255) throw new Refused('corrupt', 'a word that is too long')
  }
  let number = ''
  if (letters.peek() === 0x2d) number += String.fromCharCode(letters.next())
  while (isDigit(letters.peek())) {
    number += String.fromCharCode(letters.next())
    if (number.length > 12) throw new Refused('corrupt', 'a number that is too long')
  }
  if (letters.peek() === 0x20) letters.next()
  const what = active.get(name.toLowerCase())
  if (what !== undefined) throw new Refused('active_content', `it has ${what} (\\${name})`)
  if (name === 'bin') letters.skip(Math.max(0, Number(number || '0')))
  // A letter of Unicode, by its number.
  else if (name === 'u' && number !== '') add(group, String.fromCharCode(Number(number) & 0xffff))
  else if (hasText(name) && !hasText(group.kind)) group.kind = name
}

function judge({ kind, text }: Group): void {
  if (kind === 'fldinst') {
    if (activeField.test(text)) throw new Refused('active_content', `it has the field ${text.trim().slice(0, 20)}`)
    const [, link] = /^\s*HYPERLINK\s+(?:\\[a-z]\s+)*"?([^"\s]+)/i.exec(text) ?? []
    if (link !== undefined && !link.startsWith('\\l') && !isPlainLink(link))
      throw new Refused('active_content', `it has a link to ${JSON.stringify(link.slice(0, 40))}`)
  }
  // Old letters name the template of their own machine, which nobody fetches.
  if (addresses.has(kind) && /^\s*(?:[a-z][a-z0-9+.-]+:|\\\\|\/\/)/i.test(text))
    throw new Refused('active_content', `it has a ${kind} elsewhere: ${JSON.stringify(text.trim().slice(0, 40))}`)
}
