import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { dirname, extname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { brotliCompress, gzip } from 'node:zlib'
import type { FastifyReply, FastifyRequest } from 'fastify'
import Negotiator from 'negotiator'
import { NotFound } from '../errors.ts'
import type { Routes } from './server.ts'

export interface PageParts {
  publicUrl: string
  /** Of who looks, when neither the page's address nor their browser says one that we have. */
  language: string
  /** Origins that may show the widget in a frame. */
  frameAncestors: string[]
}

interface Page {
  /** Its folder in web/. */
  name: string
  /** `/*` at its end: everything below is the page too, which tells its parts apart itself. */
  urls: string[]
  /** Whether others may show it in a frame. */
  framed?: true
}

/** A page whose folder was not built is not there. Signing in goes through the frame in which it began, so it may stand in one. */
const allPages: Page[] = [
  { name: 'sign-in', urls: ['/sign-in'], framed: true },
  { name: 'widget', urls: ['/widget'], framed: true },
  { name: 'console', urls: ['/console', '/console/*'] },
]

const built = () => join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'dist', 'pages')

const types: Record<string, string> = {
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.json': 'application/json; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.txt': 'text/plain; charset=utf-8',
  '.woff2': 'font/woff2',
}

/** Whatever a page is made to show, it runs nothing but our own files, and loads from nowhere else. */
const policyOf = (ancestors: string[]) =>
  [
    "default-src 'none'",
    "script-src 'self'",
    "style-src 'self'",
    "img-src 'self' data: blob:",
    "font-src 'self'",
    "connect-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    `frame-ancestors ${ancestors.length > 0 ? ancestors.join(' ') : "'none'"}`,
  ].join('; ')

type Coding = 'br' | 'gzip' | 'identity'

/** /sign-in, /widget, /console and what they load from /assets/: files that `npm run build` made, and nothing else. */
export function pageRoutes(parts: PageParts): Routes {
  const folder = built()
  const pages = allPages.filter(({ name }) => existsSync(join(folder, name, 'index.html')))

  return async (app) => {
    for (const page of pages) await addPage(app, folder, page, parts)
    if (pages.length > 0)
      await addAssets(app, join(folder, 'assets'), JSON.parse(await readFile(join(folder, 'assets.json'), 'utf8')))
  }
}

/** /demo, for the demo alone: what it loads is among the assets of all pages. */
export function demoRoutes(parts: Pick<PageParts, 'publicUrl' | 'language'>): Routes {
  return (app) => addPage(app, built(), { name: 'demo', urls: ['/demo'] }, { ...parts, frameAncestors: [] })
}

async function addPage(
  app: Parameters<Routes>[0],
  folder: string,
  { name, urls, framed }: Page,
  { publicUrl, language, frameAncestors }: PageParts,
): Promise<void> {
  // Behind a proxy the pages may lie below a path of its own.
  const base = new URL(publicUrl).pathname.replace(/\/+$/, '')
  const html = (await readFile(join(folder, name, 'index.html'), 'utf8'))
    .replaceAll('%BASE%', base)
    .replaceAll('%LANGUAGE%', language)
  const bytes: Record<Coding, Buffer> = {
    identity: Buffer.from(html),
    gzip: await promisify(gzip)(html),
    br: await promisify(brotliCompress)(html),
  }
  const digest = createHash('sha256').update(html).digest('base64url').slice(0, 22)
  const headers = {
    'content-security-policy': policyOf(framed ? frameAncestors : []),
    'referrer-policy': 'no-referrer',
    'cache-control': 'no-cache',
    'content-type': 'text/html; charset=utf-8',
  }
  for (const url of urls)
    app.route({
      method: 'GET',
      url,
      exposeHeadRoute: true,
      config: { media: '*/*' },
      schema: { hide: true },
      handler: async (request, reply) => {
        const coding = codingFor(request)
        reply.headers(headers)
        return isKnown(request, reply, digest, coding) ? reply.code(304).send() : reply.send(bytes[coding])
      },
    })
}

/** By their names below assets/, as the build tells them. */
type Assets = Record<string, { digest: string; compressed: boolean }>

/** Each has a name of its own for what is in it, so nobody ever asks twice. */
async function addAssets(app: Parameters<Routes>[0], folder: string, assets: Assets): Promise<void> {
  const known = new Map(Object.entries(assets))
  app.route({
    method: 'GET',
    url: '/assets/*',
    exposeHeadRoute: true,
    config: { media: '*/*' },
    schema: { hide: true },
    handler: async (request, reply) => {
      const name = (request.params as { '*': string })['*']
      const asset = known.get(name)
      if (!asset) throw new NotFound('page')
      const coding = asset.compressed ? codingFor(request) : 'identity'
      reply.headers({
        'content-security-policy': "default-src 'none'",
        'cross-origin-resource-policy': 'same-origin',
        'cache-control': 'public, max-age=31536000, immutable',
        'content-type': types[extname(name)] ?? 'application/octet-stream',
      })
      if (isKnown(request, reply, asset.digest, coding)) return reply.code(304).send()
      const ending = { br: '.br', gzip: '.gz', identity: '' }[coding]
      return reply.send(await readFile(join(folder, name + ending)))
    },
  })
}

function codingFor(request: FastifyRequest): Coding {
  const asked = { headers: { 'accept-encoding': request.headers['accept-encoding'] ?? '' } }
  const accepted = new Negotiator(asked).encodings(['br', 'gzip'])
  return (['br', 'gzip'] as const).find((coding) => accepted.includes(coding)) ?? 'identity'
}

/** Tells which one it is, and whether who asks has it already. */
function isKnown(request: FastifyRequest, reply: FastifyReply, digest: string, coding: Coding): boolean {
  const etag = `"${digest}${coding === 'identity' ? '' : `-${coding}`}"`
  reply.headers({ etag, vary: 'Accept-Encoding' })
  if (coding !== 'identity') reply.header('content-encoding', coding)
  const known = request.headers['if-none-match']?.split(',').map((one) => one.trim().replace(/^W\//, '')) ?? []
  if (!known.includes(etag)) return false
  reply.removeHeader('content-encoding').removeHeader('content-type')
  return true
}
