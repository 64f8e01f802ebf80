import type { IncomingHttpHeaders } from 'node:http'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { z } from 'zod'
import { secretHeader, type Uploads } from '../doors/gateway/uploads.ts'
import { type BodyTimes, bodyOf, lengthOf } from '../doors/push/body.ts'
import { NotFound, Unavailable } from '../errors.ts'
import { strictJson } from '../strictJson.ts'
import type { Routes } from './server.ts'
import { problemShape } from './shapes.ts'

export interface GatewayRouteParts {
  uploads: Uploads
  /** Only these are relayed. */
  deployments: readonly string[]
  apiUrl: string
  cdnUrl: string
  times: BodyTimes
}

/** Longest that is relayed of a body, in bytes. */
const mostRelayed = 8 * 1024 * 1024
const mostAsked = 256 * 1024
const relayMs = 20_000

/** What goes with a relayed request, and what comes back with its answer: nothing that is of the hop between. */
const askedHeaders = [
  'accept',
  'accept-language',
  'access-control-request-headers',
  'access-control-request-method',
  'authorization',
  'content-type',
  'if-modified-since',
  'if-none-match',
  'origin',
  'referer',
  'user-agent',
] as const
const answeredHeaders = [
  'access-control-allow-credentials',
  'access-control-allow-headers',
  'access-control-allow-methods',
  'access-control-allow-origin',
  'access-control-expose-headers',
  'access-control-max-age',
  'cache-control',
  'content-type',
  'etag',
  'expires',
  'last-modified',
  'retry-after',
  'vary',
  'www-authenticate',
]

/** The uploads of the gateway, and what clients ask of the platform beside the socket. */
export function gatewayRoutes({ uploads, deployments, apiUrl, cdnUrl, times }: GatewayRouteParts): Routes {
  return (app) => {
    const url = '/gateway/uploads/:token'
    const params = z.object({ token: z.string() })
    // Whoever has the link and its secret may send, from whatever page: neither is a cookie.
    const cors = (reply: FastifyReply) => reply.header('access-control-allow-origin', '*')

    app.route({
      method: 'OPTIONS',
      url,
      schema: { hide: true },
      config: { media: '*/*' },
      handler: async (_request, reply) =>
        cors(reply)
          .header('access-control-allow-methods', 'PUT')
          .header('access-control-allow-headers', `Content-Type, ${secretHeader}`)
          .header('access-control-max-age', '600')
          .code(204)
          .send(),
    })
    app.route({
      method: 'PUT',
      url,
      config: { media: '*/*' },
      schema: {
        summary: 'Takes the bytes of a file that a customer announced through the gateway',
        description: 'The address and the header are those of the PresignedUrlResponse: for one file, for ten minutes.',
        tags: ['gateway'],
        params,
        consumes: ['application/octet-stream'],
        response: {
          200: z.unknown().describe('It was judged: the outcome comes on the socket.'),
          ...Object.fromEntries([400, 404, 408, 409, 503].map((status) => [status, problemShape])),
        },
      },
      onRequest: async (_request, reply) => void cors(reply),
      handler: async (request, reply) => {
        const gone = new AbortController()
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) gone.abort()
        })
        const bytes = async function* () {
          // Not before the link was looked at.
          if (request.waitsForContinue) reply.raw.writeContinue()
          yield* bodyOf(request.raw, times)
        }
        const taken = await uploads.take(
          { token: request.params.token, secret: String(request.headers[secretHeader] ?? '') },
          {
            contentType: request.headers['content-type'] ?? null,
            length: lengthOf(request.headers),
            bytes: bytes(),
            gone: gone.signal,
            requestId: request.id,
          },
        )
        // First the answer, then what becomes of the file: the client sees one order.
        // Who has left meanwhile is told on the socket all the same.
        if (reply.raw.destroyed || reply.raw.closed) taken.told()
        else reply.raw.once('close', () => taken.told())
        return reply.code(200).send('')
      },
    })

    const relay = (base: string) => async (request: FastifyRequest, reply: FastifyReply) => {
      const body = request.method === 'POST' || request.method === 'DELETE' ? await bodyIn(request) : null
      // The same deployments as at the socket. A body that names none is the platform's to judge.
      const named = body && deploymentIn(body)
      if (named !== null && !deployments.includes(named)) throw new NotFound('deployment')
      // Without the host, which a request line may name, too.
      const { pathname, search } = new URL(request.raw.url ?? '/', 'http://gateway')
      return relayed(`${base}${pathname}${search}`, body, request, reply)
    }
    for (const file of ['config.json', 'domains.json'])
      app.route({
        method: ['GET', 'OPTIONS'],
        url: `/webdeployments/v1/deployments/:id/${file}`,
        config: { media: '*/*' },
        schema: { hide: true, params: z.object({ id: z.string() }) },
        handler: async (request, reply) => {
          // The platform says 403 to a deployment that it does not know; we know fewer.
          if (!deployments.includes((request.params as { id: string }).id)) throw new NotFound('deployment')
          return relay(cdnUrl)(request, reply)
        },
      })
    const ofApi = [
      ['GET', '/api/v2/webmessaging/messages'],
      ['POST', '/api/v2/webdeployments/token/oauthcodegrantjwtexchange'],
      ['POST', '/api/v2/webdeployments/token/refresh'],
      ['DELETE', '/api/v2/webdeployments/token/revoke'],
    ] as const
    for (const [method, path] of ofApi)
      app.route({
        method: [method, 'OPTIONS'],
        url: path,
        config: { media: '*/*' },
        schema: { hide: true },
        handler: relay(apiUrl),
      })
  }
}

/** One request and its answer, byte for byte. */
async function relayed(
  url: string,
  body: Buffer | null,
  request: FastifyRequest,
  reply: FastifyReply,
): Promise<FastifyReply> {
  let answer: Response
  let bytes: Buffer
  try {
    answer = await fetch(url, {
      method: request.method,
      headers: only(askedHeaders, request.headers),
      redirect: 'manual',
      signal: AbortSignal.timeout(relayMs),
      ...(body && body.length > 0 && { body: new Uint8Array(body) }),
    })
    bytes = await boundedBody(answer)
  } catch (cause) {
    throw new Unavailable('Genesys Cloud does not answer', { cause })
  }
  for (const name of answeredHeaders) {
    const value = answer.headers.get(name)
    if (value !== null) reply.header(name, value)
  }
  return reply.code(answer.status).send(bytes)
}

function only(names: readonly string[], headers: IncomingHttpHeaders): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => (typeof headers[name] === 'string' ? [[name, headers[name]]] : [])),
  ) as Record<string, string>
}

/** Null: it names none. Throws `BadRequest` for what could be read in two ways. */
function deploymentIn(body: Buffer): string | null {
  const asked = body.length === 0 ? null : strictJson(body.toString('utf8'))
  const named = (asked as { deploymentId?: unknown } | null)?.deploymentId
  return typeof named === 'string' ? named : null
}

async function bodyIn(request: FastifyRequest): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  const times = { idleMs: 10_000, leastBytesPerSecond: 500, totalMs: 30_000 }
  for await (const piece of bodyOf(request.raw, times)) {
    size += piece.length
    if (size > mostAsked) throw new Unavailable('the body is too long')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

async function boundedBody(answer: Response): Promise<Buffer> {
  const pieces: Uint8Array[] = []
  let size = 0
  for await (const piece of answer.body ?? []) {
    size += piece.length
    if (size > mostRelayed) throw new Error('the answer is too long')
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}
