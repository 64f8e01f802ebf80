import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'
import type { Found, Reader } from '../reader.ts'
import { bufferSource, indexOf, type Source } from '../source.ts'
import { checkActive, checkSelfActing } from './active.ts'
import { corrupt, Dictionary, isDictionary, Lexer, type Value } from './lexer.ts'
import { type Landmarks, type PdfObject, readObjectAt, readObjects } from './objects.ts'
import { checkUnpacked, filtersOf, unpackedStream } from './streams.ts'

/**
 * PDF (ISO 32000). Everything is looked at that any viewer could come upon: all objects of all revisions as they stand in the
 * file, those inside object streams, and what the cross-references point at.
 */
export const pdfReader: Reader = {
  types: ['application/pdf'],
  async read(file: Source, _asked: string, work: Work): Promise<Found> {
    const head = file.bytes(0, Math.min(8, file.size)).toString('latin1')
    if (!/^%PDF-\d/.test(head)) {
      const start = file.bytes(0, Math.min(1024, file.size)).toString('latin1').indexOf('%PDF-')
      if (start > 0) throw new Refused('polyglot', `${start} bytes come before its beginning`)
      throw corrupt('it has no PDF header')
    }
    const reading = createReading(file, work)
    const marks = await readObjects(file, work, reading.see)
    if (marks.end === 0 || marks.lastObjectEnd > marks.end) throw corrupt('it is cut: its end is missing')
    for (const trailer of marks.trailers) reading.seeTrailer(trailer)
    await reading.seeReferences(marks)
    reading.checkSelfActing()
    if (reading.pages() === 0) throw corrupt('it has no page')
    return { type: 'application/pdf', end: marks.end }
  },
}

/** Where an object stands: by itself, or as the n-th in an object stream. */
type Place = { at: number } | { container: number }

