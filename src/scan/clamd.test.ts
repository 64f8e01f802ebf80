import type { AddressInfo } from 'node:net'
import { createServer, type Socket } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { scannable, unreadable } from '../../tests/fixtures/engines.ts'
import { manualClock, until } from '../../tests/genesys/clock.ts'
import { Unavailable } from '../errors.ts'
import { clamd } from './clamd.ts'
import { scannerOf } from './engine.ts'

const versionTold = 'ClamAV 1.4.6/27400/Tue Nov 24 08:23:00 2026\0'

const small = scannable(Buffer.from('hello'), Buffer.from(' world'))
const large = scannable(...Array.from({ length: 400 }, () => Buffer.alloc(65_536, 1)))

interface Stream {
  bytes: number
  /** The end of the stream has come. */
  whole: boolean
}

interface Fake {
  /** Called with what has come after the command, each time that more came. */
  onStream?(socket: Socket, stream: Stream): void
  onVersion?(socket: Socket): void
}

/** Something that listens as clamd would, and does as it is told. */
async function fake({ onStream = () => {}, onVersion = (socket) => socket.end(versionTold) }: Fake) {
  const sockets = new Set<Socket>()
  const streams: Buffer[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    let command = ''
    let bytes = 0
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      // A command comes in one piece here, alone or before what follows.
      const end = command === '' ? chunk.indexOf(0) : -1
      if (end >= 0) command = chunk.toString('latin1', 0, end)
      if (command === 'zVERSION') return onVersion(socket)
      expect(command).toBe('zINSTREAM')
      const came = chunk.subarray(end + 1)
      if (came.length === 0) return
      bytes += came.length
      streams.push(Buffer.from(came))
      onStream(socket, { bytes, whole: came.length >= 4 && came.readUInt32BE(came.length - 4) === 0 })
    })
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  const clock = manualClock()
  const { port } = server.address() as AddressInfo
  return { clock, streams, engine: scannerOf(clamd({ address: { host: '127.0.0.1', port }, clock }), clock) }
}

/** Answers once it has the whole file. */
const answering = (reply: string): Fake => ({
  onStream: (socket, stream) => {
    if (stream.whole) socket.end(reply)
  },
})

describe('a reply to the whole file', () => {
  it('"OK" is clean, and says by which signatures', async () => {
    const { engine, streams } = await fake(answering('stream: OK\0'))
    expect(await engine.scan(small)).toEqual({
      engine: 'clamd',
      verdict: 'clean',
      signatures: 'ClamAV 1.4.6/27400/Tue Nov 24 08:23:00 2026',
      at: '2026-10-02T09:10:00.000Z',
    })
    const piece = (text: string) => Buffer.concat([Buffer.from([0, 0, 0, text.length]), Buffer.from(text)])
    expect(Buffer.concat(streams)).toEqual(Buffer.concat([piece('hello'), piece(' world'), Buffer.alloc(4)]))
  })

  it.each([
    ['stream: Win.Test.EICAR_HDB-1 FOUND\0', 'infected', 'Win.Test.EICAR_HDB-1'],
    ['stream: OK FOUND\0', 'infected', 'OK'],
    ['stream: Heuristics.Limits.Exceeded.MaxScanSize FOUND\0', 'unscannable', 'Heuristics.Limits.Exceeded.MaxScanSize'],
    ['stream: Heuristics.Encrypted.Zip FOUND\0', 'unscannable', 'Heuristics.Encrypted.Zip'],
    ['INSTREAM size limit exceeded. ERROR\0', 'unscannable', 'larger than StreamMaxLength of clamd'],
  ])('%j is %s', async (reply, verdict, detail) => {
    const { engine } = await fake(answering(reply))
    expect(await engine.scan(small)).toMatchObject({ verdict, detail })
  })

  it.each([
    ['nothing', ''],
    ['no end', 'stream: OK'],
    ['two replies', 'stream: OK\0stream: OK\0'],
    ['something after its end', 'stream: OK\0x'],
    ['an end of another kind', 'stream: OK\n'],
    ['another stream', 'other: OK\0'],
    ['a file of its own', '/etc/passwd: OK\0'],
    ['OK of a session', '1: stream: OK\0'],
    ['words around it', 'the stream: OK\0'],
    ['another spelling', 'stream: ok\0'],
    ['a space too many', 'stream:  OK\0'],
    ['an error', 'stream: Time limit reached. ERROR\0'],
    ['an unknown command', 'UNKNOWN COMMAND\0'],
    ['no name', 'stream:  FOUND\0'],
    ['bytes', '\u00ff\u0000'],
    ['an empty reply', '\0'],
    ['a reply without end', 'x'.repeat(2000)],
  ])('that is %s has no verdict', async (_, reply) => {
    const { engine } = await fake(answering(reply))
    expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: expect.any(String) })
  })
})

