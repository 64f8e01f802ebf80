import { createHash } from 'node:crypto'
import { NoReply } from './engine.ts'
import type { Line } from './line.ts'

/** Bytes of one line, and of all lines of one head. */
const longestLine = 8 * 1024
const longestHead = 64 * 1024

/** The first line and the fields of a message's head (RFC 3507 4.3.2). Names in lower case; of a field that comes twice, all. */
export interface Head {
  status: number
  fields: Map<string, string[]>
}

export interface ReplyReader {
  head(): Promise<Head>
  /** So many bytes as they are. */
  bytes(length: number): Promise<Buffer>
  /** A chunked body, to its end. */
  body(): AsyncGenerator<Buffer>
}

/** Reads a reply as it comes. What is cut, too long, or not to the letter is `NoReply`. */
export function readReply(line: Line): ReplyReader {
  let buffer: Buffer = Buffer.alloc(0)

  async function more(): Promise<void> {
    const piece = await line.read()
    if (piece === null) throw new NoReply(buffer.length === 0 ? 'it hung up' : 'its reply is cut')
    buffer = buffer.length === 0 ? piece : Buffer.concat([buffer, piece])
  }

  async function textLine(): Promise<string> {
    for (let from = 0; ; ) {
      const end = buffer.indexOf('\r\n', from)
      if (end > longestLine || (end < 0 && buffer.length > longestLine)) throw new NoReply('a line of it is too long')
      if (end >= 0) {
        const text = buffer.toString('latin1', 0, end)
        buffer = buffer.subarray(end + 2)
        return text
      }
      from = Math.max(0, buffer.length - 1)
      await more()
    }
  }

  async function bytes(length: number): Promise<Buffer> {
    while (buffer.length < length) await more()
    const taken = buffer.subarray(0, length)
    buffer = buffer.subarray(length)
    return taken
  }

  async function fieldsOf(): Promise<Map<string, string[]>> {
    const fields = new Map<string, string[]>()
    let size = 0
    let last: string[] | null = null
    for (let text = await textLine(); text !== ''; text = await textLine()) {
      size += text.length
      if (size > longestHead) throw new NoReply('its head is too long')
      if (/^[ \t]/.test(text) && last) {
        last[last.length - 1] += `\n${text.trim()}`
        continue
      }
      const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):(.*)$/.exec(text) ?? []
      if (name === undefined || value === undefined) throw new NoReply(`a field of it is none: "${text.slice(0, 100)}"`)
      last = fields.get(name.toLowerCase()) ?? []
      last.push(value.trim())
      fields.set(name.toLowerCase(), last)
    }
    return fields
  }

  return {
    bytes,
    async head() {
      const first = await textLine()
      const [, status] = /^ICAP\/1\.0 ([1-5][0-9]{2})(?: .*)?$/.exec(first) ?? []
      if (status === undefined) throw new NoReply(`it answered "${first.slice(0, 100)}"`)
      return { status: Number(status), fields: await fieldsOf() }
    },
    async *body() {
      for (;;) {
        const [, hex] = /^([0-9A-Fa-f]{1,8})(?:[ \t]*;.*)?$/.exec(await textLine()) ?? []
        if (hex === undefined) throw new NoReply('a chunk of its reply has no length')
        let left = Number.parseInt(hex, 16)
        if (left === 0) {
          await fieldsOf()
          return
        }
        while (left > 0) {
          if (buffer.length === 0) await more()
          const piece = buffer.subarray(0, Math.min(left, buffer.length))
          buffer = buffer.subarray(piece.length)
          left -= piece.length
          yield piece
        }
        if ((await textLine()) !== '') throw new NoReply('a chunk of its reply is longer than it says')
      }
    },
  }
}

/** What a reply encapsulates (RFC 3507 4.4.1): the parts in their order, each with its offset from the first. */
export function encapsulated({ fields }: Head): { name: string; at: number }[] {
  const given = fields.get('encapsulated') ?? []
  if (given.length > 1) throw new NoReply('it encapsulates twice')
  const parts = (given[0] ?? 'null-body=0').split(',').map((part) => {
    const [, name, at] = /^\s*(re[qs]-(?:hdr|body)|opt-body|null-body)=([0-9]{1,7})\s*$/.exec(part) ?? []
    if (name === undefined) throw new NoReply(`it encapsulates "${part.slice(0, 50)}"`)
    return { name, at: Number(at) }
  })
  if (parts[0]?.at !== 0 || parts.some(({ at }, i) => i > 0 && at < parts[i - 1]!.at))
    throw new NoReply('what it encapsulates is out of order')
  return parts
}

/** Whether a body has these bytes and no others. It is read until that is known. */
export async function isSame(
  body: AsyncIterable<Buffer>,
  { size, sha256 }: { size: number; sha256: string },
): Promise<boolean> {
  const hash = createHash('sha256')
  let read = 0
  for await (const piece of body) {
    read += piece.length
    if (read > size) return false
    hash.update(piece)
  }
  return read === size && hash.digest('hex') === sha256
}
