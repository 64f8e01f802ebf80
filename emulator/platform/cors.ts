import type { FastifyInstance } from 'fastify'

/** Files refuse to be read across origins, as was seen of the platform's downloads host. */
const closed = ['/api/v2/downloads/', '/_emulator']

/** Pages call the platform themselves, from any origin. */
export function allowCrossOrigin(app: FastifyInstance): void {
  app.addHook('onRequest', async ({ method, url, headers }, reply) => {
    if (headers.origin === undefined || closed.some((path) => url.startsWith(path))) return
    reply.header('access-control-allow-origin', '*')
    if (method !== 'OPTIONS') return
    reply.headers({
      'access-control-allow-methods': 'GET, POST, PUT, PATCH, DELETE',
      'access-control-allow-headers': headers['access-control-request-headers'] ?? '*',
    })
    return reply.code(204).send()
  })
}
