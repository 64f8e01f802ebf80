import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Browser, BrowserContext, ConsoleMessage, Frame, Page } from 'playwright-core'
import { afterAll, beforeAll, expect, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import type { Overrides } from '../../src/service.ts'
import { chromePath, launchBrowser, needsBrowser } from '../browser.ts'
import { freePort } from '../freePort.ts'
import { startTestService, type TestService } from '../harness.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

/** For `describe.skipIf` and its name. */
export { chromePath, needsBrowser }

export interface Pages extends TestService {
  context: BrowserContext
  /** A new tab on a path of the service; what it does wrong fails the test. */
  open(path: string): Promise<Page>
  /** What pages did wrong so far. Whatever is in it at the end fails the test. */
  complaints: string[]
}

interface StartOptions {
  /** Where it depends on where the emulator is, a function of that. */
  env?: Record<string, string> | ((emulatorUrl: string) => Record<string, string>)
  overrides?: Overrides
  /** Of what the pages say on their console, what is no complaint. */
  expected?: RegExp[]
  /** Origins beside the service's and the emulator's that may be asked. */
  origins?: string[]
}

/** One browser for all tests of a file; to be called where these are described. */
export function sharedBrowser() {
  let browser: Browser
  beforeAll(async () => {
    if (chromePath) browser = await launchBrowser()
  })
  afterAll(() => browser?.close())

  /**
   * A service and an emulator of the test's own, and a fresh profile. A page that writes an error on its console, breaks its
   * Content-Security-Policy, or asks another origin fails the test.
   */
  return async ({ env = {}, overrides, expected = [], origins = [] }: StartOptions = {}): Promise<Pages> => {
    const port = await freePort()
    const emulator = await startEmulator({ port: 0 })
    onTestFinished(() => emulator.close())
    const service = await startTestService({
      emulator,
      // A port that is known before, so that the sign-in knows where to come back to.
      env: { PORT: String(port), ...(typeof env === 'function' ? env(emulator.url) : env) },
      ...(overrides && { overrides }),
    })
    const context = await browser.newContext({ locale: 'en-GB', acceptDownloads: true })
    const complaints: string[] = []
    await watch(context, complaints, { expected, origins: [service.url, emulator.url, ...origins] })
    onTestFinished(async () => {
      await context.close()
      expect(complaints).toEqual([])
    })
    return {
      ...service,
      context,
      complaints,
      async open(path) {
        const page = await context.newPage()
        await page.goto(service.url + path)
        return page
      },
    }
  }
}

async function watch(
  context: BrowserContext,
  complaints: string[],
  { expected, origins }: { expected: RegExp[]; origins: string[] },
): Promise<void> {
  const [own] = origins
  const complain = (text: string) => {
    if (!expected.some((pattern) => pattern.test(text))) complaints.push(text)
  }
  /** The browser writes of each answer that is no success; one of our API is an answer like any other. */
  const isAnswer = (message: ConsoleMessage) =>
    /^Failed to load resource: .* status of [45]/.test(message.text()) &&
    message.location().url.startsWith(`${own}/v1/`)
  await context.addInitScript({ path: pathOf('complain') })
  context.on('console', (message) => {
    if (message.type() === 'error' && !isAnswer(message)) complain(`${message.text()} (${message.location().url})`)
  })
  context.on('weberror', (error) => complain(String(error.error().stack ?? error.error())))
  context.on('request', (request) => {
    const url = request.url()
    if (!/^(data|blob|about):/.test(url) && !origins.includes(new URL(url).origin)) complain(`asked ${url}`)
  })
}

/** Fails on what axe-core calls serious or critical, in the light and in the dark. */
export async function expectAccessible(page: Page, frame: Frame = page.mainFrame()): Promise<void> {
  axe ??= await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
  for (const colorScheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme })
    await frame.evaluate(axe)
    const found = await inside<string[]>(frame, 'findings')
    expect(found, `in the ${colorScheme}`).toEqual([])
  }
  await page.emulateMedia({ colorScheme: null })
}

let axe: string | null = null

const pathOf = (name: string) => fileURLToPath(new URL(`inside/${name}.js`, import.meta.url))

/** The value of what stands in `inside/<name>.js`, in the page; with an argument, it is a function of that. */
export async function inside<T>(where: Page | Frame, name: string, argument?: string): Promise<T> {
  const code = (await readFile(pathOf(name), 'utf8')).replace(/^(\/\/.*\n)+;?/, '').trim()
  return where.evaluate(argument === undefined ? code : `(${code})(${JSON.stringify(argument)})`)
}

const sizes = [
  { width: 360, height: 640 },
  { width: 1280, height: 800 },
]

/** With SCREENSHOTS=folder: pictures of the page as it stands, at two widths, in the light and in the dark. */
export async function picture(page: Page, name: string, width?: number): Promise<void> {
  const folder = process.env.SCREENSHOTS
  if (!folder) return
  const before = page.viewportSize()
  for (const size of sizes.filter((one) => width === undefined || one.width === width))
    for (const colorScheme of ['light', 'dark'] as const) {
      await page.setViewportSize(size)
      await page.emulateMedia({ colorScheme })
      await page.screenshot({ path: join(folder, `${name}-${size.width}-${colorScheme}.png`), animations: 'disabled' })
    }
  if (before) await page.setViewportSize(before)
  await page.emulateMedia({ colorScheme: null })
}
