import { type IncomingMessage, type RequestOptions, request as requestPlain } from 'node:http'
import { request as requestTls } from 'node:https'
import { z } from 'zod'
import type { Clock } from '../clock.ts'
import { type Engine, NoReply, oneLine, type Said } from './engine.ts'
import type { Scannable, Signatures } from './scanner.ts'

export interface HttpOptions {
  url: string
  /** Sent as a bearer token. */
  token: string | null
  clock: Clock
  atOnce?: number
}

const scanMs = 150_000
const askMs = 5000
/** Bytes. */
const longestAnswer = 64 * 1024

const signatures = { signatures: z.string().max(256).optional(), signaturesMadeAt: z.iso.datetime().optional() }
const answer = z.object({
  verdict: z.enum(['clean', 'infected', 'unscannable']),
  /** Of the bytes that were judged. */
  sha256: z.string(),
  detail: z.string().max(4096).optional(),
  ...signatures,
})
const state = z.object(signatures)

/**
 * An engine behind HTTP. The file is the body of a POST; the answer is a JSON that names the digest of what was judged, so that
 * an answer to another file, or to a part of one, is no verdict. A GET tells that it could judge, and by which signatures.
 */
export function http({ url, token, clock, atOnce = 10 }: HttpOptions): Engine {
  const ask = (file: Scannable | null, withinMs: number) => converse({ url, token, clock }, file, withinMs)
  return {
    name: 'http',
    atOnce,
    async judge(file) {
      const { sent, body } = await ask(file, scanMs)
      const said = parsed(answer, body)
      if (said.sha256 !== file.sha256) throw new NoReply('it judged other bytes')
      if (said.verdict === 'clean' && !sent) throw new NoReply('it answered before it had the file')
      return saidBy(said)
    },
    async signatures(): Promise<Signatures | null> {
      const { body } = await ask(null, askMs)
      const { signatures: version, signaturesMadeAt } = parsed(state, body)
      if (version === undefined) return null
      return { version: oneLine(version), madeAt: signaturesMadeAt === undefined ? null : new Date(signaturesMadeAt) }
    },
  }
}

function saidBy({ verdict, detail, signatures: version }: z.output<typeof answer>): Said {
  return {
    verdict,
    ...(verdict !== 'clean' && detail !== undefined && { detail: oneLine(detail) }),
    ...(version !== undefined && { signatures: oneLine(version) }),
  }
}

function parsed<Shape extends z.ZodType>(shape: Shape, body: string): z.output<Shape> {
  try {
    return shape.parse(JSON.parse(body))
  } catch {
    throw new NoReply('its answer is not as agreed')
  }
}

async function converse(
  { url, token, clock }: Omit<HttpOptions, 'atOnce'>,
  file: Scannable | null,
  withinMs: number,
): Promise<{ sent: boolean; body: string }> {
  const over = new AbortController()
  const late = new AbortController()
  void clock.wait(withinMs, over.signal).then(() => {
    if (!over.signal.aborted) late.abort()
  })
  const options: RequestOptions = {
    method: file ? 'POST' : 'GET',
    // A connection of its own: one that was kept may be half closed, and a file cannot be sent twice.
    agent: false,
    signal: late.signal,
    headers: {
      accept: 'application/json',
      ...(token !== null && { authorization: `Bearer ${token}` }),
      ...(file && { 'content-type': 'application/octet-stream', 'content-length': file.size }),
    },
  }
  const request = url.startsWith('https:')
    ? requestTls(url, { ...options, minVersion: 'TLSv1.2' })
    : requestPlain(url, options)
  let answered = false
  let closed = false
  let wake = () => {}
  const response = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', (message) => {
      answered = true
      wake()
      resolve(message)
    })
    request.once('error', (error) =>
      reject(new NoReply(late.signal.aborted ? `no answer within ${withinMs} ms` : error.message)),
    )
  })
  response.catch(() => {})
  request.on('drain', () => wake())
  request.once('close', () => {
    closed = true
    wake()
  })
  const takesMore = () => !answered && !closed
  let left = file?.size ?? 0
  let sent = false
  try {
    if (file)
      for await (const piece of file.open()) {
        if (!takesMore()) break
        left -= piece.length
        // Before the last byte is written: an answer to all of it cannot come earlier, and need not wait for our end.
        sent = left === 0
        if (request.write(piece)) continue
        await new Promise<void>((resolve) => {
          wake = resolve
          if (!takesMore()) resolve()
        })
      }
    request.end()
    const message = await response
    if (message.statusCode !== 200) throw new NoReply(`it answered ${message.statusCode}`)
    return { sent, body: await bodyOf(message) }
  } finally {
    over.abort()
    request.destroy()
  }
}

async function bodyOf(message: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let size = 0
  try {
    for await (const piece of message as AsyncIterable<Buffer>) {
      size += piece.length
      if (size > longestAnswer) throw new NoReply('its answer is too long')
      pieces.push(piece)
    }
  } catch (error) {
    throw error instanceof NoReply ? error : new NoReply(`its answer is cut: ${(error as Error).message}`)
  }
  return Buffer.concat(pieces).toString('utf8')
}
