import { once } from 'node:events'
import { connect, createServer, type NetConnectOpts, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** Stands between a client and a server, and can be cut. */
export interface CutProxy {
  port: number
  /** Ends every connection in mid-word. */
  cut(): void
  /** While it refuses, nobody is let in. */
  refuse(whether: boolean): void
}

/** One half of what it relays. True: the chunk was dealt with, and is not relayed. */
export type Intercept = (chunk: Buffer, pair: { client: Socket; server: Socket }) => boolean

/** A TCP proxy on loopback; it ends with the test. */
export async function startCutProxy(
  to: NetConnectOpts,
  fromClient: Intercept = () => false,
  fromServer: Intercept = () => false,
): Promise<CutProxy> {
  const sockets = new Set<Socket>()
  let refuses = false
  const proxy = createServer((client) => {
    if (refuses) return void client.destroy()
    const server = connect(to)
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (chunk) => {
      if (!fromClient(chunk, { client, server })) pass(chunk, client, server)
    })
    server.on('data', (chunk) => {
      if (!fromServer(chunk, { client, server })) pass(chunk, server, client)
    })
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  const cut = () => {
    for (const socket of sockets) socket.destroy()
  }
  onTestFinished(() => {
    cut()
    proxy.close()
  })
  return {
    port: (proxy.address() as { port: number }).port,
    cut,
    refuse(whether) {
      refuses = whether
    },
  }
}

/** No faster than the other side takes it. */
function pass(chunk: Buffer, from: Socket, to: Socket): void {
  if (to.destroyed || to.write(chunk)) return
  from.pause()
  to.once('drain', () => from.resume())
}
