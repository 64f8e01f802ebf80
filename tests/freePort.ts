import { randomInt } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:net'

/**
 * A port of 127.0.0.1 that nobody has now: for a program that cannot be told to take any.
 *
 * NOTE: it lies below those that the system gives to connections (32768 and up on Linux). One of those may be
 * anybody's by the time that the program listens, even that of a connection which asks whether it does.
 * Above 10080, the highest to which browsers and fetch refuse to connect.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(11_000, 32_768)
    const server = createServer().listen(port, '127.0.0.1')
    const free = await once(server, 'listening').then(
      () => true,
      () => false,
    )
    if (!free) continue
    server.close()
    await once(server, 'close')
    return port
  }
}
