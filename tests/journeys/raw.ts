import { connect, type Socket } from 'node:net'

/** A socket of our own, for requests that no HTTP client would send. */
export interface RawClient {
  socket: Socket
  /** Everything that came so far. */
  received(): string
  /** Resolves once what came matches. */
  until(pattern: RegExp): Promise<string>
  /** Resolves with everything once the other side has closed. */
  closed(): Promise<string>
}

export async function rawClient(url: string): Promise<RawClient> {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname.replace(/^\[|\]$/g, ''))
  socket.setNoDelay(true)
  let received = ''
  let isClosed = false
  let wake: () => void = () => {}
  socket.on('data', (chunk) => {
    received += chunk.toString('latin1')
    wake()
  })
  socket.on('close', () => {
    isClosed = true
    wake()
  })
  socket.on('error', () => {})
  await new Promise((resolve) => socket.once('connect', resolve))
  const changed = () => new Promise<void>((resolve) => (wake = resolve))
  return {
    socket,
    received: () => received,
    async until(pattern) {
      while (!pattern.test(received)) {
        if (isClosed) throw new Error(`closed after: ${received}`)
        await changed()
      }
      return received
    },
    async closed() {
      while (!isClosed) await changed()
      return received
    },
  }
}

export const formHead = (name = 'photo.jpg', type = 'image/jpeg') =>
  `--b\r\nContent-Disposition: form-data; name="file"; filename="${name}"\r\nContent-Type: ${type}\r\n\r\n`
export const formEnd = '\r\n--b--\r\n'

export function pushHead(key: string | null, headers: Record<string, string>, path = '/webhook/file-upload'): string {
  const lines = Object.entries({
    Host: 'test',
    ...(key !== null && { Authorization: `Bearer ${key}` }),
    'Content-Type': 'multipart/form-data; boundary=b',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  return `POST ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`
}
