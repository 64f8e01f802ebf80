import { BadRequest, MissingFile } from '../../errors.ts'

/**
 * Reads `multipart/form-data` strictly (RFC 7578, RFC 2046), streaming. Written here because the parsers that we know drop
 * what they do not understand, fold headers, and do not tell whether a part declared its type: a door that decides by what
 * a request says must not read it more kindly than others do.
 */
export interface UploadedFile {
  /** Exactly as given. */
  filename: string
  /** The part's Content-Type as given; null when it has none. */
  declaredType: string | null
  /**
   * The file's bytes. Its end comes only after the whole form was read and found right, so whoever has read it to the
   * end knows that there was one file. Throws `BadRequest('bad_multipart')` otherwise.
   */
  bytes: AsyncIterable<Buffer>
}

const limits = {
  /** Before the first boundary, and after the last. */
  outsideBytes: 8 * 1024,
  headerBytes: 16 * 1024,
  headers: 32,
  parts: 64,
  fieldBytes: 64 * 1024,
  /** Of a file in a part of another name, to see whether the form goes on rightly. */
  strangerBytes: 1024 * 1024,
}

const crlf = Buffer.from('\r\n')
const headerEnd = Buffer.from('\r\n\r\n')

function bad(detail: string): BadRequest {
  return new BadRequest('bad_multipart', detail)
}

/** The boundary that a Content-Type names. Throws `BadRequest('bad_multipart')` when it is not multipart/form-data. */
export function boundaryOf(contentType: string | undefined): string {
  const match = /^multipart\/form-data\s*(;.*)$/is.exec(contentType ?? '')
  if (!match) throw bad('The request is not multipart/form-data with a boundary.')
  const boundaries = parametersOf(match[1]!).filter(([name]) => name === 'boundary')
  const boundary = boundaries[0]?.[1]
  if (
    boundaries.length !== 1 ||
    boundary === undefined ||
    !/^[0-9A-Za-z'()+_,\-./:=? ]{0,69}[0-9A-Za-z'()+_,\-./:=?]$/.test(boundary)
  )
    throw bad('The boundary is missing or malformed.')
  return boundary
}

/**
 * Reads up to the one file, in the part of this name. Other fields are passed over.
 * Throws `BadRequest('bad_multipart')` for a form that is broken, cut, too large in its parts or has two files, and
 * `MissingFile`.
 */
export async function fileOf(body: AsyncIterable<Buffer>, boundary: string, name: string): Promise<UploadedFile> {
  const form = new FormReader(body[Symbol.asyncIterator](), boundary)
  let misnamed = false
  for (let part = await form.nextPart(); part; part = await form.nextPart()) {
    if (part.filename === null) {
      await form.skipField()
      continue
    }
    if (misnamed) throw bad('There are two files.')
    const bytes = form.partBytes()
    const first = await bytes.next()
    // What a browser sends for a file field that was left empty.
    const nothing = part.filename === '' && first.done === true
    if (part.name !== name || nothing) {
      misnamed = !nothing
      let passed = first.done ? 0 : first.value.length
      for await (const piece of bytes) {
        passed += piece.length
        if (passed > limits.strangerBytes) throw new MissingFile()
      }
      continue
    }
    return { filename: part.filename, declaredType: part.type, bytes: thenNoOther(form, first, bytes) }
  }
  throw new MissingFile()
}

async function* thenNoOther(
  form: FormReader,
  first: IteratorResult<Buffer, void>,
  rest: AsyncGenerator<Buffer, void>,
): AsyncGenerator<Buffer> {
  if (!first.done) yield first.value
  yield* rest
  for (let part = await form.nextPart(); part; part = await form.nextPart()) {
    if (part.filename !== null) throw bad('There are two files.')
    await form.skipField()
  }
}

interface PartHead {
  name: string
  /** Null: an ordinary field. */
  filename: string | null
  type: string | null
}

