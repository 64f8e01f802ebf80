import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Browser } from 'playwright-core'
import { launchBrowser } from '../../tests/browser.ts'
import { type Service, startService } from '../contenders/service.ts'
import { makeTemplates } from '../files.ts'
import { push } from '../push.ts'
import type { Part } from '../report.ts'
import { spreadOf } from '../stats.ts'
import { number, spread, table } from '../table.ts'
import { fileOf, marks, readTemplates } from '../templates.ts'
import { figure, inTurn, type PartOptions } from './part.ts'

const account = { name: 'bench', password: 'long enough for anybody' }
const filesShown = 20

/** What one page took to be seen by somebody whose browser has nothing of it yet. */
interface Seen {
  /** Until something was on the screen, ms. */
  firstPaint: number
  /** Until what one came for was on the screen, ms. */
  content: number
  /** Of our own scripts, over the wire. */
  scriptBytes: number
  /** Of styles and fonts, over the wire. */
  styleBytes: number
}

/** How long people look at nothing: each page in a browser with an empty cache, signed in, in turn. */
export async function pages({ checkout, folder, stage, rounds, told }: PartOptions): Promise<Part> {
  const place = join(folder, 'pages')
  await mkdir(place, { mode: 0o700 })
  const service = await startService(checkout, place, stage.emulator.url)
  const browser = await launchBrowser()
  try {
    await addAccount(checkout, place)
    const conversationId = stage.emulator.conversations[0]!
    await pushFiles(service, conversationId, stage.templates)
    const looked = [
      { name: '/sign-in', path: '/sign-in', shows: 'form, a.button', signsIn: false },
      {
        name: `/widget, ${filesShown} files`,
        path: `/widget?conversationId=${conversationId}`,
        shows: 'conversation-file',
      },
      { name: '/console, overview', path: '/console', shows: 'day-chart canvas' },
      { name: '/console/files', path: '/console/files', shows: 'tbody tr' },
    ]
    const seen = await inTurn(rounds, async (turn) => {
      const all: Seen[] = []
      for (const one of looked) all.push(await look(browser, service.url, one))
      told(`pages: round ${turn + 1} of ${rounds}`)
      return all
    })
    const of = (page: number, what: keyof Seen) => spreadOf(seen.map((all) => all[page]![what]))
    const widget = of(1, 'firstPaint')
    const scripts = of(1, 'scriptBytes')
    return {
      title: 'Pages, with an empty cache',
      markdown: table(
        ['', 'first paint, ms', 'content, ms', 'own scripts, KB', 'styles and fonts, KB'],
        looked.map(({ name }, page) => [
          name,
          spread(of(page, 'firstPaint')),
          spread(of(page, 'content')),
          number(of(page, 'scriptBytes').median / 1000),
          number(of(page, 'styleBytes').median / 1000),
        ]),
      ),
      figures: looked.flatMap(({ name }, page) => [
        figure(`${name}: first paint`, 'ms', 'less', of(page, 'firstPaint')),
        figure(`${name}: content`, 'ms', 'less', of(page, 'content')),
      ]),
      aims: [
        {
          aim: 'first paint of the widget under 1 s',
          measured: `${number(widget.median)} ms`,
          met: widget.median < 1000,
        },
        {
          aim: 'own scripts of the widget under 200 KB compressed',
          measured: `${number(scripts.median / 1000)} KB`,
          met: scripts.median < 200_000,
        },
      ],
    }
  } finally {
    await browser.close()
    await service.stop()
  }
}

async function look(
  browser: Browser,
  url: string,
  { path, shows, signsIn = true }: { path: string; shows: string; signsIn?: boolean },
): Promise<Seen> {
  const context = await browser.newContext()
  try {
    const page = await context.newPage()
    if (signsIn) {
      await page.goto(`${url}/sign-in`)
      const body = JSON.stringify(account)
      const answer = await page.evaluate(
        `fetch('/v1/session', { method: 'POST', headers: { 'content-type': 'application/json' }, body: ${JSON.stringify(body)} }).then(({ status }) => status)`,
      )
      if (answer !== 201) throw new Error(`signing in was answered ${answer}`)
      const session = await context.newCDPSession(page)
      await session.send('Network.clearBrowserCache')
    }
    await page.goto(url + path, { waitUntil: 'commit' })
    await page.locator(shows).first().waitFor()
    return await page.evaluate<Seen>(seen)
  } finally {
    await context.close()
  }
}

/** Runs in the page. Spark's components come when all stands, and are not waited for. */
const seen = `(() => {
  const content = performance.now()
  const all = performance.getEntriesByType('resource').filter(({ name }) => !name.includes('/assets/spark/'))
  const bytes = (pattern) => all.filter(({ name }) => pattern.test(name)).reduce((sum, { transferSize }) => sum + transferSize, 0)
  const [paint] = performance.getEntriesByName('first-contentful-paint')
  return { firstPaint: paint ? paint.startTime : content, content, scriptBytes: bytes(/\\.js$/), styleBytes: bytes(/\\.(css|woff2)$/) }
})()`

async function addAccount(checkout: string, dataDir: string): Promise<void> {
  const program = spawn(
    process.execPath,
    [join(checkout, 'dist', 'main.js'), 'accounts', 'add', account.name, '--role', 'admin'],
    { env: { PATH: process.env.PATH, CLIPGATE_DATA_DIR: dataDir }, stdio: ['pipe', 'ignore', 'inherit'] },
  )
  program.stdin.end(`${account.password}\n`)
  const [code] = await once(program, 'exit')
  if (code !== 0) throw new Error('no account could be made')
}

async function pushFiles({ url }: Service, conversationId: string, templates: string): Promise<void> {
  await makeTemplates(templates, 100_000)
  const [mark, all] = [marks(), await readTemplates(templates, 100_000)]
  for (let n = 0; n < filesShown; n++) {
    const template = all[n % all.length]!
    await push(url, template, fileOf(template, mark()), conversationId)
  }
}
