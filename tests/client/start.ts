import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:http'
import type { Browser } from 'playwright-core'
import { afterAll, onTestFinished } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import type { Overrides } from '../../src/service.ts'
import type { AttachErrorReason } from '../../web/client/errors.ts'
import type { Outcome } from '../../web/client/outcome.ts'
import type { Progress } from '../../web/client/progress.ts'
import { launchBrowser } from '../browser.ts'
import { type Intercept, startCutProxy } from '../cutProxy.ts'
import type { Fixture } from '../fixtures/files.ts'
import { eventually, keys, startTestService } from '../harness.ts'

interface Result {
  outcome?: Outcome
  error?: {
    type: string
    message: string
    reason: AttachErrorReason
    status: number | null
    code: string | null
    retryAfterSeconds: number | null
    requestId: string | null
    mayHaveArrived: boolean
    idempotencyKey: string
  }
}

const html =
  '<!doctype html><html lang="en"><title>Test</title><link rel="icon" href="data:,"><script type="module" src="/page.js"></script>'

/** One for all tests of a file. */
let browser: Promise<Browser> | null = null
afterAll(async () => (await browser)?.close())

/**
 * A page of another origin in Chromium, with the built client; between it and a real service a proxy that can cut, whose first
 * address the client knows. The page's own server issues tickets for one conversation.
 */
export async function startClient({
  env = {},
  overrides = {},
  fromClient,
  fromServer,
  ticket = {},
}: {
  env?: Record<string, string>
  overrides?: Overrides
  fromClient?: Intercept
  fromServer?: Intercept
  ticket?: { maxFiles?: number; language?: string }
} = {}) {
  const site = createServer(async ({ url }, response) => {
    const file = { '/page.js': 'tests/client/page.js', '/clipgate/index.js': 'dist/client/index.js' }[url ?? '']
    if (url === '/ticket') return void response.end(JSON.stringify({ ticket: await issue() }))
    if (url === '/') return void response.setHeader('content-type', 'text/html').end(html)
    if (!file) return void response.writeHead(404).end()
    response.setHeader('content-type', 'text/javascript').end(await readFile(file))
  }).listen(0, '127.0.0.1')
  await once(site, 'listening')
  onTestFinished(() => void site.closeAllConnections())
  onTestFinished(() => void site.close())
  const origin = `http://127.0.0.1:${(site.address() as { port: number }).port}`

  const service = await startTestService({ env: { CORS_ORIGINS: origin, ...env }, overrides })
  const conversationId = service.conversation()
  const issue = async (more: Record<string, unknown> = {}) => {
    const answer = await fetch(`${service.url}/v1/tickets`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.push}`, 'content-type': 'application/json' },
      body: JSON.stringify({ conversationId, ...ticket, ...more }),
    })
    return ((await answer.json()) as { ticket: string }).ticket
  }
  const proxy = await startCutProxy(
    { host: '127.0.0.1', port: Number(new URL(service.url).port) },
    fromClient,
    fromServer,
  )
  const url = `http://127.0.0.1:${proxy.port}`

  browser ??= launchBrowser()
  const context = await (await browser).newContext()
  onTestFinished(() => context.close())
  const page = await context.newPage()
  /** Each request of the page's to the service, as `METHOD /path`. */
  const asked: string[] = []
  page.on('request', (request) => {
    if (request.url().startsWith(url)) asked.push(`${request.method()} ${new URL(request.url()).pathname}`)
  })
  await page.clock.install()
  await page.goto(origin)
  await eventually(
    () => page.evaluate<boolean>('"clipgate" in window'),
    (there) => there,
  )
  const progress = () => page.evaluate<Progress[]>('progress')
  const begin = async (file: Fixture | string, options: Record<string, unknown> = {}) => {
    const source =
      typeof file === 'string'
        ? file
        : `fileOf(${JSON.stringify({ name: file.name, type: file.type, base64: file.bytes.toString('base64') })})`
    await page.evaluate(`void begin(${source}, ${JSON.stringify({ url, ...options })})`)
  }
  const result = () => page.evaluate<Result>('result')
  return {
    service,
    conversationId,
    page,
    context,
    proxy,
    url,
    asked,
    issue,
    progress,
    begin,
    result,
    /** How it ends, when no wait takes its time. */
    async hurried() {
      for (;;) {
        const at = await page.evaluate<{ settled: boolean; last: Progress | undefined }>(
          '({ settled, last: progress.at(-1) })',
        )
        if (at.settled) return result()
        if (at.last?.state === 'waiting') await page.clock.fastForward(at.last.waitSeconds! * 1000)
      }
    },
    /** Sends, and how it ends. A string is an expression of the page. */
    async attach(file: Fixture | string, options: Record<string, unknown> = {}) {
      await begin(file, options)
      return result()
    },
    /** The first step that fits. */
    async reached(fits: (step: Progress) => boolean): Promise<Progress> {
      const steps = await eventually(progress, (steps) => steps.some(fits))
      return steps.find(fits)!
    },
    attachments: async () => (await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items,
  }
}

/** Does something to the connection that carries a file, once, when so many bytes of it have passed. */
export function onceAfter(bytes: number, act: (pair: Parameters<Intercept>[1]) => void): Intercept {
  let seen = 0
  let done = false
  return (chunk, pair) => {
    seen += chunk.length
    if (done || seen < bytes) return false
    done = true
    act(pair)
    return false
  }
}
