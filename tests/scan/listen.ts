import type { AddressInfo, Server } from 'node:net'
import { onTestFinished } from 'vitest'

/** Listens on a port of its own until the test ends. */
export async function listening(server: Server): Promise<number> {
  const sockets = new Set<{ destroy(): void }>()
  for (const event of ['connection', 'secureConnection'])
    server.on(event, (socket: NodeJS.Socket & { destroy(): void }) => {
      sockets.add(socket)
      socket.on('error', () => {})
    })
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return (server.address() as AddressInfo).port
}