function createReading(file: Source, work: Work) {
  /** Objects by where they begin, with their numbers. */
  const begins = new Map<number, number>()
  /** Small things that may be done by themselves: actions by their object's number. */
  const links = new Map<number, Value>()
  const selfActing = new Set<number>()
  /** Object streams that were read. */
  const containers = new Set<number>()
  const indices: { entries: { number: number; place: Place }[] }[] = []
  let pages = 0

  function judge(number: number, value: Value, stream: boolean): void {
    checkActive(value, work, (object) => selfActing.add(object), stream)
    if (!isDictionary(value)) return
    if (value.nameOf('Type') === 'Page') {
      pages += 1
      if (pages > work.limits.pages) throw new Refused('bomb', `more than ${work.limits.pages} pages`)
    }
    // An action, or a dictionary of them: kept in case something names it as done by itself.
    if (!stream && (value.has('S') || value.pairs.every(([key]) => key.length <= 2))) links.set(number, value)
  }

  async function readContainer({ number, value, stream }: PdfObject): Promise<void> {
    if (!stream || !(value instanceof Dictionary) || containers.has(number)) return
    containers.add(number)
    const what = `object stream ${number}`
    const bytes = await unpackedStream(file, stream, value, what, work)
    const [count, first] = [value.numberOf('N') ?? -1, value.numberOf('First') ?? -1]
    if (count < 0 || first < 0 || first > bytes.length) throw corrupt(`the head of ${what}`)
    const source = bufferSource(bytes)
    const index = new Lexer(source, work, 0, first)
    for (let i = 0; i < count; i++) {
      const [inner, offset] = [index.value(), index.value()]
      if (typeof inner !== 'number' || typeof offset !== 'number') throw corrupt(`the index of ${what}`)
      judge(inner, new Lexer(source, work, first + offset).value(), false)
    }
  }

  async function see(object: PdfObject): Promise<void> {
    const { number, at, value, stream } = object
    begins.set(at, number)
    judge(number, value, stream !== null)
    if (!stream || !isDictionary(value)) return
    const type = value.nameOf('Type')
    if (type === 'XRef') await readIndex(object)
    else if (type === 'ObjStm' || (value.has('N') && value.has('First'))) await readContainer(object)
    else if (value.nameOf('Subtype') !== 'Image') {
      const filters = filtersOf(value)
      if (filters[0] === 'FlateDecode') await checkUnpacked(file, stream.at, stream.end, `stream ${number}`, work)
    } else filtersOf(value)
  }

  /** A cross-reference stream is a trailer too. */
  async function readIndex({ number, value, stream }: PdfObject): Promise<void> {
    if (!stream || !isDictionary(value)) return
    seeTrailer(value)
    const bytes = await unpackedStream(file, stream, value, `cross-reference stream ${number}`, work)
    const widths = value.get('W')
    if (!Array.isArray(widths) || widths.length < 3) throw corrupt('the widths of a cross-reference stream')
    const [a, b, c] = widths.map((width) => (typeof width === 'number' ? width : -1)) as [number, number, number]
    if ([a, b, c].some((width) => width < 0 || width > 8) || a + b + c === 0)
      throw corrupt('the widths of a cross-reference stream')
    const given = value.get('Index')
    const sections = Array.isArray(given) ? given.map(Number) : [0, value.numberOf('Size') ?? 0]
    const read = (from: number, width: number) => {
      let number = 0
      for (let i = 0; i < width; i++) number = number * 256 + bytes[from + i]!
      return number
    }
    const entries: { number: number; place: Place }[] = []
    let at = 0
    for (let section = 0; section + 1 < sections.length; section += 2)
      for (let i = 0; i < sections[section + 1]! && at + a + b + c <= bytes.length; i++, at += a + b + c) {
        work.step()
        const kind = a === 0 ? 1 : read(at, a)
        const number = sections[section]! + i
        if (kind === 1) entries.push({ number, place: { at: read(at + a, b) } })
        if (kind === 2) entries.push({ number, place: { container: read(at + a, b) } })
      }
    indices.push({ entries })
  }

  function seeTrailer(trailer: Dictionary): void {
    if (trailer.has('Encrypt')) throw new Refused('encrypted', 'it is encrypted')
    checkActive(trailer, work, (object) => selfActing.add(object), false)
  }

  /**
   * What cross-references point at must be among what was read; what is not, since it lies inside of other data, is read there. When
   * one points nowhere, viewers look for objects by themselves, in the data of streams too: so do we.
   */
  async function seeReferences(marks: Landmarks): Promise<void> {
    const named = [
      ...marks.tables.flatMap(({ entries }) => entries.map(({ number, at }) => ({ number, place: { at } as Place }))),
      ...indices.flatMap(({ entries }) => entries),
    ]
    let astray = marks.startxrefs.length === 0
    const begun = new Map([...begins].map(([at, number]) => [number, at]))
    for (const { number, place } of named) {
      work.step()
      if ('container' in place) {
        const at = begun.get(place.container)
        const container = at === undefined ? null : readObjectAt(file, work, at)
        if (container && !containers.has(place.container)) await readContainer(container)
        continue
      }
      if (begins.get(place.at) === number) continue
      const hidden = place.at > 0 && !begins.has(place.at) ? objectOrNull(place.at) : null
      if (hidden && !begins.has(hidden.at)) await see(hidden)
      astray ||= !hidden
    }
    if (astray) await seeEverywhere()
  }

  function objectOrNull(at: number): PdfObject | null {
    try {
      return readObjectAt(file, work, at)
    } catch (error) {
      if (error instanceof Refused && error.code === 'corrupt') return null
      throw error
    }
  }

  /** Whatever looks like the beginning of an object, wherever it stands. */
  async function seeEverywhere(): Promise<void> {
    for (let at = indexOf(file, word); at >= 0; at = indexOf(file, word, at + word.length)) {
      work.step()
      const from = Math.max(0, at - 20)
      const [, numbers] = /(\d{1,10}[\0\t\n\f\r ]+\d{1,5})$/.exec(file.bytes(from, at - from).toString('latin1')) ?? []
      if (numbers === undefined || begins.has(at - numbers.length)) continue
      const object = objectOrNull(at - numbers.length)
      if (object && !begins.has(object.at)) await see(object)
    }
  }

  return {
    see,
    seeTrailer,
    seeReferences,
    pages: () => pages,
    /** Actions that are done by themselves and stand in objects of their own. */
    checkSelfActing(): void {
      // The set grows while it is gone through.
      for (const object of selfActing) {
        const value = links.get(object)
        if (value !== undefined) checkSelfActing(value, (next) => selfActing.add(next), 0)
      }
    },
  }
}

const word = Buffer.from(' obj')
