import { once } from 'node:events'
import { type ClientRequest, createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, it, onTestFinished } from 'vitest'
import { SenderGone, TooSlow } from '../../errors.ts'
import { type BodyTimes, bodyOf } from './body.ts'

const patient: BodyTimes = { idleMs: 60_000, leastBytesPerSecond: 1, totalMs: 60_000 }

/** A sender whose request has reached us, and the request as we see it. */
async function sender(): Promise<{ client: ClientRequest; incoming: IncomingMessage; response: ServerResponse }> {
  const server = createServer()
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  const client = request({ port, host: '127.0.0.1', method: 'POST' })
  // It is cut off when the test ends.
  client.on('error', () => {})
  client.flushHeaders()
  const [incoming, response] = (await once(server, 'request')) as [IncomingMessage, ServerResponse]
  return { client, incoming, response }
}

async function readAll(body: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = []
  for await (const chunk of body) chunks.push(chunk)
  return Buffer.concat(chunks)
}

/** Lets everything else run until it is so: the test's own time limit is the watchdog. */
async function until(isSo: () => boolean): Promise<void> {
  while (!isSo()) await nextTurn()
}

describe('a body', () => {
  it('is read as it was sent', async () => {
    const { client, incoming } = await sender()
    const sent = Buffer.alloc(3_000_000, 'some bytes ')
    client.end(sent)
    expect((await readAll(bodyOf(incoming, patient))).equals(sent)).toBe(true)
  })

  it('that is empty ends at once', async () => {
    const { client, incoming } = await sender()
    client.end()
    expect((await readAll(bodyOf(incoming, patient))).length).toBe(0)
  })

  it('that came before anybody asked for it is read', async () => {
    const { client, incoming } = await sender()
    client.end('early')
    await until(() => incoming.complete)
    expect((await readAll(bodyOf(incoming, patient))).toString()).toBe('early')
  })

  it('that came in one piece with a pause is read when the pause is short enough', async () => {
    const { client, incoming } = await sender()
    const body = bodyOf(incoming, patient)
    for (const piece of ['one', 'two', 'three']) {
      client.write(piece)
      expect((await body.next()).value?.toString()).toBe(piece)
    }
    client.end()
    expect((await body.next()).done).toBe(true)
  })
})

describe('a sender', () => {
  it('that sends nothing is too slow, and can still be answered', async () => {
    const { client, incoming, response } = await sender()
    await expect(readAll(bodyOf(incoming, { ...patient, idleMs: 5 }))).rejects.toThrow(TooSlow)
    expect(incoming.destroyed).toBe(false)
    response.writeHead(408).end()
    const [answer] = (await once(client, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(408)
  })

  it('that stops in the middle is too slow', async () => {
    const { client, incoming } = await sender()
    client.write('begun')
    await expect(readAll(bodyOf(incoming, { ...patient, idleMs: 20 }))).rejects.toThrow(TooSlow)
  })

  it('that sends a byte now and then, so that it is never silent for long, is too slow as well', async () => {
    const { client, incoming } = await sender()
    const failed = expect(
      readAll(bodyOf(incoming, { ...patient, idleMs: 100, leastBytesPerSecond: 1e9 })),
    ).rejects.toThrow(TooSlow)
    const trickle = setInterval(() => client.write('x'), 5)
    await failed
    clearInterval(trickle)
    expect(incoming.destroyed).toBe(false)
  })

  it('that trickles may, as long as it keeps the least rate', async () => {
    const { client, incoming } = await sender()
    // A millisecond of silence is let pass, and each byte earns a minute.
    const body = bodyOf(incoming, { ...patient, idleMs: 60_000, leastBytesPerSecond: 1 / 60 })
    for (const piece of ['a', 'b', 'c']) {
      client.write(piece)
      expect((await body.next()).value?.toString()).toBe(piece)
    }
    client.end()
    expect((await body.next()).done).toBe(true)
  })

  it('that never stalls and never ends is too slow in all, even when it always has a little more', async () => {
    const { client, incoming } = await sender()
    let sent = 0
    const sendOn = () => {
      if (incoming.destroyed || sent > 1e9) return
      sent += 65_536
      client.write(Buffer.alloc(65_536), sendOn)
    }
    for (let i = 0; i < 4; i++) sendOn()
    await expect(
      (async () => {
        for await (const _ of bodyOf(incoming, { ...patient, totalMs: 50 }));
      })(),
    ).rejects.toThrow(TooSlow)
    client.destroy()
  })

  it('that has sent all is not too slow, however long we take over it', async () => {
    const { client, incoming } = await sender()
    const body = bodyOf(incoming, { ...patient, totalMs: 1 })
    client.write('first')
    client.end('x'.repeat(20_000))
    await until(() => incoming.complete)
    let read = ((await body.next()).value ?? '').toString()
    const started = performance.now()
    await until(() => performance.now() > started + 5)
    for await (const chunk of body) read += chunk.toString()
    expect(read).toBe(`first${'x'.repeat(20_000)}`)
  })

  it.each(['before it has sent anything', 'in the middle'])('that goes away %s is gone, not slow', async (when) => {
    const { client, incoming } = await sender()
    const body = bodyOf(incoming, patient)
    if (when === 'in the middle') {
      client.write('begun')
      await body.next()
    }
    const failed = expect(readAll(body)).rejects.toThrow(SenderGone)
    client.destroy()
    await failed
  })

  it('that went away before anybody read is gone', async () => {
    const { client, incoming } = await sender()
    client.write('begun')
    incoming.on('error', () => {})
    client.destroy()
    await until(() => incoming.destroyed)
    await expect(readAll(bodyOf(incoming, patient))).rejects.toThrow(SenderGone)
  })

  it('waits while nobody reads: little is taken in ahead', async () => {
    const { client, incoming } = await sender()
    const body = bodyOf(incoming, patient)
    const size = 64 * 1024 * 1024
    client.end(Buffer.alloc(size))
    let read = (await body.next()).value?.length ?? 0
    for (let i = 0; i < 500; i++) await nextTurn()
    expect(incoming.socket.bytesRead).toBeLessThan(1024 * 1024)
    expect(client.writableLength).toBeGreaterThan(size / 4)
    for await (const chunk of body) read += chunk.length
    expect(read).toBe(size)
  })
})

describe('a reader that walks away', () => {
  it('leaves the request whole, without listeners or timers of ours, so that it can be answered', async () => {
    const { client, incoming, response } = await sender()
    client.write('begun')
    const listeners = () => ['readable', 'end', 'close'].map((event) => incoming.listenerCount(event))
    const before = listeners()
    for await (const _ of bodyOf(incoming, patient)) break
    expect(listeners()).toEqual(before)
    expect(incoming.destroyed).toBe(false)
    response.writeHead(413).end()
    const [answer] = (await once(client, 'response')) as [IncomingMessage]
    expect(answer.statusCode).toBe(413)
  })
})
