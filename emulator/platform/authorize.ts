import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Switches } from '../switches.ts'
import { tooManyRequests } from './errors.ts'
import type { RateLimit } from './rateLimit.ts'
import type { Token, Tokens } from './tokens.ts'

export interface Access {
  /** Lets a request to `/api/v2` pass, or throws `PlatformError` 401 or 429. */
  check(request: FastifyRequest, reply: FastifyReply): Promise<void>
  /** With which token a request came that has passed. */
  tokenOf(request: FastifyRequest): Token
}

export function createAccess(tokens: Tokens, rateLimit: RateLimit, switches: Switches): Access {
  // Beside the requests: a decoration would show in the types of every other fastify server of the project.
  const passed = new WeakMap<FastifyRequest, Token>()
  return {
    async check(request, reply) {
      const token = tokens.check(request.headers.authorization)
      passed.set(request, token)
      if (switches.rateLimitPerMinute === null) return
      const { count, allowed, resetSeconds } = rateLimit.count(token.value, switches.rateLimitPerMinute)
      reply.headers({
        'inin-ratelimit-count': count,
        'inin-ratelimit-allowed': allowed,
        'inin-ratelimit-reset': resetSeconds,
      })
      if (count > allowed) throw tooManyRequests(resetSeconds)
    },
    tokenOf(request) {
      const token = passed.get(request)
      if (!token) throw new Error('a request that was not checked')
      return token
    },
  }
}
