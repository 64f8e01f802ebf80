import { connect, isIP } from 'node:net'
import { connect as connectTls } from 'node:tls'
import type { Clock } from '../clock.ts'
import { type Engine, NoReply, oneLine, type Said, saidOfThreat } from './engine.ts'
import { encapsulated, type Head, isSame, type ReplyReader, readReply } from './icapReply.ts'
import { type Line, openLine } from './line.ts'
import type { Scannable } from './scanner.ts'
import type { IcapSettings } from './settings.ts'

export interface IcapOptions {
  settings: IcapSettings
  clock: Clock
  atOnce?: number
}

const scanMs = 150_000
const optionsMs = 5000
/** Bytes, of what it encapsulates before a body. */
const longestHeads = 64 * 1024

/** X-Infection-Found and the next two are of draft-stecher-icap-subid; the others are what products send. */
const knownFields = ['x-infection-found', 'x-violations-found', 'x-virus-id', 'x-virus-name', 'x-blocked-reason']

/**
 * An engine behind ICAP (RFC 3507). `clean` is a 204 after the whole file, or the very same file come back. Another answer is no
 * verdict: a 204 that came when only a part was there, an error, a part of a reply.
 */
export function icap({ settings, clock, atOnce = 10 }: IcapOptions): Engine {
  const { host, port, tls, method } = settings
  const open = (withinMs: number) => {
    const address = { host, port, allowHalfOpen: true }
    const servername = isIP(host) === 0 ? { servername: host } : {}
    const socket = tls ? connectTls({ ...address, ...servername, minVersion: 'TLSv1.2' }) : connect(address)
    return openLine({ socket, connectedBy: tls ? 'secureConnect' : 'connect', withinMs, clock })
  }
  return {
    name: 'icap',
    atOnce,
    async judge(file) {
      const line = open(scanMs)
      try {
        return await converse(line, file, settings)
      } finally {
        line.close()
      }
    },
    async signatures() {
      const line = open(optionsMs)
      try {
        await line.send(Buffer.from(headOf('OPTIONS', settings, ['Encapsulated: null-body=0'])))
        const { status, fields } = await readReply(line).head()
        if (status !== 200) throw new NoReply(`it answered ${status} to OPTIONS`)
        const offered = (fields.get('methods') ?? []).join().split(/[\s,]+/)
        if (!offered.includes(method)) throw new NoReply(`it offers ${oneLine(offered.join(' '))}, not ${method}`)
        const version = tagOf(fields)
        return version === null ? null : { version, madeAt: null }
      } finally {
        line.close()
      }
    },
  }
}

function headOf(method: string, { host, port, tls, service }: IcapSettings, fields: string[]): string {
  const authority = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`
  const lines = [
    `${method} ${tls ? 'icaps' : 'icap'}://${authority}${service} ICAP/1.0`,
    `Host: ${authority}`,
    'User-Agent: Clipgate',
    'Connection: close',
    ...fields,
  ]
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** The file as the body of an HTTP message: an answer to a GET, or a POST. Of the customer it tells nothing. */
function requestOf(settings: IcapSettings, size: number, preview: number | null): Buffer {
  const host = 'clipgate.invalid'
  const ask = (method: string, more: string[]) =>
    `${[`${method} http://${host}/attachment HTTP/1.1`, `Host: ${host}`, ...more].join('\r\n')}\r\n\r\n`
  const content = ['Content-Type: application/octet-stream', `Content-Length: ${size}`]
  const get = ask('GET', [])
  const answer = `${['HTTP/1.1 200 OK', ...content].join('\r\n')}\r\n\r\n`
  const [heads, parts] =
    settings.method === 'RESPMOD'
      ? [get + answer, `req-hdr=0, res-hdr=${get.length}, res-body=${get.length + answer.length}`]
      : [ask('POST', content), `req-hdr=0, req-body=${ask('POST', content).length}`]
  const fields = ['Allow: 204', ...(preview === null ? [] : [`Preview: ${preview}`]), `Encapsulated: ${parts}`]
  return Buffer.from(headOf(settings.method, settings, fields) + heads)
}

async function converse(line: Line, file: Scannable, settings: IcapSettings): Promise<Said> {
  const preview = settings.preview === null ? null : Math.min(settings.preview, file.size)
  let sent = false
  let goOn = (_wanted: boolean) => {}
  /** Whether the rest after the preview is wanted. */
  const wanted = new Promise<boolean>((resolve) => {
    goOn = resolve
  })
  const hear = async (): Promise<Said> => {
    const reply = readReply(line)
    let head = await reply.head()
    if (head.status === 100 && preview !== null && preview < file.size) {
      goOn(true)
      head = await reply.head()
    }
    return saidBy(head, reply, { file, settings, whole: () => sent })
  }
  const heard = hear().finally(() => {
    goOn(false)
    line.stop()
  })
  heard.catch(() => {})

  const send = (bytes: Buffer) => line.send(bytes)
  if (await send(requestOf(settings, file.size, preview)))
    await sendBody(file, preview, wanted, send, (last) => {
      // Before the last byte is written: a reply to all of it cannot come earlier.
      sent = true
      if (!line.sendLast(last)) sent = false
    })
  return heard
}