describe('a reply before the file was whole', () => {
  const atOnce = (reply: string): Fake => ({ onStream: (socket) => socket.end(reply) })

  it('"OK" is no verdict', async () => {
    const { engine } = await fake(atOnce('stream: OK\0'))
    expect(await engine.scan(large)).toMatchObject({ verdict: 'failed', detail: 'it answered before it had the file' })
  })

  it.each([
    ['stream: Found.Early FOUND\0', 'infected'],
    ['INSTREAM size limit exceeded. ERROR\0', 'unscannable'],
  ])('%j counts', async (reply, verdict) => {
    const { engine } = await fake(atOnce(reply))
    expect(await engine.scan(large)).toMatchObject({ verdict })
  })
})

describe('an engine that', () => {
  it.each<[string, Fake]>([
    ['hangs up after the command', { onStream: (socket) => socket.destroy() }],
    ['hangs up in mid-file', { onStream: (socket, stream) => void (stream.bytes > 1_000_000 && socket.destroy()) }],
    [
      'hangs up in mid-reply',
      { onStream: (socket, stream) => void (stream.whole && socket.write('stream: O', () => socket.destroy())) },
    ],
    ['hangs up when asked for its version', { onVersion: (socket) => socket.destroy() }],
    ['tells no version', { onVersion: (socket) => socket.end('COMMAND READ TIMED OUT\0') }],
  ])('%s has no verdict', async (_, behaviour) => {
    const { engine } = await fake(behaviour)
    expect(await engine.scan(large)).toMatchObject({ verdict: 'failed' })
  })

  it('is not there has no verdict, and says so when asked', async () => {
    const clock = manualClock()
    const engine = scannerOf(clamd({ address: { path: '/nowhere/clamd.sock' }, clock }), clock)
    expect(await engine.scan(small)).toMatchObject({ verdict: 'failed', detail: expect.stringContaining('ENOENT') })
    await expect(engine.check()).rejects.toThrow(Unavailable)
  })

  it('never answers has no verdict when its time is over', async () => {
    let asked = false
    const { engine, clock } = await fake({
      onStream: () => {
        asked = true
      },
    })
    const scanned = engine.scan(small)
    await until(() => asked)
    clock.jump(149_999)
    clock.jump(1)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'no reply within 150000 ms' })
  })

  it('takes nothing has no verdict after half a minute', async () => {
    const { engine, clock } = await fake({ onStream: (socket) => void socket.pause() })
    const scanned = engine.scan(large)
    await until(() => clock.waits().includes(30_000))
    clock.jump(30_000)
    expect(await scanned).toMatchObject({ verdict: 'failed', detail: 'it takes nothing for 30000 ms' })
  })

  it('has too much to do lets files wait in order, and forgets none', async () => {
    let running = 0
    let most = 0
    const { engine } = await fake({
      onStream: (socket, stream) => {
        if (!stream.whole) return
        running += 1
        most = Math.max(most, running)
        setImmediate(() => {
          running -= 1
          socket.end('stream: OK\0')
        })
      },
    })
    const verdicts = await Promise.all(Array.from({ length: 60 }, () => engine.scan(small)))
    expect(verdicts.every(({ verdict }) => verdict === 'clean')).toBe(true)
    expect(most).toBeLessThanOrEqual(10)
  })

  it('hangs lets nobody wait for longer than half a minute, and nobody is forgotten', async () => {
    let asked = 0
    const { engine, clock } = await fake({
      onStream: () => {
        asked += 1
      },
    })
    const judged = Array.from({ length: 10 }, () => engine.scan(small))
    await until(() => asked >= 10)
    const late = Array.from({ length: 40 }, () => engine.scan(small))
    await until(() => clock.waits().filter((ms) => ms === 30_000).length >= 40)
    clock.jump(30_000)
    for (const verdict of await Promise.all(late))
      expect(verdict).toMatchObject({ verdict: 'failed', detail: 'busy: no turn within 30000 ms' })
    clock.jump(120_000)
    for (const verdict of await Promise.all(judged)) expect(verdict).toMatchObject({ verdict: 'failed' })
  })

  it('has new signatures says so within a minute', async () => {
    let asked = 0
    const { engine, clock } = await fake({
      ...answering('stream: OK\0'),
      onVersion: (socket) => socket.end(`ClamAV 1.4.6/${27_400 + asked++}\0`),
    })
    expect((await engine.scan(small)).signatures).toBe('ClamAV 1.4.6/27400')
    expect((await engine.scan(small)).signatures).toBe('ClamAV 1.4.6/27400')
    clock.jump(60_000)
    expect((await engine.scan(small)).signatures).toBe('ClamAV 1.4.6/27401')
  })

  it('is given a file that cannot be read passes that on, and its turn too', async () => {
    const { engine } = await fake(answering('stream: OK\0'))
    for (let i = 0; i < 12; i++) await expect(engine.scan(unreadable)).rejects.toThrow('damaged')
    expect(await engine.scan(small)).toMatchObject({ verdict: 'clean' })
  })
})
