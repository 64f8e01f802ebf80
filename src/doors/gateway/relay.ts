import type { RawData, WebSocket } from 'ws'
import { createGuard, type GuardParts } from './guard.ts'
import { createPace } from './pace.ts'

export type RelayParts = GuardParts

export interface RelayOptions {
  client: WebSocket
  upstream: WebSocket
  deploymentId: string
  /** Of the customer, as the browser says it. */
  language: string | null
}

export interface Relay {
  /** Without a close frame: clients come back from that (FACTS 1.6). */
  drop(): void
  /** Resolves when both sides are closed. */
  closed: Promise<void>
  /** Asks both sides whether they are there; drops when one did not answer the last time. */
  beat(): void
}

/** Bytes that wait for one side, above which nothing more is read from the other. */
const mostWaiting = 64 * 1024
/** Frames of one side that are not handled yet, above which nothing more is read from it. */
const mostQueued = 16

/** Relays one connection: two sockets, each with its frames in their order, and neither faster than the other takes them. */
export function createRelay({ client, upstream, deploymentId, language }: RelayOptions, parts: RelayParts): Relay {
  const { clock, events } = parts
  const over = new AbortController()
  const pace = createPace(clock)
  const guard = createGuard(
    {
      deploymentId,
      language,
      toClient: (text) => pass(client, upstream, text),
      toPlatform: (text) => pass(upstream, client, text),
      tell: (text) => send(client, text),
      say(text) {
        // Ours count among what the platform takes of a connection.
        pace.wait()
        return send(upstream, text)
      },
    },
    parts,
  )

  async function fromClient(text: string): Promise<void> {
    const wait = pace.wait()
    if (wait > 0) {
      if (pace.floods()) {
        events.gatewayFlooded(deploymentId)
        client.close(1008)
        return
      }
      await clock.wait(wait, over.signal)
    }
    return guard.fromClient(text)
  }

  /** Why a side is not read: too much waits for the other one, or too many of its own frames are not handled yet. */
  const held = { client: new Set<'target' | 'queue'>(), upstream: new Set<'target' | 'queue'>() }
  const holdBack = (source: WebSocket, why: 'target' | 'queue', is: boolean) => {
    const reasons = source === client ? held.client : held.upstream
    if (is) reasons.add(why)
    else reasons.delete(why)
    if (reasons.size > 0) source.pause()
    else source.resume()
  }

  function send(target: WebSocket, text: string): boolean {
    if (target.readyState !== target.OPEN) return false
    target.send(text)
    return true
  }

  function pass(target: WebSocket, source: WebSocket, text: string): void {
    if (target.readyState !== target.OPEN) return
    target.send(text, () => {
      if (target.bufferedAmount <= mostWaiting / 2) holdBack(source, 'target', false)
    })
    if (target.bufferedAmount > mostWaiting) holdBack(source, 'target', true)
  }

  /** One frame after the other, in the order in which they came. */
  function inOrder(source: WebSocket, handle: (text: string) => Promise<void>) {
    let tail = Promise.resolve()
    let queued = 0
    source.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) {
        source.close(1003)
        return
      }
      if (++queued > mostQueued) holdBack(source, 'queue', true)
      tail = tail
        .then(() => handle(String(data)))
        .catch((error: unknown) => {
          events.gatewayFailed(error)
          drop()
        })
        .finally(() => {
          if (--queued <= mostQueued / 2) holdBack(source, 'queue', false)
        })
    })
  }

  function drop(): void {
    client.terminate()
    upstream.terminate()
  }

  let answered = { client: true, upstream: true }
  client.on('pong', () => {
    answered.client = true
  })
  upstream.on('pong', () => {
    answered.upstream = true
  })
  inOrder(client, fromClient)
  inOrder(upstream, (text) => guard.fromPlatform(text))
  const closing = (source: WebSocket, target: WebSocket) =>
    new Promise<void>((resolve) => {
      source.on('error', () => source.terminate())
      source.on('close', (code, reason) => {
        over.abort()
        guard.closed()
        endAs(target, code, reason)
        resolve()
      })
    })
  const closed = Promise.all([closing(client, upstream), closing(upstream, client)]).then(() => {})

  return {
    drop,
    closed,
    beat() {
      if (!answered.client || !answered.upstream) return drop()
      answered = { client: false, upstream: false }
      for (const socket of [client, upstream]) if (socket.readyState === socket.OPEN) socket.ping()
    },
  }
}
/** As the other side ended: with the same code, or without a close frame. */
function endAs(socket: WebSocket, code: number, reason: Buffer): void {
  // One that waits would never read that the other side closes too.
  socket.resume()
  if (code === 1006) {
    socket.terminate()
    return
  }
  if (code === 1005) {
    socket.close()
    return
  }
  const mayBeSent =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  socket.close(mayBeSent ? code : 1011, mayBeSent ? reason : undefined)
}
