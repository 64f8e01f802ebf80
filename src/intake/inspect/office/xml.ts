import sax, { type QualifiedTag, type SAXOptions } from 'sax'
import { Refused } from '../../../errors.ts'
import type { Work } from '../limits.ts'

export interface XmlHandlers {
  /** `name` without its prefix; attributes by their names without prefixes, and all of them, where two have one name. */
  open?(
    name: string,
    attributes: Record<string, string>,
    uri: string,
    all: { prefix: string; local: string; value: string }[],
  ): void
  close?(name: string): void
  text?(text: string): void
  /** A document type that only names one may stand there. */
  namesType?: boolean
}

/** `strictEntities` is missing in its types: only the five of XML are known. */
const options = { xmlns: true, strictEntities: true, position: false } as SAXOptions
const mostDepth = 1000
const mostAttributes = 2000

/**
 * Reads XML as it comes. A document type is refused before anything of it counts: no entity but the five of XML is ever known, so
 * nothing is fetched and nothing grows. Throws `Refused`.
 */
export async function readXml(
  name: string,
  bytes: AsyncIterable<Buffer>,
  work: Work,
  handlers: XmlHandlers,
): Promise<void> {
  const shown = JSON.stringify(name.slice(0, 60))
  const parser = sax.parser(true, options)
  let depth = 0
  let failure: Error | null = null
  parser.onerror = (error) => {
    failure ??= new Refused('corrupt', `${shown} is no XML: ${error.message.split('\n', 1)[0]}`)
    parser.error = null as unknown as Error
  }
  parser.ondoctype = (type) => {
    if (handlers.namesType && !String(type).includes('[')) return
    failure ??= new Refused('active_content', `${shown} has a document type (XXE)`)
  }
  parser.onopentag = (tag) => {
    const { local, uri, attributes } = tag as QualifiedTag
    work.step()
    depth += 1
    const entries = Object.values(attributes)
    if (depth > mostDepth || entries.length > mostAttributes)
      failure ??= new Refused('unscannable', `${shown} nests too deep, or has too many attributes`)
    if (failure) return
    guarded(() =>
      handlers.open?.(local, Object.fromEntries(entries.map((one) => [one.local, one.value])), uri, entries),
    )
  }
  parser.onclosetag = (tag) => {
    depth -= 1
    guarded(() => handlers.close?.(tag.slice(tag.indexOf(':') + 1)))
  }
  parser.ontext = (text) => guarded(() => handlers.text?.(text))
  parser.oncdata = (text) => guarded(() => handlers.text?.(text))
  function guarded(work: () => void): void {
    if (failure) return
    try {
      work()
    } catch (error) {
      failure = error as Error
    }
  }

  let decoder: InstanceType<typeof TextDecoder> | null = null
  const write = (piece: Buffer, last: boolean) => {
    try {
      decoder ??= new TextDecoder(encodingOf(piece), { fatal: true })
      parser.write(decoder.decode(piece, { stream: !last }))
    } catch (error) {
      failure ??= new Refused('corrupt', `${shown} is no XML: ${(error as Error).message.split('\n', 1)[0]}`)
    }
    if (failure) throw failure
  }
  for await (const piece of bytes) write(piece, false)
  write(Buffer.alloc(0), true)
  parser.close()
  if (failure) throw failure
  // What the parser does not see as an element at all is no document.
  if (depth !== 0) throw new Refused('corrupt', `${shown} is cut`)
}

/** By its mark or its first letters (XML 1.0, appendix F). An encoding of another name is not decoded as what it says, and fails. */
function encodingOf(start: Buffer): string {
  const hex = start.toString('hex', 0, 4)
  if (hex.startsWith('fffe') || hex.startsWith('3c00')) return 'utf-16le'
  if (hex.startsWith('feff') || hex.startsWith('003c')) return 'utf-16be'
  const [, declared] = /^(?:\xef\xbb\xbf)?<\?xml[^>]*encoding=["']([^"']+)/.exec(start.toString('latin1', 0, 200)) ?? []
  if (declared !== undefined && !/^(utf-8|us-ascii|ascii)$/i.test(declared))
    throw new Error(`the encoding ${declared.slice(0, 20)}`)
  return 'utf-8'
}
