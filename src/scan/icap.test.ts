import { createServer, type Socket } from 'node:net'
import { describe, expect, it } from 'vitest'
import { scannable, unreadable } from '../../tests/fixtures/engines.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { listening } from '../../tests/scan/listen.ts'
import { Unavailable } from '../errors.ts'
import { scannerOf } from './engine.ts'
import { icap } from './icap.ts'
import type { IcapSettings } from './settings.ts'

const small = scannable(Buffer.from('hello'), Buffer.from(' world'))
const large = scannable(...Array.from({ length: 400 }, () => Buffer.alloc(65_536, 1)))

const options =
  'ICAP/1.0 200 OK\r\nMethods: RESPMOD, REQMOD\r\nISTag: "CI0001-abc"\r\nAllow: 204\r\nEncapsulated: null-body=0\r\n\r\n'

interface Fake {
  /** Called each time that more has come of a request other than OPTIONS; `ended`: its body has. */
  onRequest?(socket: Socket, request: { text: string; ended: boolean }): void
  onOptions?(socket: Socket): void
}

/** Something that listens as an ICAP server would, and does as it is told. */
async function fake(
  { onRequest = () => {}, onOptions = (socket) => void socket.end(options) }: Fake,
  settings: Partial<IcapSettings> = {},
) {
  const requests: string[] = []
  const server = createServer((socket) => {
    let text = ''
    socket.on('data', (chunk) => {
      // Enough to know what is asked, and all of what is small.
      text += text.length > 8_000_000 ? '' : chunk.toString('latin1')
      if (text.startsWith('OPTIONS')) {
        if (text.endsWith('\r\n\r\n')) onOptions(socket)
        return
      }
      requests[0] = text
      onRequest(socket, { text, ended: /\r\n0(; ieof)?\r\n\r\n$/.test(text.slice(-20)) })
    })
  })
  const port = await listening(server)
  const clock = manualClock()
  const all: IcapSettings = {
    host: '127.0.0.1',
    port,
    tls: false,
    service: '/avscan',
    method: 'RESPMOD',
    preview: null,
    found: [],
    ...settings,
  }
  return { clock, port, requests, engine: scannerOf(icap({ settings: all, clock }), clock) }
}

/** Answers once it has the whole file. */
const answering = (reply: string): Fake => ({
  onRequest: (socket, { ended }) => {
    if (ended) socket.end(reply, 'latin1')
  },
})
const clean = 'ICAP/1.0 204 No Content\r\nISTag: "CI0001-abc"\r\n\r\n'

/** A reply with a message in it, whose head is `head` and whose body is `body`. */
function holding(head: string, body: string, { part = 'res', fields = [] as string[] } = {}): string {
  const heads = `${head}\r\n\r\n`
  return [
    'ICAP/1.0 200 OK',
    'ISTag: "CI0001-abc"',
    ...fields,
    `Encapsulated: ${part}-hdr=0, ${part}-body=${heads.length}`,
    '',
    `${heads}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`,
  ].join('\r\n')
}

