import { randomUUID } from 'node:crypto'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type WebSocket, WebSocketServer } from 'ws'
import { answerWith } from './child.ts'

/** The platform's side of the gateway's benchmark: as little as there can be, in a process of its own. Uploads are read and dropped. */

const waiting = new Map<string, { socket: WebSocket; attachmentId: string }>()
const server = createServer((request, response) => {
  request.resume().on('end', () => {
    response.end()
    const upload = waiting.get(request.url ?? '')
    waiting.delete(request.url ?? '')
    if (upload)
      say(upload.socket, 'UploadSuccessEvent', {
        attachmentId: upload.attachmentId,
        downloadUrl: 'https://x',
        timestamp: '',
      })
  })
})
const sockets = new WebSocketServer({ server, perMessageDeflate: false })

function say(socket: WebSocket, kind: string, body: unknown, tracingId?: string): void {
  socket.send(JSON.stringify({ type: 'response', class: kind, code: 200, body, ...(tracingId && { tracingId }) }))
}

sockets.on('connection', (socket) => {
  socket.on('error', () => socket.terminate())
  socket.on('message', (data) => {
    const { action, tracingId, attachmentId, message } = JSON.parse(String(data))
    if (action === 'configureSession') say(socket, 'SessionResponse', { connected: true, newSession: true }, tracingId)
    if (action === 'echo')
      say(socket, 'StructuredMessage', { id: 'echo_id', type: 'Text', text: message.text }, tracingId)
    if (action !== 'onAttachment') return
    const path = `/${randomUUID()}`
    waiting.set(path, { socket, attachmentId })
    const { port } = server.address() as AddressInfo
    const body = { attachmentId, url: `http://127.0.0.1:${port}${path}`, headers: { 'x-amz-tagging': 'a=b' } }
    say(socket, 'PresignedUrlResponse', body, tracingId)
  })
})
server.listen(0, '127.0.0.1', () => {
  const { port } = server.address() as AddressInfo
  answerWith({ url: `http://127.0.0.1:${port}` }, async () => null)
})
