import { once } from 'node:events'
import { connect } from 'node:net'

export interface Answer {
  status: number
  location: string | null
  /** Bytes of the body. */
  length: number
  /** Its beginning, at most 4 KiB. */
  body: string
}

/** One connection that is kept; one request at a time. */
export interface Connection {
  /** Sends the pieces as they are, one after the other, and waits for the whole answer. */
  send(pieces: (string | Uint8Array)[]): Promise<Answer>
  close(): void
}

const endOfHead = Buffer.from('\r\n\r\n')
const endOfChunks = Buffer.from('0\r\n\r\n')
const mostOfBody = 4096

/** Reads no more of HTTP than the servers here speak: a length, or chunks. */
export async function openConnection(url: string): Promise<Connection> {
  const { hostname, port } = new URL(url)
  const socket = connect({ port: Number(port), host: hostname, noDelay: true })
  await once(socket, 'connect')
  let waiting: { resolve(answer: Answer): void; reject(error: Error): void } | null = null
  let head: Buffer = Buffer.alloc(0)
  let answer: Answer | null = null
  /** Of the body; negative: it comes in chunks. */
  let left = 0

  const fail = (error: Error) => {
    waiting?.reject(error)
    waiting = null
  }
  const body = (chunk: Buffer) => {
    const { length } = chunk
    answer!.length += length
    if (answer!.body.length < mostOfBody) answer!.body += chunk.toString('latin1', 0, mostOfBody)
    if (left >= 0) left -= length
    const isWhole = left >= 0 ? left === 0 : chunk.subarray(-5).equals(endOfChunks)
    if (!isWhole) return
    const [whole, done] = [answer!, waiting]
    answer = null
    waiting = null
    done?.resolve(whole)
  }
  socket.on('data', (chunk: Buffer) => {
    if (answer) return body(chunk)
    head = head.length > 0 ? Buffer.concat([head, chunk]) : chunk
    const end = head.indexOf(endOfHead)
    if (end < 0) return
    const lines = head.toString('latin1', 0, end + 2)
    const rest = head.subarray(end + endOfHead.length)
    head = Buffer.alloc(0)
    answer = {
      status: Number(lines.slice(9, 12)),
      location: /\r\nlocation: *(.*)\r\n/i.exec(lines)?.[1] ?? null,
      length: 0,
      body: '',
    }
    left = /\r\ntransfer-encoding: *chunked/i.test(lines)
      ? -1
      : Number(/\r\ncontent-length: *(\d+)/i.exec(lines)?.[1] ?? 0)
    body(rest)
  })
  socket.on('error', fail)
  socket.on('close', () => fail(new Error('the server closed the connection')))

  return {
    send(pieces) {
      return new Promise((resolve, reject) => {
        if (socket.destroyed) return reject(new Error('the connection is closed'))
        waiting = { resolve, reject }
        socket.cork()
        for (const piece of pieces) socket.write(piece)
        socket.uncork()
      })
    },
    close: () => socket.destroy(),
  }
}
