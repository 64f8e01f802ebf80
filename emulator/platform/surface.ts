import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { setTimeout as delay } from 'node:timers/promises'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { claimedLength, damagedBody, damagesBody } from '../damage.ts'
import type { Fault, Faults } from '../faults.ts'
import { loginErrorBody, loginErrorOfStatus } from '../login/errors.ts'
import type { RequestLog } from '../requestLog.ts'
import { errorBody, errorOfStatus, notFound, PlatformError } from './errors.ts'

/** What becomes of a request on the platform's surface. */
interface Fate {
  /** Tells the request log the status of the answer. */
  settle: (status: number) => void
  fault: Fault | undefined
}

const correlationHeader = 'ININ-Correlation-Id'

/** What every request outside `/_emulator` meets, whatever its route: correlation id, log, faults, errors in the platform's form. */
export function dressAsPlatform(app: FastifyInstance, parts: { faults: Faults; requestLog: RequestLog }): void {
  const { faults, requestLog } = parts
  // Beside the requests: a decoration would show in the types of every other fastify server of the project.
  const fates = new WeakMap<FastifyRequest, Fate>()

  app.addHook('onRequest', async (request, reply) => {
    const path = pathOf(request)
    if (isOwn(path)) return
    reply.header(correlationHeader, randomUUID())
    const settle = requestLog.arrived(request.method, path)
    const fault = faults.take(request.method, path)
    fates.set(request, { settle, fault })
    if (fault?.delayMs !== undefined) await delay(fault.delayMs, undefined, { ref: false })
    if (fault?.status !== undefined) {
      throw isLogin(path)
        ? loginErrorOfStatus(fault.status, fault.retryAfter)
        : errorOfStatus(fault.status, fault.retryAfter)
    }
  })

  // onSend and not onResponse: whoever has the answer must find it in the log already.
  app.addHook('onSend', async (request, reply, payload) => {
    const { settle, fault } = fates.get(request) ?? {}
    if (fault?.cut) request.raw.socket.destroy()
    settle?.(fault?.cut ? 0 : reply.statusCode)
    return fault && damagesBody(fault) ? damaged(fault, payload, request, reply) : payload
  })

  app.setErrorHandler<FastifyError>((error, request, reply) => {
    return sendError(request, reply, error instanceof PlatformError ? error : unreadable(error))
  })

  app.setNotFoundHandler((request, reply) => {
    if (isOwn(pathOf(request))) return reply.code(404).send({ message: 'no such route' })
    return sendError(request, reply, notFound())
  })
}

function damaged(fault: Fault, payload: unknown, request: FastifyRequest, reply: FastifyReply): Readable {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === 'string' ? payload : '')
  const length = claimedLength(fault, bytes)
  if (length !== undefined) reply.header('content-length', length)
  const connection = {
    sendHead: () => reply.raw.flushHeaders(),
    cut: () => request.raw.socket.destroySoon(),
  }
  return Readable.from(damagedBody(fault, bytes, connection))
}

function sendError(request: FastifyRequest, reply: FastifyReply, error: PlatformError): FastifyReply {
  if (error.retryAfter !== undefined) reply.header('retry-after', error.retryAfter)
  reply.code(error.status)
  if (isLogin(pathOf(request))) return reply.send(loginErrorBody(error))
  return reply.send(errorBody(error, String(reply.getHeader(correlationHeader))))
}

/** A body that is not what its type says, or a mistake of the emulator's own; either way with its text. */
function unreadable(error: FastifyError): PlatformError {
  const status = error.statusCode ?? 500
  return new PlatformError(status, errorOfStatus(status).code, error.message)
}

const pathOf = (request: FastifyRequest) => request.url.split('?', 1)[0] as string
const isOwn = (path: string) => path === '/_emulator' || path.startsWith('/_emulator/')
const isLogin = (path: string) => path.startsWith('/oauth/')