class FormReader {
  readonly #source: AsyncIterator<Buffer>
  readonly #delimiter: Buffer
  /** Read and not yet used. It begins with a line break of our own, so that the first boundary is like the others. */
  #held: Buffer = crlf
  #parts = 0
  #started = false

  constructor(source: AsyncIterator<Buffer>, boundary: string) {
    this.#source = source
    this.#delimiter = Buffer.from(`\r\n--${boundary}`)
  }

  /** The head of the next part; its bytes must be read before the next one. Null: the form has ended. */
  async nextPart(): Promise<PartHead | null> {
    if (!this.#started) {
      await this.#skipToDelimiter(limits.outsideBytes, 'There is too much before the first boundary.')
      this.#started = true
    }
    // The delimiter has been taken: `--` ends the form, a line break opens a part. Blanks may stand between.
    const line = await this.#take(2)
    if (line.equals(Buffer.from('--'))) {
      await this.#readEpilogue()
      return null
    }
    if (!line.equals(crlf)) await this.#restOfBlankLine(line)
    if (++this.#parts > limits.parts) throw bad(`There are more than ${limits.parts} parts.`)
    return headOf(await this.#takeHeaders())
  }

  /** Yields the part's bytes up to its boundary. */
  async *partBytes(): AsyncGenerator<Buffer, void> {
    for (;;) {
      const at = this.#held.indexOf(this.#delimiter)
      if (at >= 0) {
        const last = this.#held.subarray(0, at)
        this.#held = this.#held.subarray(at + this.#delimiter.length)
        if (last.length > 0) yield last
        return
      }
      // A boundary may have begun at the end of what came: from its line break on, bytes wait for more.
      const tail = Math.max(0, this.#held.length - this.#delimiter.length + 1)
      const lineBreak = this.#held.indexOf(0x0d, tail)
      const sure = lineBreak < 0 ? this.#held.length : lineBreak
      const piece = this.#held.subarray(0, sure)
      this.#held = this.#held.subarray(sure)
      if (piece.length > 0) yield piece
      await this.#more('The form was cut off in a part.')
    }
  }

  async skipField(): Promise<void> {
    let bytes = 0
    for await (const piece of this.partBytes()) {
      bytes += piece.length
      if (bytes > limits.fieldBytes) throw bad(`A field has more than ${limits.fieldBytes} bytes.`)
    }
  }

  async #skipToDelimiter(most: number, tooMuch: string): Promise<void> {
    let bytes = 0
    for await (const piece of this.partBytes()) {
      bytes += piece.length
      if (bytes > most) throw bad(tooMuch)
    }
  }

  async #takeHeaders(): Promise<Buffer> {
    // An empty head is a line break alone: seen together with the one that closed the boundary's line.
    this.#held = Buffer.concat([crlf, this.#held])
    for (;;) {
      const end = this.#held.indexOf(headerEnd)
      if (end >= 0 ? end > limits.headerBytes : this.#held.length > limits.headerBytes)
        throw bad(`A part has more than ${limits.headerBytes} bytes of headers.`)
      if (end >= 0) {
        const headers = this.#held.subarray(crlf.length, Math.max(end, crlf.length))
        this.#held = this.#held.subarray(end + headerEnd.length)
        return headers
      }
      await this.#more('The form was cut off in the headers of a part.')
    }
  }

  async #restOfBlankLine(start: Buffer): Promise<void> {
    let line = start
    while (!line.subarray(-2).equals(crlf)) {
      if (line.length > 256 || /[^ \t\r]/.test(line.toString('latin1')))
        throw bad('A boundary line goes on with other text.')
      line = Buffer.concat([line, await this.#take(1)])
    }
    if (!/^[ \t]*\r\n$/.test(line.toString('latin1'))) throw bad('A boundary line goes on with other text.')
  }

  async #readEpilogue(): Promise<void> {
    let bytes = this.#held.length
    for (;;) {
      if (bytes > limits.outsideBytes) throw bad('There is too much after the last boundary.')
      const next = await this.#source.next()
      if (next.done) return
      bytes += next.value.length
    }
  }

  async #take(count: number): Promise<Buffer> {
    while (this.#held.length < count) await this.#more('The form was cut off at a boundary.')
    const taken = this.#held.subarray(0, count)
    this.#held = this.#held.subarray(count)
    return taken
  }

  async #more(cutOff: string): Promise<void> {
    const next = await this.#source.next()
    if (next.done) throw bad(cutOff)
    this.#held = this.#held.length === 0 ? next.value : Buffer.concat([this.#held, next.value])
  }
}

function headOf(headers: Buffer): PartHead {
  const fields = fieldsOf(headers)
  const disposition = /^form-data\s*(;.*)$/is.exec(fields.get('content-disposition') ?? '')
  if (!disposition) throw bad('A part is not form-data with a name.')
  const encoding = fields.get('content-transfer-encoding')
  if (encoding !== undefined && !/^(7bit|8bit|binary)$/i.test(encoding))
    throw bad('A part is transfer-encoded, which form-data does not allow.')
  const type = fields.get('content-type') ?? null
  if (type !== null && /^\s*multipart\//i.test(type)) throw bad('A part is multipart itself.')
  const parameters = parametersOf(disposition[1]!)
  const names = new Set(parameters.map(([name]) => name))
  if (names.size !== parameters.length) throw bad('A part names a parameter twice.')
  const value = (name: string) => parameters.find(([given]) => given === name)?.[1] ?? null
  const name = value('name')
  if (name === null) throw bad('A part has no name.')
  const plain = value('filename')
  const extended = value('filename*')
  const filename = extended === null ? plain : decodeExtended(extended)
  if (plain !== null && filename !== plain) throw bad('filename and filename* disagree.')
  return { name, filename, type }
}

function fieldsOf(headers: Buffer): Map<string, string> {
  const text = utf8OrLatin1(headers)
  const fields = new Map<string, string>()
  const lines = text.split('\r\n')
  if (lines.length > limits.headers) throw bad(`A part has more than ${limits.headers} headers.`)
  for (const line of lines) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):([^\0\r\n]*)$/.exec(line)
    if (!field) throw bad('A part has a malformed header.')
    const name = field[1]!.toLowerCase()
    if (fields.has(name)) throw bad(`A part has the header ${name} twice.`)
    fields.set(name, field[2]!.trim())
  }
  return fields
}

