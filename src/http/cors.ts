import type { FastifyReply, FastifyRequest } from 'fastify'

/**
 * Lets browsers on the configured origins send with a ticket, and read the answer, refusals too. Cookies play no part.
 * Returns null when nothing is configured: then no origin is told anything.
 */
export interface Cors {
  /** For every answer: names the origin when it is one of ours. */
  allow(request: FastifyRequest, reply: FastifyReply): void
  /** Answers a browser's question before it sends. */
  preflight(request: FastifyRequest, reply: FastifyReply): FastifyReply
}

const preflightSeconds = 600

export function createCors(origins: string[], methods: string): Cors {
  const allow = ({ headers }: FastifyRequest, reply: FastifyReply) => {
    reply.header('vary', 'Origin')
    if (headers.origin === undefined || !origins.includes(headers.origin)) return
    reply.header('access-control-allow-origin', headers.origin)
    reply.header('access-control-expose-headers', 'Idempotent-Replayed, Retry-After, X-Request-Id')
  }
  return {
    allow,
    preflight(_request, reply) {
      if (reply.getHeader('access-control-allow-origin') !== undefined)
        reply.headers({
          'access-control-allow-methods': methods,
          'access-control-allow-headers': 'Authorization, Content-Type, Idempotency-Key',
          'access-control-max-age': String(preflightSeconds),
        })
      return reply.code(204).header('allow', `${methods}, OPTIONS`).send()
    },
  }
}
