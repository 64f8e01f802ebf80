import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { expect, it } from 'vitest'
import { scannable, unreadable } from '../../tests/fixtures/engines.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { listening } from '../../tests/scan/listen.ts'
import { Unavailable } from '../errors.ts'
import { scannerOf } from './engine.ts'
import { http } from './http.ts'

const small = scannable(Buffer.from('hello'), Buffer.from(' world'))
const large = scannable(...Array.from({ length: 400 }, () => Buffer.alloc(65_536, 1)))

interface Fake {
  /** Called once the head of a POST is there. */
  onFile?(request: IncomingMessage, response: ServerResponse): void
  onAsk?(response: ServerResponse): void
  token?: string
}

async function fake({ onFile = () => {}, onAsk = (response) => void response.end('{}'), token }: Fake) {
  const asked: IncomingMessage[] = []
  const server = createServer((request, response) => {
    asked.push(request)
    request.on('error', () => {})
    if (request.method === 'GET') onAsk(response)
    else onFile(request, response)
  })
  const port = await listening(server)
  const clock = manualClock()
  const url = `http://127.0.0.1:${port}/scan?profile=chat`
  return { clock, asked, engine: scannerOf(http({ url, token: token ?? null, clock }), clock) }
}

/** Answers once it has the whole file. */
const answering = (body: unknown, status = 200): Fake => ({
  onFile: (request, response) => {
    request.resume().on('end', () => {
      response.statusCode = status
      response.end(typeof body === 'string' ? body : JSON.stringify(body))
    })
  },
})
const clean = { verdict: 'clean', sha256: small.sha256 }

it('gets the file as the body of a POST, and nothing that tells of the customer', async () => {
  const pieces: Buffer[] = []
  const { engine, asked } = await fake({
    token: 'secret',
    onFile: (request, response) => {
      request.on('data', (piece) => pieces.push(piece)).on('end', () => response.end(JSON.stringify(clean)))
    },
  })
  expect(await engine.scan(small)).toEqual({ engine: 'http', verdict: 'clean', at: '2026-10-02T09:10:00.000Z' })
  expect(Buffer.concat(pieces).toString()).toBe('hello world')
  const { method, url, headers } = asked.at(-1)!
  expect({ method, url, headers: { ...headers, host: '' } }).toEqual({
    method: 'POST',
    url: '/scan?profile=chat',
    headers: {
      accept: 'application/json',
      authorization: 'Bearer secret',
      connection: 'close',
      'content-type': 'application/octet-stream',
      'content-length': '11',
      host: '',
    },
  })
})

it.each(['infected', 'unscannable'])('says what it found in a file that is %s, in one line', async (verdict) => {
  const { engine } = await fake(answering({ verdict, sha256: small.sha256, detail: 'Eicar\n\u202eTest' }))
  expect(await engine.scan(small)).toMatchObject({ verdict, detail: 'Eicar Test' })
})

it.each([
  ['no JSON', 'clean'],
  ['nothing', ''],
  ['a list', []],
  ['another verdict', { ...clean, verdict: 'ok' }],
  ['no digest', { verdict: 'clean' }],
  ['of another file', { ...clean, sha256: large.sha256 }],
  ['too long', { ...clean, more: 'x'.repeat(70_000) }],
])('an answer that is %s is no verdict', async (_, body) => {
  const { engine } = await fake(answering(body))
  expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: expect.any(String) })
})

it.each([201, 204, 301, 404, 500, 503])('a status %d is no verdict, whatever it says', async (status) => {
  const { engine } = await fake(answering(clean, status))
  expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: `it answered ${status}` })
})

it('an answer before the file was whole is never clean, and is believed when it names a threat', async () => {
  const early = (verdict: string): Fake => ({
    onFile: (_, response) => void response.end(JSON.stringify({ verdict, sha256: large.sha256 })),
  })
  expect(await (await fake(early('clean'))).engine.scan(large)).toMatchObject({ verdict: 'failed' })
  expect(await (await fake(early('infected'))).engine.scan(large)).toMatchObject({ verdict: 'infected' })
})

it('an answer that comes after the last byte, before we have seen that it was the last, is one to the whole file', async () => {
  let goOn = () => {}
  const answered = new Promise<void>((resolve) => {
    goOn = resolve
  })
  const { engine } = await fake({
    onFile: (request, response) => {
      request.socket.once('close', goOn)
      request.resume().on('end', () => response.end(JSON.stringify(clean)))
    },
  })
  const slow = {
    ...small,
    async *open() {
      yield* small.open()
      await answered
      // It has been sent: some turns, and it has come.
      for (let i = 0; i < 50; i++) await nextTurn()
    },
  }
  expect(await engine.scan(slow)).toMatchObject({ verdict: 'clean' })
})

it('a connection that is cut is no verdict, before the answer or in it', async () => {
  const cut: Fake = { onFile: (request) => void request.socket.destroy() }
  const half: Fake = {
    onFile: (_, response) => {
      response.writeHead(200, { 'content-length': 500 })
      response.write('{"verdict":"clean"', () => response.destroy())
    },
  }
  for (const behaviour of [cut, half])
    expect(await (await fake(behaviour)).engine.scan(small)).toMatchObject({ verdict: 'failed' })
})

it('never answers: no verdict when its time is over', async () => {
  let asked = false
  const { engine, clock } = await fake({
    onFile: () => {
      asked = true
    },
  })
  for (const file of [small, large]) {
    asked = false
    const scanned = engine.scan(file)
    await until(() => asked)
    clock.jump(150_000)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'no answer within 150000 ms' })
  }
})

it('tells by which signatures it judges, or that it does not tell', async () => {
  const state = { signatures: '2026-11-24.3', signaturesMadeAt: '2026-11-24T08:00:00Z' }
  const told = await fake({ ...answering(clean), onAsk: (response) => void response.end(JSON.stringify(state)) })
  expect(await told.engine.check()).toEqual({ version: '2026-11-24.3', madeAt: new Date('2026-11-24T08:00:00Z') })
  expect((await told.engine.scan(small)).signatures).toBe('2026-11-24.3')
  expect(await (await fake({})).engine.check()).toBeNull()
  const away = await fake({
    onAsk: (response) => {
      response.statusCode = 503
      response.end()
    },
  })
  await expect(away.engine.check()).rejects.toThrow(Unavailable)
  expect(await away.engine.scan(small)).toMatchObject({ verdict: 'failed', detail: 'it answered 503' })
})

it('a file that cannot be read passes that on, and its turn too', async () => {
  const { engine } = await fake(answering(clean))
  for (let i = 0; i < 12; i++) await expect(engine.scan(unreadable)).rejects.toThrow('damaged')
  expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
})
