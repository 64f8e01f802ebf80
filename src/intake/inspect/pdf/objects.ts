import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import { indexOf, type Source } from '../source.ts'
import { corrupt, type Dictionary, isDictionary, isWord, Lexer, type Value } from './lexer.ts'

/** An object as it stands in the file. */
export interface PdfObject {
  number: number
  /** Where it begins. */
  at: number
  value: Value
  /** Where the stream's bytes lie, if it is one. */
  stream: { at: number; end: number } | null
}

/** Where things stand that are no objects. */
export interface Landmarks {
  trailers: Dictionary[]
  /** What each cross-reference table or stream says: where which object begins. */
  tables: { at: number; entries: { number: number; at: number }[] }[]
  startxrefs: number[]
  /** Behind the last `%%EOF`. 0: there is none. */
  end: number
  /** Where the last object ends. */
  lastObjectEnd: number
}

/**
 * Reads a file from its beginning to its end, as viewers do that repair one: every object, of every revision, whether anything
 * names it or not. `each` is called with every object in turn; nothing of it is kept here.
 */
export async function readObjects(
  file: Source,
  work: Work,
  each: (object: PdfObject) => void | Promise<void>,
): Promise<Landmarks> {
  const marks: Landmarks = { trailers: [], tables: [], startxrefs: [], end: 0, lastObjectEnd: 0 }
  const lexer = new Lexer(file, work)
  /** The last two numbers: they may turn out to begin an object. */
  let before: { number: number; at: number }[] = []
  for (;;) {
    lexer.skipBlanks((at) => seeComment(file, at, marks))
    const at = lexer.at
    const ended = marks.end > marks.lastObjectEnd
    const value = ended ? valueOrNone(lexer) : lexer.value()
    // What follows an end and is no further revision is no PDF: the caller sees that it is there.
    if (ended && typeof value !== 'number' && !isWord(value, 'obj') && !isMark(value)) return marks
    if (typeof value === 'number') {
      before = [...before.slice(-1), { number: value, at }]
      continue
    }
    if (isWord(value, 'obj') && before.length === 2 && Number.isInteger(before[0]!.number)) {
      const object = objectAt(file, lexer, work, before[0]!)
      marks.lastObjectEnd = lexer.at
      await each(object)
    } else if (isWord(value, 'trailer')) {
      const trailer = lexer.value()
      if (!isDictionary(trailer)) throw corrupt(`a trailer without a dictionary at ${at}`)
      marks.trailers.push(trailer)
    } else if (isWord(value, 'xref')) marks.tables.push({ at, entries: tableAt(lexer, work) })
    else if (isWord(value, 'startxref')) {
      const start = lexer.value()
      if (typeof start === 'number') marks.startxrefs.push(start)
    } else if (isWord(value, '')) return marks
    before = []
  }
}

const isMark = (value: Value) => ['trailer', 'xref', 'startxref'].some((word) => isWord(value, word))

function valueOrNone(lexer: Lexer): Value {
  try {
    return lexer.value()
  } catch (error) {
    if (error instanceof Refused && error.code === 'corrupt') return { word: '' }
    throw error
  }
}

/** The object that begins at a position, if one does. */
export function readObjectAt(file: Source, work: Work, at: number): PdfObject | null {
  if (at < 0 || at >= file.size) return null
  const lexer = new Lexer(file, work, at)
  lexer.skipBlanks()
  const begin = lexer.at
  const [number, generation, word] = [lexer.value(), lexer.value(), lexer.value()]
  if (typeof number !== 'number' || typeof generation !== 'number' || !isWord(word, 'obj')) return null
  return objectAt(file, lexer, work, { number, at: begin })
}

/** `lexer` stands behind `obj`, and then behind the object. */
function objectAt(file: Source, lexer: Lexer, work: Work, { number, at }: { number: number; at: number }): PdfObject {
  const value = lexer.value()
  if (isWord(value, 'endobj')) return { number, at, value: null, stream: null }
  const after = lexer.at
  const next = lexer.value()
  if (isWord(next, 'stream') && isDictionary(value)) {
    const stream = streamAt(file, lexer, value)
    lexer.at = stream.after
    lexer.skipBlanks()
    const ended = lexer.at
    if (!isWord(lexer.value(), 'endobj')) lexer.at = ended
    work.step()
    return { number, at, value, stream: { at: stream.at, end: stream.end } }
  }
  // Some writers leave `endobj` out: what comes is looked at again.
  if (!isWord(next, 'endobj')) lexer.at = after
  return { number, at, value, stream: null }
}

const endstream = Buffer.from('endstream')

/** The stream's bytes: as many as are announced if it ends there, else up to the next end of a stream. */
function streamAt(file: Source, lexer: Lexer, dictionary: Dictionary): { at: number; end: number; after: number } {
  let at = lexer.at
  if (lexer.byteAt(at) === 0x0d) at++
  if (lexer.byteAt(at) === 0x0a) at++
  const length = dictionary.numberOf('Length')
  if (length !== undefined && length >= 0 && at + length <= file.size) {
    const tail = file.bytes(at + length, Math.min(32, file.size - at - length)).toString('latin1')
    const [blanks] = /^[\0\t\n\f\r ]*/.exec(tail)!
    if (tail.startsWith('endstream', blanks.length))
      return { at, end: at + length, after: at + length + blanks.length + endstream.length }
  }
  const end = indexOf(file, endstream, at)
  if (end < 0) throw corrupt(`a stream without end at ${at}`)
  return { at, end, after: end + endstream.length }
}

/** A cross-reference table: sections of `first count`, each with so many entries. */
function tableAt(lexer: Lexer, work: Work): { number: number; at: number }[] {
  const entries: { number: number; at: number }[] = []
  for (;;) {
    lexer.skipBlanks()
    const begin = lexer.at
    const [first, count] = [lexer.value(), lexer.value()]
    if (typeof first !== 'number' || typeof count !== 'number') {
      lexer.at = begin
      return entries
    }
    for (let i = 0; i < count; i++) {
      work.step()
      const start = lexer.at
      const [at, generation, kind] = [lexer.value(), lexer.value(), lexer.value()]
      if (typeof at !== 'number' || typeof generation !== 'number' || !isWord(kind)) {
        // The count is too large, as some writers leave it.
        lexer.at = start
        break
      }
      if (kind.word === 'n') entries.push({ number: first + i, at })
    }
  }
}

function seeComment(file: Source, at: number, marks: Landmarks): void {
  const text = file.bytes(at, Math.min(8, file.size - at)).toString('latin1')
  if (text.startsWith('%PDF-') && at > 0) throw new Refused('polyglot', `a second PDF begins at ${at}`)
  if (!text.startsWith('%%EOF')) return
  // Its line break belongs to it.
  let end = at + 5
  if (text[5] === '\r') end++
  if (text[end - at] === '\n') end++
  marks.end = end
}
