import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Problem } from './problem.ts'

const discard = { bytes: 1024 * 1024, ms: 2000 }

/**
 * Answers with a problem. When the request's body is still coming, the answer goes out at once with `Connection: close`,
 * and at most 1 MiB or 2 s of the rest is read and thrown away: a sender that is cut off while it writes would lose the
 * answer that waits for it.
 */
export function answerProblem(request: FastifyRequest, reply: FastifyReply, problem: Problem): FastifyReply {
  const { status, code, title, detail, attachmentId, sentence, retryAfterSeconds } = problem
  const body = JSON.stringify({
    type: `urn:clipgate:problem:${code}`,
    title,
    status,
    detail,
    code,
    requestId: request.id,
    ...(attachmentId && { attachmentId }),
    ...(sentence !== undefined && { sentence }),
  })
  reply
    .code(status)
    .header('content-type', 'application/problem+json; charset=utf-8')
    .header('cache-control', 'no-store')
  if (retryAfterSeconds !== undefined) reply.header('retry-after', String(retryAfterSeconds))
  if (status === 401) reply.header('www-authenticate', 'Bearer')
  if (request.raw.complete || !hasBody(request)) return reply.send(body)

  reply.header('connection', 'close').header('content-length', Buffer.byteLength(body))
  const { raw } = reply
  reply.hijack()
  raw.writeHead(status, reply.getHeaders() as NodeJS.Dict<string | number>)
  raw.write(body)
  let bytes = 0
  const end = () => {
    clearTimeout(timer)
    request.raw.off('data', count).off('end', end).off('close', end)
    raw.end()
  }
  const count = (chunk: Buffer) => {
    bytes += chunk.length
    if (bytes > discard.bytes) end()
  }
  const timer = setTimeout(end, discard.ms)
  request.raw
    .on('data', count)
    .on('end', end)
    .on('close', end)
    .on('error', () => {})
  request.raw.resume()
  return reply
}

function hasBody({ headers }: FastifyRequest): boolean {
  return headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0
}
