import type { IncomingMessage, Server } from 'node:http'
import { STATUS_CODES } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'
import type { Clock } from '../../clock.ts'
import { createLoop } from '../../loop.ts'
import type { Events } from '../../telemetry/events.ts'
import { createRelay, type Relay, type RelayParts } from './relay.ts'

export interface GatewaySocketParts extends RelayParts {
  /** Only these are relayed. */
  deployments: readonly string[]
  /** The platform's own socket, without query: `wss://webmessaging.mypurecloud.ie/v1`. */
  guestUrl: string
  clock: Clock
  events: Events
}

export interface GatewaySocket {
  /** Takes the WebSockets of this server. */
  attach(server: Server): void
  /** How many connections are relayed. */
  open(): number
  /** Drops all, so that clients come back elsewhere, and takes no more. */
  stop(): Promise<void>
}

/** Connections at once in one process. */
const mostOpen = 20_000
/** Bytes of one frame: messages have 4 KiB, histories go by HTTP. */
const longestFrame = 256 * 1024
const handshakeMs = 10_000
const beatMs = 30_000

/** What of a client's upgrade is the platform's affair. */
const passedHeaders = ['deploymentid', 'user-agent', 'accept-language'] as const

export function createGatewaySocket(parts: GatewaySocketParts): GatewaySocket {
  const { deployments, guestUrl, clock, events } = parts
  const sockets = new WebSocketServer({
    noServer: true,
    maxPayload: longestFrame,
    perMessageDeflate: false,
    clientTracking: false,
  })
  const relays = new Set<Relay>()
  /** Of upgrades that are not relayed: no server closes them any more. */
  const pending = new Set<Duplex>()
  const beating = createLoop({
    round: async () => {
      for (const relay of relays) relay.beat()
    },
    restMs: beatMs,
    clock,
    failed: events.gatewayFailed,
  })
  let stopped = false

  async function upgrade(request: IncomingMessage, connection: Duplex, head: Buffer): Promise<void> {
    connection.on('error', () => connection.destroy())
    pending.add(connection)
    connection.once('close', () => pending.delete(connection))
    const url = new URL(request.url ?? '/', 'http://gateway')
    const deploymentId = url.searchParams.get('deploymentId') ?? ''
    if (url.pathname !== '/v1' || request.method !== 'GET') return refuse(connection, 404)
    // As the platform answers to what it does not know, which clients take as final (FACTS 1.1).
    if (!deployments.includes(deploymentId)) return refuse(connection, 403)
    if (stopped || relays.size >= mostOpen) return refuse(connection, 503)
    const upstream = await connect(request, url.search)
    if (typeof upstream === 'number') return refuse(connection, upstream)
    if (connection.destroyed || stopped) {
      connection.destroy()
      return upstream.terminate()
    }
    // Nothing that the platform says is lost before somebody listens.
    upstream.pause()
    // A client whose upgrade is no good after all, or that left meanwhile.
    let isRelayed = false
    connection.once('close', () => {
      if (!isRelayed) upstream.terminate()
    })
    sockets.handleUpgrade(request, connection, head, (client) => {
      isRelayed = true
      pending.delete(connection)
      const [language = null] = (request.headers['accept-language'] ?? '').split(/[,;]/).filter(Boolean)
      const relay = createRelay({ client, upstream, deploymentId, language: language?.slice(0, 35) ?? null }, parts)
      relays.add(relay)
      events.gatewayConnected(relays.size)
      void relay.closed.then(() => {
        relays.delete(relay)
        events.gatewayConnected(relays.size)
      })
      upstream.resume()
    })
  }

  /** The platform's side, open; or the status with which it refuses. */
  function connect(request: IncomingMessage, query: string): Promise<WebSocket | number> {
    const headers = Object.fromEntries(
      passedHeaders.flatMap((name) =>
        typeof request.headers[name] === 'string' ? [[name, request.headers[name]]] : [],
      ),
    ) as Record<string, string>
    const { origin } = request.headers
    const socket = new WebSocket(`${guestUrl}${query}`, {
      headers,
      ...(origin !== undefined && { origin }),
      handshakeTimeout: handshakeMs,
      perMessageDeflate: false,
      maxPayload: 8 * 1024 * 1024,
      followRedirects: false,
    })
    return new Promise((resolve) => {
      let answered = false
      socket.once('open', () => {
        answered = true
        resolve(socket)
      })
      socket.once('unexpected-response', (_request, response) => {
        const status = response.statusCode ?? 502
        answered = true
        response.destroy()
        socket.terminate()
        resolve(status >= 400 && status < 600 ? status : 502)
      })
      // Stays for the connection's life: an error that nobody listens to would end the process.
      socket.on('error', (error) => {
        if (!answered) events.gatewayUnreachable(error)
        resolve(502)
      })
    })
  }

  return {
    attach(server) {
      beating.start()
      server.on('upgrade', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
        if (request.headers.upgrade?.toLowerCase() !== 'websocket')
          return serveAsHttp(server, request, connection, head)
        upgrade(request, connection, head).catch((error: unknown) => {
          events.gatewayFailed(error)
          connection.destroy()
        })
      })
    },
    open: () => relays.size,
    async stop() {
      stopped = true
      const all = [...relays]
      for (const relay of all) relay.drop()
      for (const connection of pending) connection.destroy()
      await Promise.all(all.map(({ closed }) => closed))
      await beating.stop()
    },
  }
}

function refuse(connection: Duplex, status: number): void {
  // A client that never closes its side would hold ours open.
  connection.once('finish', () => connection.destroy())
  connection.end(`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ''}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`)
}

/**
 * A request that offers another protocol (some clients offer HTTP/2 with each first request) is served as it is: Node gives it to
 * whoever listens for upgrades, so it is given back without the offer.
 */
function serveAsHttp(
  server: Server,
  { method, url, httpVersion, rawHeaders }: IncomingMessage,
  connection: Duplex,
  head: Buffer,
): void {
  const lines = [`${method} ${url} HTTP/${httpVersion}`]
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i]!.toLowerCase()
    if (!['upgrade', 'http2-settings', 'connection'].includes(name))
      lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  }
  connection.unshift(Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), head]))
  server.emit('connection', connection)
}
