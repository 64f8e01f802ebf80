import { randomBytes } from 'node:crypto'
import { type IncomingMessage, METHODS, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import fastifySwagger from '@fastify/swagger'
import Fastify, {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
  type HTTPMethods,
} from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
  type ZodTypeProvider,
} from 'fastify-type-provider-zod'
import Negotiator from 'negotiator'
import type { Viewer } from '../access/viewers.ts'
import { BadRequest, SenderGone } from '../errors.ts'
import type { Events } from '../telemetry/events.ts'
import { answerProblem } from './answer.ts'
import type { Denials } from './denials.ts'
import { type Problem, problemOf } from './problem.ts'

export type Routes = (app: ReturnType<typeof typed>) => void | Promise<void>

declare module 'fastify' {
  interface FastifyRequest {
    /** Who was let in, once it is known. */
    who: string | null
    /** Who looks, once they were let in; null: nobody looks here. */
    viewer: Viewer | null
    /** The client waits for `100 Continue` before it sends its body. */
    waitsForContinue: boolean
  }
  interface FastifyContextConfig {
    /** What the route answers with when it is not JSON; `*`/`*`: that depends on what is asked for. */
    media?: string
    /** Serves files to browsers: where these have a host of their own, nowhere else, and there nothing else is. */
    files?: boolean
  }
}

const waiting = new WeakSet<IncomingMessage>()
/** Expect something that is not `100-continue`. */
const doubtful = new WeakSet<IncomingMessage>()
/** What is being answered on a connection. */
const running = new WeakMap<Socket, { request: IncomingMessage; response: ServerResponse }>()
/** What of a connection is not answered to its end yet. */
const unended = new WeakMap<Socket, Set<ServerResponse>>()

const notFound = {
  status: 404,
  code: 'not_found',
  title: 'Not found.',
  detail: 'There is nothing here under this name.',
}

/** The one route whose broken bodies are broken forms. */
const pushPath = '/webhook/file-upload'

function typed(app: FastifyInstance) {
  return app.withTypeProvider<ZodTypeProvider>()
}

