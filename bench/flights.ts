import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

/** Stands before a server and counts how often somebody asked it something and waited. */
export interface Flights {
  port: number
  /** How often what a client sent came after an answer, over all connections; since it was asked last. */
  count(): number
  close(): void
}

export async function countFlights(port: number): Promise<Flights> {
  let flights = 0
  const sockets = new Set<Socket>()
  const proxy = createServer((client) => {
    const server = connect(port, '127.0.0.1')
    let answered = true
    for (const socket of [client, server]) {
      sockets.add(socket)
      socket.setNoDelay(true)
      socket.on('error', () => {})
      socket.on('close', () => sockets.delete(socket))
    }
    client.on('data', (chunk) => {
      if (answered) flights++
      answered = false
      server.write(chunk)
    })
    server.on('data', (chunk) => {
      answered = true
      client.write(chunk)
    })
    client.on('close', () => server.destroy())
    server.on('close', () => client.destroy())
  }).listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  return {
    port: (proxy.address() as { port: number }).port,
    count() {
      const counted = flights
      flights = 0
      return counted
    },
    close() {
      for (const socket of sockets) socket.destroy()
      proxy.close()
    },
  }
}
