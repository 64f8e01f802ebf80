import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'

/**
 * A second origin that serves what `server` serves, as the platform has storage hosts beside its api: another loopback
 * address where the system has one (Linux), else another port.
 */
export async function listenElsewhere(server: Server): Promise<{ url: string; close: () => void }> {
  const second = createServer((request, response) => server.emit('request', request, response))
  await listen(second, '127.0.0.2').catch(() => listen(second, '127.0.0.1'))
  const { address, port } = second.address() as AddressInfo
  return {
    url: `http://${address}:${port}`,
    close() {
      second.close()
      second.closeAllConnections()
    },
  }
}

function listen(server: Server, host: string): Promise<void> {
  return new Promise((listening, failed) => {
    server.once('error', failed)
    server.listen(0, host, () => {
      server.off('error', failed)
      listening()
    })
  })
}
