import { createServer } from 'node:http'
import { onTestFinished } from 'vitest'
import { type WebSocket, WebSocketServer } from 'ws'
import { listening } from '../scan/listen.ts'

/** Something in the platform's place that says what the test wants. */
export async function fakePlatform() {
  const server = createServer((request, response) => {
    puts.push({ url: request.url ?? '', headers: request.headers })
    request.resume().on('end', () => {
      response.statusCode = statuses.shift() ?? 200
      response.end()
    })
  })
  const puts: { url: string; headers: NodeJS.Dict<string | string[]> }[] = []
  const statuses: number[] = []
  const sockets: WebSocket[] = []
  const heard: string[] = []
  const asked: { origin: string | undefined; url: string; headers: NodeJS.Dict<string | string[]> }[] = []
  const open = new WebSocketServer({ server })
  open.on('connection', (socket, request) => {
    sockets.push(socket)
    asked.push({ origin: request.headers.origin, url: request.url ?? '', headers: request.headers })
    socket.on('message', (data) => heard.push(String(data)))
    socket.on('error', () => {})
  })
  const port = await listening(server)
  onTestFinished(() => open.close())
  const url = `http://127.0.0.1:${port}`
  const say = (frame: unknown, to = sockets.at(-1)!) =>
    to.send(typeof frame === 'string' ? frame : JSON.stringify(frame))
  return {
    url,
    sockets,
    heard,
    asked,
    puts,
    /** What the next PUTs are answered with; 200 when there is none. */
    statuses,
    say,
    frames: () => heard.map((text) => JSON.parse(text) as Record<string, unknown>),
    presigned: (attachmentId: string, more: Record<string, unknown> = {}) =>
      say({
        type: 'response',
        class: 'PresignedUrlResponse',
        code: 200,
        body: { attachmentId, url: `${url}/bucket/${attachmentId}`, headers: { 'x-amz-tagging': 'a=b' }, ...more },
      }),
    success: (attachmentId: string) =>
      say({
        type: 'message',
        class: 'UploadSuccessEvent',
        code: 200,
        body: { attachmentId, downloadUrl: 'https://download.example/x', timestamp: '2026-10-02T09:14:07.512Z' },
      }),
    configured: () =>
      say({ type: 'response', class: 'SessionResponse', code: 200, body: { connected: true, newSession: false } }),
  }
}
