import type { Socket } from 'node:net'
import { setImmediate as nextTurn } from 'node:timers/promises'
import type { Clock } from '../clock.ts'
import { NoReply } from './engine.ts'

export interface LineOptions {
  /** Just made, with `allowHalfOpen`. */
  socket: Socket
  /** `secureConnect` of TLS. */
  connectedBy: 'connect' | 'secureConnect'
  /** Longest time for all of it. */
  withinMs: number
  clock: Clock
}

/** A connection to an engine, with limits to all that it could wait for. */
export interface Line {
  /** With back-pressure. False: nothing more is to be sent, since the line is stopped or closed. */
  send(bytes: Buffer): Promise<boolean>
  /** The last that is sent: not waited for. False: nothing more was to be sent. */
  sendLast(bytes: Buffer): boolean
  /** What was said next; null at the end. Throws `NoReply` when nothing was said at all, or a limit has passed. */
  read(): Promise<Buffer | null>
  /** What is being sent is of no use any more. */
  stop(): void
  close(): void
}

const connectMs = 5000
/** Longest time in which it takes nothing of what is sent. */
const idleMs = 30_000
/** Bytes that were received and not read, above which no more are received. */
const mostUnread = 256 * 1024

export function openLine({ socket, connectedBy, withinMs, clock }: LineOptions): Line {
  const over = new AbortController()
  const unread: Buffer[] = []
  let unreadBytes = 0
  let heard = false
  let connected = false
  let stopped = false
  let closed = false
  let trouble: string | null = null
  /** Wakes whoever waits to send more, and whoever waits to read more. */
  let wakeSender = () => {}
  let wakeReader = () => {}

  const giveUp = (why: string) => {
    trouble ??= why
    socket.destroy()
  }
  const limit = (ms: number, signal: AbortSignal, why: () => string | null) =>
    void clock.wait(ms, signal).then(() => {
      const late = signal.aborted ? null : why()
      if (late) giveUp(late)
    })

  socket.on(connectedBy, () => {
    connected = true
  })
  socket.on('data', (piece) => {
    heard = true
    unread.push(piece)
    unreadBytes += piece.length
    if (unreadBytes > mostUnread) socket.pause()
    wakeReader()
  })
  socket.on('drain', () => wakeSender())
  socket.on('error', (error) => {
    // What it said before it hung up counts more than that it did.
    if (!heard) trouble ??= error.message
  })
  socket.on('end', () => socket.destroy())
  socket.on('close', () => {
    closed = true
    over.abort()
    wakeSender()
    wakeReader()
  })
  limit(connectMs, over.signal, () => (connected ? null : `no connection within ${connectMs} ms`))
  limit(withinMs, over.signal, () => `no reply within ${withinMs} ms`)

  const takesMore = () => !socket.destroyed && !stopped
  return {
    async send(bytes) {
      if (!takesMore()) return false
      if (socket.write(bytes)) await nextTurn()
      else {
        const taken = new AbortController()
        const drained = new Promise<void>((resolve) => {
          wakeSender = resolve
        })
        limit(idleMs, taken.signal, () => `it takes nothing for ${idleMs} ms`)
        await drained
        taken.abort()
      }
      return takesMore()
    },
    sendLast(bytes) {
      if (!takesMore()) return false
      socket.write(bytes)
      return true
    },
    async read() {
      while (unread.length === 0 && !closed)
        await new Promise<void>((resolve) => {
          wakeReader = resolve
        })
      if (trouble !== null) throw new NoReply(trouble)
      const piece = unread.shift()
      if (piece === undefined) return null
      unreadBytes -= piece.length
      if (unreadBytes <= mostUnread) socket.resume()
      return piece
    },
    stop() {
      stopped = true
      wakeSender()
    },
    close() {
      over.abort()
      socket.destroy()
    },
  }
}