/** The HTTP face: request ids, one form of errors, unknown paths and methods, the description of all routes. */
export async function createServer(
  options: {
    version: string
    publicUrl: string
    /** The host that files have for themselves. Null: they have none. */
    filesHost: string | null
    trustedProxies: string[]
    headersMs: number
    events: Events
    denials: Denials
  },
  routes: Routes[],
) {
  const { headersMs, events, denials } = options
  const app = typed(
    Fastify({
      logger: false,
      // X-Forwarded-For counts only when it comes from one of these.
      trustProxy: options.trustedProxies.length > 0 ? options.trustedProxies : false,
      genReqId: () => `req_${randomBytes(10).toString('hex')}`,
      // Bodies have limits of their own; this ends what stalls before its route is known.
      requestTimeout: 15 * 60 * 1000,
      keepAliveTimeout: 65_000,
      http: {
        headersTimeout: headersMs,
        connectionsCheckingInterval: headersMs / 3,
        maxHeaderSize: 16 * 1024,
        // It is required below, where its absence can be answered like any other fault.
        requireHostHeader: false,
      },
      forceCloseConnections: 'idle',
      exposeHeadRoutes: false,
      // An id that is too long names nothing, like any other that is malformed.
      routerOptions: { maxParamLength: 16 * 1024 },
      return503OnClosing: false,
      frameworkErrors: (_error, request, reply) => {
        void answerProblem(request, reply as never, notFound)
      },
      clientErrorHandler: refuseBrokenRequest,
    }),
  )
  // So that every method that can be read is refused by one rule. CONNECT never comes this far.
  for (const method of METHODS)
    if (method !== 'CONNECT' && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true })
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.decorateRequest('who', null)
  app.decorateRequest('viewer', null)
  app.decorateRequest('waitsForContinue', false)
  // Whoever waits to be told to go on is told so where the body is read, after its credentials were judged.
  app.server.on('checkContinue', (request: IncomingMessage, response: ServerResponse) => {
    waiting.add(request)
    app.routing(request, response)
  })
  // Node would answer without a word.
  app.server.on('checkExpectation', (request: IncomingMessage, response: ServerResponse) => {
    doubtful.add(request)
    app.routing(request, response)
  })
  // A sender may say that it is done and still wait for its answer.
  ;(app.server as unknown as { httpAllowHalfOpen: boolean }).httpAllowHalfOpen = true
  // Bodies are left unread here: each route that takes one reads it in its own way.
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', (_request, _payload, done) => done(null))

  app.addHook('onRequest', async (request, reply) => {
    request.waitsForContinue = waiting.has(request.raw)
    running.set(request.raw.socket, { request: request.raw, response: reply.raw })
    closeWith(request.raw.socket, reply.raw)
    reply.header('x-request-id', request.id)
    reply.header('x-content-type-options', 'nosniff')
    const fault = faultOf(request.raw)
    if (fault) return answerProblem(request, reply, fault)
    const { filesHost } = options
    if (
      filesHost !== null &&
      (request.hostname.toLowerCase() === filesHost) !== (request.routeOptions.config.files === true)
    )
      return answerProblem(request, reply, notFound)
    const { media = 'application/json' } = request.routeOptions.config
    if (media !== '*/*' && !request.is404) {
      const accepted = new Negotiator({ headers: { accept: withoutParameters(request.headers.accept) } }).mediaType([
        media,
        'application/problem+json',
      ])
      if (accepted === undefined) {
        const problem = {
          status: 406,
          code: 'not_acceptable',
          title: 'Not acceptable.',
          detail: `This answers with ${media} only.`,
        }
        return answerProblem(request, reply, problem)
      }
    }
    return undefined
  })
  app.addHook('preValidation', async (request) => {
    // `?state=&type=` asks for nothing in particular.
    const query = request.query as Record<string, unknown>
    for (const [name, value] of Object.entries(query)) if (value === '') delete query[name]
  })
  app.addHook('onResponse', async (request, reply) => {
    events.requestServed({
      requestId: request.id,
      method: request.method,
      route: request.routeOptions.url ?? '(none)',
      status: reply.raw.statusCode,
      seconds: reply.elapsedTime / 1000,
      who: request.who,
    })
  })

  app.addHook('onRequestAbort', async (request) =>
    events.requestAborted(request.id, request.routeOptions.url ?? '(none)'),
  )

  app.setErrorHandler((error, request, reply) => {
    if (error instanceof SenderGone) {
      // There is nobody to answer.
      reply.hijack()
      reply.raw.destroy()
      return
    }
    const problem = problemOf(asBadRequest(error, request) ?? error)
    if (problem.status >= 500) events.requestFailed(request.id, error)
    if (problem.status === 401) events.credentialRefused(request.id, request.routeOptions.url ?? '(none)')
    denials.note(request, problem, error)
    return answerProblem(request, reply, problem)
  })

  await app.register(fastifySwagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Clipgate',
        version: options.version,
        description:
          'Takes in, checks, keeps and confirms the files that customers send in Genesys Cloud Web Messaging.',
      },
      servers: [{ url: options.publicUrl }],
      components: {
        securitySchemes: {
          apiKey: { type: 'http', scheme: 'bearer' },
          session: {
            type: 'apiKey',
            in: 'cookie',
            name: '__Host-clipgate',
            description: 'Of a person, from `POST /v1/session`.',
          },
          ticket: { type: 'apiKey', in: 'header', name: 'Authorization', description: '`Ticket <ticket>`' },
          signature: {
            type: 'apiKey',
            in: 'header',
            name: 'X-Clipgate-Signature',
            description:
              '`t=<unix seconds>,v1=<hex HMAC-SHA256(secret, t + "." + METHOD + " " + path-with-query + "\\n" + raw body)>`, within 300 s, each once.',
          },
        },
      },
    },
    transform: jsonSchemaTransform,
  })
  const methodsOf: MethodsOf = new Map()
  app.addHook('onRoute', ({ url, method, config = {} }) => {
    const { methods } = methodsOf.get(url) ?? { methods: new Set() }
    for (const one of [method].flat()) methods.add(one)
    methodsOf.set(url, { methods, config })
  })
  for (const add of routes) await app.register(async (scope) => add(typed(scope)))
  refuseOtherMethods(app, methodsOf)
  app.setNotFoundHandler((request, reply) => {
    return answerProblem(request, reply, notFound)
  })
  return app
}

/**
 * Of several requests on one connection only the first that is not answered hears of its end from Node. The others would go on
 * for nobody, and hold what they have opened.
 */
function closeWith(socket: Socket, response: ServerResponse): void {
  let responses = unended.get(socket)
  if (!responses) {
    const all = new Set<ServerResponse>()
    responses = all
    unended.set(socket, all)
    socket.once('close', () => {
      for (const one of all) if (one.socket === null) one.destroy().emit('close')
    })
  }
  responses.add(response)
  response.once('close', () => responses.delete(response))
}