/** In chunks; first those of the preview. `end` is given the last bytes, unless no more is taken. */
async function sendBody(
  file: Scannable,
  preview: number | null,
  wanted: Promise<boolean>,
  send: (bytes: Buffer) => Promise<boolean>,
  end: (last: Buffer) => void,
): Promise<void> {
  let before = preview ?? Number.POSITIVE_INFINITY
  for await (let piece of file.open()) {
    if (piece.length > before) {
      if (before > 0 && !(await send(chunk(piece.subarray(0, before))))) return
      piece = piece.subarray(before)
      before = 0
    }
    if (before === 0 && piece.length > 0) {
      if (!(await send(Buffer.from('0\r\n\r\n'))) || !(await wanted)) return
      before = Number.POSITIVE_INFINITY
    }
    if (piece.length > 0 && !(await send(chunk(piece)))) return
    before -= piece.length
  }
  // Nothing was held back: the preview was the whole file.
  end(Buffer.from(preview !== null && preview === file.size ? '0; ieof\r\n\r\n' : '0\r\n\r\n'))
}

function chunk(piece: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from('\r\n')])
}

interface Asked {
  file: Scannable
  settings: IcapSettings
  /** Whether the whole file has been sent by now. */
  whole(): boolean
}

async function saidBy(head: Head, reply: ReplyReader, { file, settings, whole }: Asked): Promise<Said> {
  const { status, fields } = head
  const early = !whole()
  const version = tagOf(fields)
  const said = (of: Said): Said => ({ ...of, ...(version !== null && { signatures: version }) })
  if (status !== 200 && status !== 204) throw new NoReply(`it answered ${status}`)
  const threat = [...knownFields, ...settings.found].flatMap((name) => fields.get(name) ?? []).find(isThreat)
  if (threat !== undefined) return said(saidOfFound(threat))
  if (status === 204) {
    if (early) throw new NoReply('it answered before it had the file')
    if (encapsulated(head).some(({ name }) => name !== 'null-body')) throw new NoReply('its 204 has a body')
    return said({ verdict: 'clean' })
  }
  const parts = encapsulated(head)
  const [first, second] = parts
  const own = settings.method === 'RESPMOD' ? 'res' : 'req'
  const headsEnd = parts.at(-1)!.at
  if (headsEnd > longestHeads) throw new NoReply('the head of its answer is too long')
  const inner = await reply.bytes(headsEnd)
  const changed = said({ verdict: 'unscannable', detail: changedTo(first?.name === 'res-hdr' ? inner : null) })
  // An answer to the customer in place of the file, or no body: it lets something else through.
  if (first?.name !== `${own}-hdr` || second?.name !== `${own}-body` || parts.length !== 2) return changed
  if (own === 'res' && !/^HTTP\/1\.[01] 200[ \r]/.test(inner.toString('latin1', 0, 20))) return changed
  if (!(await isSame(reply.body(), file))) return changed
  if (!whole()) throw new NoReply('it answered before it had the file')
  return said({ verdict: 'clean' })
}

function changedTo(answer: Buffer | null): string {
  const [, status] = /^HTTP\/1\.[01] ([0-9]{3})/.exec(answer?.toString('latin1', 0, 20) ?? '') ?? []
  return status === undefined ? 'it puts something else in its place' : `it puts an answer ${status} in its place`
}

/** `X-Violations-Found: 0` says that there is none. */
function isThreat(value: string): boolean {
  return value !== '' && value !== '0'
}

/**
 * `Type=0; Resolution=2; Threat=Eicar;` (0: malware; 1, 2: a policy's rule, a container that cannot be opened);
 * `1`, then lines with file, threat, id and what was done; or just a name.
 */
function saidOfFound(value: string): Said {
  const [, type, threat] = /^Type=([012]);\s*Resolution=[012];\s*Threat=([^;]*);?$/i.exec(value) ?? []
  if (type !== undefined) {
    const name = oneLine(threat ?? '') || 'a threat without a name'
    return type === '0' ? saidOfThreat(name) : { verdict: 'unscannable', detail: name }
  }
  const [count, ...lines] = value.split('\n')
  const named = /^[0-9]+$/.test(count ?? '') && lines.length > 1 ? lines[1]! : value
  return saidOfThreat(oneLine(named) || 'a threat without a name')
}

/** It changes with what the service judges by (RFC 3507 4.7). */
function tagOf(fields: Map<string, string[]>): string | null {
  const tag = oneLine((fields.get('istag')?.[0] ?? '').replace(/^"|"$/g, ''))
  return tag === '' ? null : tag
}