describe('a reply to the whole file', () => {
  it('204 is clean, and says by which signatures', async () => {
    const { engine, requests, port } = await fake(answering(clean))
    expect(await engine.scan(small)).toEqual({
      engine: 'icap',
      verdict: 'clean',
      signatures: 'CI0001-abc',
      at: '2026-10-02T09:10:00.000Z',
    })
    const get = 'GET http://clipgate.invalid/attachment HTTP/1.1\r\nHost: clipgate.invalid\r\n\r\n'
    const ok = 'HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 11\r\n\r\n'
    expect(requests[0]).toBe(
      `RESPMOD icap://127.0.0.1:${port}/avscan ICAP/1.0\r\nHost: 127.0.0.1:${port}\r\nUser-Agent: Clipgate\r\n` +
        `Connection: close\r\nAllow: 204\r\nEncapsulated: req-hdr=0, res-hdr=${get.length}, res-body=${get.length + ok.length}\r\n\r\n` +
        `${get}${ok}5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n`,
    )
  })

  it('goes as the body of a request where the service judges those', async () => {
    const { engine, requests } = await fake(answering(clean), { method: 'REQMOD' })
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
    const [, offset, rest] = /Encapsulated: req-hdr=0, req-body=(\d+)\r\n\r\n(.*)$/s.exec(requests[0]!) ?? []
    expect(rest!.slice(0, Number(offset))).toMatch(/^POST .* HTTP\/1.1\r\n.*Content-Length: 11\r\n\r\n$/s)
    expect(rest!.slice(Number(offset))).toBe('5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n')
  })

  it('that is the very same file is clean', async () => {
    const echo = holding('HTTP/1.1 200 OK\r\nContent-Length: 11', 'hello world')
    expect(await (await fake(answering(echo))).engine.scan(small)).toMatchObject({ verdict: 'clean' })
    const request = holding('POST / HTTP/1.1\r\nContent-Length: 11', 'hello world', { part: 'req' })
    const { engine } = await fake(answering(request), { method: 'REQMOD' })
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
  })

  it.each([
    ['another file', holding('HTTP/1.1 200 OK', 'hello earth'), 'it puts an answer 200 in its place'],
    ['a part of it', holding('HTTP/1.1 200 OK', 'hello'), 'it puts an answer 200 in its place'],
    ['more than it', holding('HTTP/1.1 200 OK', 'hello world!'), 'it puts an answer 200 in its place'],
    ['it, as an answer 403', holding('HTTP/1.1 403 No', 'hello world'), 'it puts an answer 403 in its place'],
    ['a page that forbids', holding('HTTP/1.1 403 No', '<html>'), 'it puts an answer 403 in its place'],
    ['a request', holding('GET / HTTP/1.1', 'hello world', { part: 'req' }), 'it puts something else in its place'],
    [
      'no body',
      'ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n',
      'it puts an answer 200 in its place',
    ],
  ])('that is %s lets something else through: unscannable', async (_, reply, detail) => {
    expect(await (await fake(answering(reply))).engine.scan(small)).toMatchObject({ verdict: 'unscannable', detail })
  })

  const page = (field: string) => holding('HTTP/1.1 403 No', '<html>', { fields: [field] })
  it.each([
    ['X-Infection-Found: Type=0; Resolution=2; Threat=Eicar-Test;', 'infected', 'Eicar-Test'],
    ['x-infection-found: type=0; resolution=0; threat=Eicar-Test', 'infected', 'Eicar-Test'],
    [
      'X-Infection-Found: Type=2; Resolution=2; Threat=Encrypted container violation;',
      'unscannable',
      'Encrypted container violation',
    ],
    [
      'X-Infection-Found: Type=0; Resolution=2; Threat=Heuristics.Limits.Exceeded.MaxFiles;',
      'unscannable',
      'Heuristics.Limits.Exceeded.MaxFiles',
    ],
    ['X-Infection-Found: something', 'infected', 'something'],
    ['X-Infection-Found: Type=0; Resolution=2; Threat=;', 'infected', 'a threat without a name'],
    ['X-Violations-Found: 1\r\n\tfile.bin\r\n\tEicar-Test\r\n\t11101\r\n\t0', 'infected', 'Eicar-Test'],
    ['X-Virus-ID: Eicar-Test', 'infected', 'Eicar-Test'],
    ['X-Blocked-Reason: Infected', 'infected', 'Infected'],
  ])('that names what was found (%j)', async (field, verdict, detail) => {
    const signatures = 'CI0001-abc'
    expect(await (await fake(answering(page(field)))).engine.scan(small)).toMatchObject({ verdict, detail, signatures })
  })

  it('that names a threat is not clean whatever its status is', async () => {
    const reply = 'ICAP/1.0 204 No Content\r\nX-Virus-ID: Eicar-Test\r\n\r\n'
    expect(await (await fake(answering(reply))).engine.scan(small)).toMatchObject({ verdict: 'infected' })
  })

  it('may name it in a field of its own', async () => {
    const { engine } = await fake(answering(page('X-Our-Threat: Eicar-Test')), { found: ['x-our-threat'] })
    expect(await engine.scan(small)).toMatchObject({ verdict: 'infected', detail: 'Eicar-Test' })
  })

  it('that finds nothing says so by 0', async () => {
    const reply = 'ICAP/1.0 204 No Content\r\nX-Violations-Found: 0\r\n\r\n'
    expect(await (await fake(answering(reply))).engine.scan(small)).toMatchObject({ verdict: 'clean' })
  })

  const echo = holding('HTTP/1.1 200 OK', 'hello world')
  it.each([
    ['nothing', ''],
    ['an error', 'ICAP/1.0 500 Server error\r\n\r\n'],
    ['no such service', 'ICAP/1.0 404 Service not found\r\n\r\n'],
    ['a wish to see more', 'ICAP/1.0 100 Continue\r\n\r\n'],
    ['a part', 'ICAP/1.0 206 Partial Content\r\nEncapsulated: null-body=0\r\n\r\n'],
    ['of another protocol', 'HTTP/1.1 204 No Content\r\n\r\n'],
    ['of another version', 'ICAP/1.1 204 No Content\r\n\r\n'],
    ['a head that is cut', 'ICAP/1.0 204 No Content\r\nISTag: "x'],
    ['a head without an end', 'ICAP/1.0 204 No Content\r\n'],
    ['a field that is none', 'ICAP/1.0 204 No Content\r\nwhat is this\r\n\r\n'],
    ['a line without end', `ICAP/1.0 204 ${'x'.repeat(10_000)}`],
    ['a head that is too long', `ICAP/1.0 204 No\r\n${'X-A: b\r\n'.repeat(12_000)}\r\n`],
    [
      'a 204 with a body',
      'ICAP/1.0 204 No\r\nEncapsulated: res-hdr=0, res-body=19\r\n\r\nHTTP/1.1 200 OK\r\n\r\n0\r\n\r\n',
    ],
    ['two messages at once', 'ICAP/1.0 204 No\r\nEncapsulated: null-body=0\r\nEncapsulated: null-body=0\r\n\r\n'],
    ['parts out of order', 'ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=10, res-body=2\r\n\r\n'],
    ['parts of another kind', 'ICAP/1.0 200 OK\r\nEncapsulated: stuff=0\r\n\r\n'],
    ['a head beyond reason', 'ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=9999999\r\n\r\n'],
    ['a body that is cut', echo.slice(0, -9)],
    ['a body without an end', echo.slice(0, -5)],
    ['a chunk without a length', echo.replace('\r\nb\r\n', '\r\nzz\r\n')],
    ['a chunk that is longer than it says', echo.replace('\r\nb\r\n', '\r\na\r\n')],
  ])('that is %s has no verdict', async (_, reply) => {
    const { engine } = await fake(answering(reply))
    expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: expect.any(String) })
  })
})