/** `; name=token; name="quoted"`. In quotes, `\"` and `\\` are escapes; browsers write `"` as %22, which stays as it is. */
function parametersOf(text: string): [string, string][] {
  const parameters: [string, string][] = []
  // Linear: in no place can two of its loops share a run of blanks.
  const pattern = /\s*;\s*([!#$%&'*+.^_`|~0-9A-Za-z-]+)=(?:"((?:[^"\\]|\\.)*)"|([^\s";]+))|\s*(?:;\s*)?$/gsy
  while (pattern.lastIndex < text.length) {
    const match = pattern.exec(text)
    if (!match) throw bad('A header has malformed parameters.')
    const [, name, quoted, token] = match
    if (name === undefined) break
    parameters.push([name.toLowerCase(), quoted === undefined ? token! : quoted.replace(/\\(["\\])/g, '$1')])
  }
  return parameters
}

/** `UTF-8''caf%C3%A9.pdf` (RFC 5987), as some clients send in spite of RFC 7578. */
function decodeExtended(value: string): string {
  const match = /^utf-8'[^']*'(.*)$/is.exec(value)
  try {
    const filename = match && decodeURIComponent(match[1]!)
    // What a header may not carry is no better when it is encoded.
    if (filename !== null && !/[\0\r\n]/.test(filename)) return filename
  } catch {
    // Falls through: it is as wrong as an unknown charset.
  }
  throw bad('filename* is malformed.')
}

function utf8OrLatin1(bytes: Buffer): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    return bytes.toString('latin1')
  }
}
