import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Switches } from '../switches.ts'
import { tooManyRequests } from './errors.ts'
import type { RateLimit } from './rateLimit.ts'
import type { Tokens } from './tokens.ts'

/** Lets a request to `/api/v2` pass, or throws `PlatformError` 401 or 429. */
export type Authorize = (request: FastifyRequest, reply: FastifyReply) => Promise<void>

export function authorizer(tokens: Tokens, rateLimit: RateLimit, switches: Switches): Authorize {
  return async (request, reply) => {
    const token = tokens.check(request.headers.authorization)
    if (switches.rateLimitPerMinute === null) return
    const { count, allowed, resetSeconds } = rateLimit.count(token.value, switches.rateLimitPerMinute)
    reply.headers({
      'inin-ratelimit-count': count,
      'inin-ratelimit-allowed': allowed,
      'inin-ratelimit-reset': resetSeconds,
    })
    if (count > allowed) throw tooManyRequests(resetSeconds)
  }
}