describe('a reply before the file was whole', () => {
  const atOnce = (reply: string): Fake => ({
    onRequest: (socket) => void (socket.bytesWritten === 0 && socket.write(reply)),
  })

  it('is never clean', async () => {
    expect(await (await fake(atOnce(clean))).engine.scan(large)).toMatchObject({
      verdict: 'failed',
      detail: 'it answered before it had the file',
    })
  })

  it('is believed when it names a threat', async () => {
    const reply = 'ICAP/1.0 200 OK\r\nX-Virus-ID: Eicar-Test\r\nEncapsulated: null-body=0\r\n\r\n'
    expect(await (await fake(atOnce(reply))).engine.scan(large)).toMatchObject({ verdict: 'infected' })
  })
})

describe('a preview', () => {
  it('is followed by the rest once that is wanted', async () => {
    let asked = false
    const { engine, requests } = await fake(
      {
        onRequest: (socket, { text, ended }) => {
          if (!ended) return
          if (asked) socket.end(clean)
          else socket.write('ICAP/1.0 100 Continue\r\n\r\n')
          asked = true
          expect(text).toContain('Preview: 3\r\n')
        },
      },
      { preview: 3 },
    )
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
    expect(requests[0]).toMatch(/3\r\nhel\r\n0\r\n\r\n2\r\nlo\r\n6\r\n world\r\n0\r\n\r\n$/)
  })

  it.each([
    [0, '\r\n\r\n0\r\n\r\n5\r\nhello\r\n'],
    [5, '5\r\nhello\r\n0\r\n\r\n6\r\n world\r\n'],
    [6, '5\r\nhello\r\n1\r\n \r\n0\r\n\r\n5\r\nworld\r\n'],
  ])('of %d bytes ends where it says', async (preview, sent) => {
    let asked = 0
    const { engine, requests } = await fake(
      {
        onRequest: (socket, { ended }) => {
          if (ended && ++asked === 1) socket.write('ICAP/1.0 100 Continue\r\n\r\n')
          else if (ended) socket.end(clean)
        },
      },
      { preview },
    )
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
    expect(requests[0]).toContain(sent)
  })

  it('of a file that is no larger is the file', async () => {
    for (const preview of [11, 4096]) {
      const { engine, requests } = await fake(answering(clean), { preview })
      expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
      expect(requests[0]).toMatch(/Preview: 11\r\n.*6\r\n world\r\n0; ieof\r\n\r\n$/s)
    }
  })

  it('after which it wants nothing more has no verdict', async () => {
    const { engine, requests } = await fake(answering(clean), { preview: 3 })
    expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: 'it answered before it had the file' })
    expect(requests[0]).not.toContain('world')
  })
})

