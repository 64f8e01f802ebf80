import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Credentials } from '../access/credentials.ts'
import type { Viewers } from '../access/viewers.ts'
import type { Scope } from '../config/kinds.ts'
import { Forbidden } from '../errors.ts'

/** A hook that lets in only who has this scope, before anything of the body is read, and notes who it is. */
export function letIn(credentials: Credentials, scope: Scope) {
  return async (request: FastifyRequest): Promise<void> => {
    request.who = credentials.require(request.headers.authorization, scope)
  }
}

/** The same for what people may do too: notes what they see. No cache keeps what is told to them. */
export function letView(viewers: Viewers, scope: Scope, watches?: 'watches') {
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    const viewer = await viewers.require({ method: request.method, headers: request.headers }, scope, watches)
    request.viewer = viewer
    request.who = viewer.who
    reply.header('cache-control', 'no-store')
  }
}

/** The same for what tells of the whole installation: only for who sees all of it. */
export function letViewAll(viewers: Viewers, scope: Scope) {
  const view = letView(viewers, scope)
  return async (request: FastifyRequest, reply: FastifyReply): Promise<void> => {
    await view(request, reply)
    if (!request.viewer?.seesAll) throw new Forbidden('This tells of all conversations.', request.who)
  }
}

/** After `letView`: bytes of files go to programs. A browser with a person's session is given a link to them, which says what it is for. */
export async function keysOnly({ viewer, params }: FastifyRequest): Promise<void> {
  if (viewer?.session == null) return
  const { id } = params as { id: string }
  throw new Forbidden(
    `This is for API keys. Take a link: POST /v1/attachments/${encodeURIComponent(id)}/links`,
    viewer.who,
  )
}
