import { type IncomingMessage, type Server, STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import { type WebSocket, WebSocketServer } from 'ws'
import type { Faults } from './faults.ts'
import type { RequestLog } from './requestLog.ts'

/** One address at which WebSockets can be opened. */
export interface SocketDoor {
  /** Whether this address is its own; `path` without query. */
  serves(path: string): boolean
  /** 101, or the status with which the upgrade is refused. */
  admit(url: URL, request: IncomingMessage): number
  /** The socket is open. */
  opened(socket: WebSocket, url: URL, request: IncomingMessage): void
}

interface Parts {
  faults: Faults
  requestLog: RequestLog
}

/** Opens WebSockets on a server. As every request they are logged and meet the faults. Gives what drops all that are open. */
export function openSockets(server: Server, doors: SocketDoor[], { faults, requestLog }: Parts): () => void {
  const sockets = new WebSocketServer({ noServer: true })

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    // Before the first wait: a caller that goes meanwhile is no error of ours.
    connection.on('error', () => connection.destroy())
    const url = new URL(request.url ?? '/', 'http://emulator')
    const settle = requestLog.arrived('GET', url.pathname)
    const fault = faults.take('GET', url.pathname)
    if (fault?.delayMs !== undefined) await delay(fault.delayMs, undefined, { ref: false })
    if (fault?.cut) {
      settle(0)
      connection.destroy()
      return
    }
    const door = doors.find((one) => one.serves(url.pathname))
    const status = fault?.status ?? door?.admit(url, request) ?? 404
    settle(status)
    if (status === 101) sockets.handleUpgrade(request, connection, head, (socket) => door?.opened(socket, url, request))
    else refuse(connection, status)
  }

  server.on('upgrade', (request, connection, head) => void upgrade(request, connection, head))
  return () => {
    for (const socket of sockets.clients) socket.terminate()
  }
}

function refuse(connection: Duplex, status: number): void {
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}
