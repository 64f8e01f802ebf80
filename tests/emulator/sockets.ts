import { onTestFinished } from 'vitest'
import { type ClientOptions, WebSocket } from 'ws'

export interface TestSocket<Frame> {
  /** Takes the next frame that has come or comes; each is given once. Fails if the socket ends before. */
  next(): Promise<Frame>
  /** Frames that have come and were not taken. Asks the server for a pong first, so that nothing is still on its way. */
  waiting(): Promise<Frame[]>
  send(message: unknown): void
  /** The code of the close frame, 1006 when there was none. */
  closed: Promise<number>
  /** Drops the connection without a close frame. */
  drop(): void
}

/** A WebSocket of which every frame that comes is checked. Rejects with the status when the upgrade is refused. */
export async function openSocket<Frame>(
  url: string,
  check: (frame: Frame) => void,
  options: ClientOptions = {},
): Promise<TestSocket<Frame>> {
  const socket = new WebSocket(url, options)
  onTestFinished(() => socket.terminate())
  const come: Frame[] = []
  const takers: { take: (frame: Frame) => void; fail: (error: Error) => void }[] = []
  let problem: Error | undefined

  socket.on('message', (data) => {
    try {
      const frame = JSON.parse(String(data)) as Frame
      check(frame)
      const taker = takers.shift()
      if (taker) taker.take(frame)
      else come.push(frame)
    } catch (error) {
      problem = error as Error
      for (const { fail } of takers.splice(0)) fail(problem)
    }
  })
  const closed = new Promise<number>((resolve) => {
    socket.on('close', (code) => {
      for (const { fail } of takers.splice(0)) fail(new Error(`closed with ${code}`))
      resolve(code)
    })
  })
  await new Promise<void>((opened, refused) => {
    socket.on('open', opened)
    socket.on('error', refused)
  })

  return {
    next() {
      if (problem) return Promise.reject(problem)
      const frame = come.shift()
      if (frame !== undefined) return Promise.resolve(frame)
      return new Promise((take, fail) => takers.push({ take, fail }))
    },
    async waiting() {
      await new Promise((pong) => {
        socket.once('pong', pong)
        socket.ping()
      })
      if (problem) throw problem
      return come.splice(0)
    },
    send: (message) => socket.send(typeof message === 'string' ? message : JSON.stringify(message)),
    closed,
    drop: () => socket.terminate(),
  }
}
