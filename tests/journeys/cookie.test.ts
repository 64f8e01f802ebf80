import { readFile } from 'node:fs/promises'
import { request } from 'node:http'
import { createServer } from 'node:https'
import type { Frame, Page } from 'playwright-core'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Routes } from '../../src/http/server.ts'
import { chromePath, launchBrowser, needsBrowser } from '../browser.ts'
import { certificateFor } from '../certificates.ts'
import { freePort } from '../freePort.ts'
import { startTestService, testEnvironment } from '../harness.ts'
import { run } from './process.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

const password = 'correct horse battery'

/** A page of the service's own origin, with nothing on it. */
const emptyPage: Routes = (app) => {
  app.route({
    method: 'GET',
    url: '/empty',
    config: { media: 'text/html' },
    schema: { hide: true },
    handler: async (_request, reply) => reply.type('text/html').send('<!doctype html><title>empty</title>'),
  })
}

async function withAccount(env: Record<string, string> = {}) {
  const service = await startTestService({ env, overrides: { routes: [emptyPage] } })
  const args = ['accounts', 'add', 'rita', '--role', 'reader']
  const added = run(args, testEnvironment(service.dataDir, 'http://127.0.0.1:9'), [], `${password}\n`)
  expect(await added.ended).toBe(0)
  return service
}

/** As a script of the page, or of the frame, asks for it. */
function askIn(page: Page | Frame, method: string, body?: object): Promise<number> {
  return page.evaluate(
    async ([method, body]) => {
      const init = body === undefined ? {} : { body, headers: { 'content-type': 'application/json' } }
      return (await fetch('/v1/session', { method: method!, ...init })).status
    },
    [method, body && JSON.stringify(body)],
  )
}

const account = { name: 'rita', password }

describe.skipIf(!chromePath)(`the cookie of a session ${needsBrowser}`, () => {
  it('is taken by a browser on plain http at a loopback address, is read by no page, and goes with signing out', async () => {
    const service = await withAccount()
    const browser = await launchBrowser()
    onTestFinished(() => browser.close())
    const context = await browser.newContext()
    const page = await context.newPage()
    await page.goto(`${service.url}/empty`)
    expect(await askIn(page, 'GET')).toBe(401)
    expect(await askIn(page, 'POST', account)).toBe(201)
    expect(await askIn(page, 'GET')).toBe(200)
    expect(await page.evaluate('document.cookie')).toBe('')
    expect(await context.cookies()).toMatchObject([
      { name: '__Host-clipgate', path: '/', httpOnly: true, secure: true, sameSite: 'None', expires: -1 },
    ])
    expect(await askIn(page, 'DELETE')).toBe(204)
    expect(await askIn(page, 'GET')).toBe(401)
    expect(await context.cookies()).toEqual([])
  })

  it('is another one in each site that has our page in a frame, also where other sites’ cookies are blocked', async () => {
    const names = ['clipgate.test', 'desk.test', 'other.test'] as const
    const { key, cert } = await certificateFor(...names)
    const port = await freePort()
    const at = (name: (typeof names)[number]) => `https://${name}:${port}`
    const service = await withAccount({ PUBLIC_URL: at('clipgate.test') })
    const tls = createServer({ key: await readFile(key), cert: await readFile(cert) }, (asked, answer) => {
      if (!asked.headers.host?.startsWith('clipgate.test')) {
        answer.setHeader('content-type', 'text/html')
        answer.end(`<!doctype html><iframe src="${at('clipgate.test')}/empty"></iframe>`)
        return
      }
      const { method, url, headers } = asked
      const passed = request(service.url + url, { method, headers }, (response) => {
        answer.writeHead(response.statusCode!, response.headers)
        response.pipe(answer)
      })
      asked.pipe(passed)
    })
    await new Promise<void>((resolve) => tls.listen(port, '127.0.0.1', resolve))
    onTestFinished(() => {
      tls.closeAllConnections()
      tls.close()
    })
    const browser = await launchBrowser([
      '--host-resolver-rules=MAP *.test 127.0.0.1',
      '--test-third-party-cookie-phaseout',
    ])
    onTestFinished(() => browser.close())
    const context = await browser.newContext({ ignoreHTTPSErrors: true })
    const frameAt = async (name: (typeof names)[number]) => {
      const page = await context.newPage()
      await page.goto(at(name))
      const frame = await page.waitForSelector('iframe').then((element) => element.contentFrame())
      await frame!.waitForURL(/empty/)
      return frame!
    }
    const [desk, other] = [await frameAt('desk.test'), await frameAt('other.test')]
    expect(await askIn(desk, 'POST', account)).toBe(201)
    expect([await askIn(desk, 'GET'), await askIn(await frameAt('desk.test'), 'GET')]).toEqual([200, 200])
    expect(await askIn(other, 'GET')).toBe(401)
    const own = await context.newPage()
    await own.goto(`${at('clipgate.test')}/empty`)
    expect(await askIn(own, 'GET')).toBe(401)
  })
})