/** What is wrong with a request that is well-formed, whatever it asks for (RFC 9110, 10.1.1; RFC 9112, 3.2). */
function faultOf(request: IncomingMessage): Problem | null {
  if (doubtful.has(request))
    return {
      status: 417,
      code: 'expectation_failed',
      title: 'Expectation failed.',
      detail: 'Only Expect: 100-continue is known here.',
    }
  const hosts = request.rawHeaders.filter((name, i) => i % 2 === 0 && /^host$/i.test(name)).length
  if (hosts === 1 || (hosts === 0 && request.httpVersion === '1.0')) return null
  return {
    status: 400,
    code: 'bad_request',
    title: 'The request cannot be read.',
    detail: 'A request has one Host header.',
  }
}

/** `text/plain;version=0.0.4` asks for text/plain: our types have no parameters. But for `q`, which ranks them. */
function withoutParameters(accept: string | undefined): string {
  const bare = (accept ?? '').replace(/;(?!\s*q\s*=)[^,;]*/gi, '')
  return bare.trim() === '' ? '*/*' : bare
}

type MethodsOf = Map<string, { methods: Set<string>; config: FastifyContextConfig }>

/** A path that is known answers 405 to methods that it does not have, and says which it has. */
function refuseOtherMethods(app: FastifyInstance, methodsOf: MethodsOf): void {
  for (const [url, { methods, config }] of [...methodsOf]) {
    if (url.includes('*')) continue
    const allowed = [...methods].join(', ')
    const refuse = async (request: FastifyRequest, reply: FastifyReply) =>
      answerProblem(request, reply.header('allow', allowed), {
        status: 405,
        code: 'method_not_allowed',
        title: 'Method not allowed.',
        detail: `This takes ${allowed}.`,
      })
    app.route({
      method: app.supportedMethods.filter((method) => !methods.has(method)) as HTTPMethods[],
      url,
      config: { files: config.files === true },
      schema: { hide: true },
      // Before anything of it is read.
      onRequest: refuse,
      handler: refuse,
    })
  }
}

/** What the framework finds wrong with a request before its route sees it. */
function asBadRequest(error: unknown, request: FastifyRequest): BadRequest | null {
  if (hasZodFastifySchemaValidationErrors(error)) {
    const found = error.validation.map(
      ({ instancePath, message }) => `${instancePath.replace('/', '') || 'request'}: ${message}`,
    )
    return new BadRequest('bad_request', found.join('; '))
  }
  const { code, statusCode } = error as { code?: string; statusCode?: number }
  if (code?.startsWith('FST_ERR_CTP_'))
    return new BadRequest(
      request.routeOptions.url === pushPath ? 'bad_multipart' : 'bad_request',
      'The body or its Content-Type is malformed.',
    )
  if (code?.startsWith('FST_') && statusCode === 400) return new BadRequest('bad_request', 'The request is malformed.')
  return null
}

/** A request that is no HTTP: there is no request object to answer, only a socket. */
function refuseBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy()
    return
  }
  const current = running.get(socket)
  const isAnswering = current !== undefined && !current.response.writableEnded
  if (isAnswering && (current.request.complete || current.response.headersSent)) {
    // What is broken came after a whole request, whose answer is on its way and is the last.
    current.response.shouldKeepAlive = false
    // Or it is what was to be thrown away of a refused one: nothing more comes of it.
    if (!current.request.complete) current.response.end()
    return
  }
  const [status, code, title] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? ['431 Request Header Fields Too Large', 'bad_request', 'The headers are too large.']
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['408 Request Timeout', 'too_slow', 'The request did not come in time.']
        : isAnswering && current.request.url?.startsWith(pushPath)
          ? ['400 Bad Request', 'bad_multipart', 'The form was cut off, or its framing is broken.']
          : ['400 Bad Request', 'bad_request', 'The request is no HTTP that we read.']
  const requestId = `req_${randomBytes(10).toString('hex')}`
  const body = JSON.stringify({
    type: `urn:clipgate:problem:${code}`,
    title,
    status: Number(status.slice(0, 3)),
    detail: title,
    code,
    requestId,
  })
  socket.end(
    `HTTP/1.1 ${status}\r\nContent-Type: application/problem+json; charset=utf-8\r\nContent-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  )
}
