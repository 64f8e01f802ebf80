// Reads and discards: what Node's HTTP costs when nothing is done.
import { once } from 'node:events'
import { createServer } from 'node:http'

export async function listen() {
  const server = createServer((request, response) => {
    let bytes = 0
    request.on('data', (chunk) => {
      bytes += chunk.length
    })
    request.on('end', () => response.end(JSON.stringify({ bytes })))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server.address().port
}