describe('an engine that', () => {
  it('tells its tag tells by which signatures it judges; one that tells none, or another method, says so', async () => {
    expect(await (await fake({})).engine.check()).toEqual({ version: 'CI0001-abc', madeAt: null })
    const tagless = await fake({ onOptions: (socket) => void socket.end(options.replace(/ISTag.*\r\n/, '')) })
    expect(await tagless.engine.check()).toBeNull()
    for (const reply of [options.replace('RESPMOD, ', ''), 'ICAP/1.0 404 No\r\n\r\n', 'HTTP/1.1 200 OK\r\n\r\n', '']) {
      const { engine } = await fake({ onOptions: (socket) => void socket.end(reply) })
      await expect(engine.check()).rejects.toThrow(Unavailable)
      expect(await engine.scan(small)).toMatchObject({ verdict: 'failed' })
    }
  })

  it('never answers has no verdict when its time is over', async () => {
    let asked = false
    const { engine, clock } = await fake({
      onRequest: () => {
        asked = true
      },
    })
    const scanned = engine.scan(small)
    await until(() => asked)
    clock.jump(150_000)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'no reply within 150000 ms' })
  })

  it('wants a preview and then hangs has no verdict when its time is over', async () => {
    let asked = false
    const { engine, clock } = await fake(
      {
        onRequest: () => {
          asked = true
        },
      },
      { preview: 2 },
    )
    const scanned = engine.scan(large)
    await until(() => asked)
    clock.jump(150_000)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'no reply within 150000 ms' })
  })

  it('takes nothing has no verdict after half a minute', async () => {
    const { engine, clock } = await fake({ onRequest: (socket) => void socket.pause() })
    const scanned = engine.scan(large)
    await until(() => clock.waits().includes(30_000))
    clock.jump(30_000)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'it takes nothing for 30000 ms' })
  })

  it('sends the file back while it takes it is heard out', async () => {
    const { engine } = await fake({
      onRequest: (socket, { text, ended }) => {
        if (socket.bytesWritten === 0) {
          const head = 'HTTP/1.1 200 OK\r\n\r\n'
          socket.write(`ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, res-body=${head.length}\r\n\r\n${head}`)
        }
        if (ended) socket.end(`${text.slice(text.indexOf('\r\n\r\n', text.indexOf('Content-Length')) + 4)}`, 'latin1')
      },
    })
    const pieces = Array.from({ length: 64 }, () => Buffer.alloc(65_536, 'x'))
    expect(await engine.scan(scannable(...pieces))).toMatchObject({ verdict: 'clean' })
  })

  it('is given a file that cannot be read passes that on, and its turn too', async () => {
    const { engine } = await fake(answering(clean))
    for (let i = 0; i < 12; i++) await expect(engine.scan(unreadable)).rejects.toThrow('damaged')
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
  })
})
