import type { FastifyRequest } from 'fastify'
import type { Credentials } from '../access/credentials.ts'
import type { Scope } from '../config/kinds.ts'

/** A hook that lets in only who has this scope, before anything of the body is read, and notes who it is. */
export function letIn(credentials: Credentials, scope: Scope) {
  return async (request: FastifyRequest): Promise<void> => {
    request.who = credentials.require(request.headers.authorization, scope)
  }
}
