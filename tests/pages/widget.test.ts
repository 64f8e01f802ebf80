import { readFile } from 'node:fs/promises'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { org } from '../../emulator/org.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { type Fixture, jpeg, pdf, png, text } from '../fixtures/files.ts'
import { hurriedClock } from '../genesys/clock.ts'
import { eventually, keys, sha256 } from '../harness.ts'
import { signInSettings } from '../people.ts'
import { frameIn, ownSandbox, startDesk } from './desk.ts'
import { chromePath, expectAccessible, needsBrowser, type Pages, picture, sharedBrowser } from './start.ts'

type Options = Parameters<ReturnType<typeof sharedBrowser>>[0]

const scanner = fakeEngine({
  name: 'clamd',
  say: (bytes) => (bytes.includes('something harmful') ? { verdict: 'infected' } : { verdict: 'clean' }),
})

const named = (file: Fixture, name: string): Fixture => ({ ...file, name })
const fileCalled = (page: Page, name: string) =>
  page.locator('conversation-file').filter({ has: page.getByRole('heading', { name, exact: true }) })
const action = (page: Page, name: string, label: string) =>
  fileCalled(page, name).getByRole('button', { name: `${label}: ${name}` })

/** The width of a file's thumbnail, once it is there. */
const thumbnailIn = (page: Page, name: string) =>
  eventually(
    () =>
      fileCalled(page, name)
        .locator('.thumbnail img')
        .evaluate((image) => (image as unknown as { naturalWidth: number }).naturalWidth),
    (width) => width > 0,
  )

describe.skipIf(!chromePath)(`the widget ${needsBrowser}`, () => {
  const start = sharedBrowser()

  /** Signed in, on a conversation of the agent's. */
  async function started(options: Options = {}, who: 'agent' | 'supervisor' = 'agent') {
    const pages = await start({
      ...options,
      env: { ...signInSettings, ...options.env },
      overrides: { scanners: [scanner], ...options.overrides },
    })
    pages.emulator.setSwitches({ signIn: who })
    const conversationId = pages.conversation()
    const page = await pages.open(`/widget?conversationId=${conversationId}`)
    await signIn(page)
    const push = (file: Fixture) => pages.push(file, { conversationId })
    return { ...pages, page, conversationId, push }
  }

  async function signIn(page: Page): Promise<void> {
    await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).click()
    await page.getByRole('heading', { name: 'No files yet' }).waitFor()
  }

  it('asks who is not signed in to sign in, and shows files as they come and change', async () => {
    const pages = await start({ env: signInSettings, overrides: { scanners: [scanner] } })
    const conversationId = pages.conversation()
    const page = await pages.open(`/widget?conversationId=${conversationId}`)
    await page.getByRole('heading', { name: 'Please sign in to see the files' }).waitFor()
    await expectAccessible(page)
    await signIn(page)
    await expectAccessible(page)
    await pages.push(await jpeg('Ausweis.jpg', 600), { conversationId })
    await fileCalled(page, 'Ausweis.jpg').getByText('Accepted').waitFor()
    await fileCalled(page, 'Ausweis.jpg')
      .getByText(/clamd found nothing harmful, \d/)
      .waitFor()
    // What comes is heard, too.
    expect(await page.locator('.only-heard').textContent()).toBe('Ausweis.jpg: Accepted')
    expect(await thumbnailIn(page, 'Ausweis.jpg')).toBe(160)
    await pages.push(text('letter.txt', 'Dear Sir, something harmful'), { conversationId })
    await fileCalled(page, 'letter.txt').getByText('Something harmful was found in it.').waitFor()
    await pages.push({ name: 'page.html', type: 'text/html', bytes: Buffer.from('<html>') }, { conversationId })
    await fileCalled(page, 'page.html').getByText('This kind of file is not accepted.').waitFor()
    // The newest is first.
    expect(await page.locator('conversation-file h2').allTextContents()).toEqual([
      'page.html',
      'letter.txt',
      'Ausweis.jpg',
    ])
    const { body } = await pages.get<{ items: { id: string }[] }>('/v1/attachments?q=Ausweis')
    await fetch(`${pages.url}/v1/attachments/${body.items[0]!.id}/hold`, {
      method: 'POST',
      headers: { authorization: `Bearer ${keys.all}`, 'content-type': 'application/json' },
      body: JSON.stringify({ reason: 'looked at' }),
    })
    await fileCalled(page, 'Ausweis.jpg').getByText('Held back').waitFor()
    expect(await action(page, 'Ausweis.jpg', 'Preview').count()).toBe(0)
    await expectAccessible(page)
  })

  it('previews the pages of a document, a picture, and a text as text', async () => {
    const { page, push } = await started()
    await push(await pdf('contract.pdf'))
    await push(await png('photo.png', 300))
    await push(text('notes.txt', '1 < 2 & "3" > 2\nsecond line\n'))
    await fileCalled(page, 'contract.pdf').waitFor()
    await action(page, 'contract.pdf', 'Preview').click()
    const previewed = page.getByRole('img', { name: 'Preview of contract.pdf' })
    await previewed.waitFor()
    expect(await action(page, 'contract.pdf', 'Close preview').getAttribute('aria-expanded')).toBe('true')
    await action(page, 'photo.png', 'Preview').click()
    await page.getByRole('img', { name: 'Preview of photo.png' }).waitFor()
    await action(page, 'notes.txt', 'Preview').click()
    const shown = page.getByRole('region', { name: 'Preview of notes.txt' })
    expect(await shown.textContent()).toBe('1 < 2 & "3" > 2\nsecond line\n')
    await expectAccessible(page)
    // Another file that comes leaves open what is open.
    await push(text('more.txt'))
    await fileCalled(page, 'more.txt').waitFor()
    expect(await shown.isVisible()).toBe(true)
    await action(page, 'contract.pdf', 'Close preview').click()
    await previewed.waitFor({ state: 'detached' })
  })

  it('gives an agent the safe copy, and who may have them the file as it came', async () => {
    const { page, push } = await started()
    const file = text('notes.txt', 'Grüße, 今日は\n')
    await push(file)
    const saved = async (label: string, on = page) => {
      const [download] = await Promise.all([on.waitForEvent('download'), action(on, 'notes.txt', label).click()])
      return { name: download.suggestedFilename(), bytes: await readFile((await download.path())!) }
    }
    const safe = await saved('Download safe copy')
    expect([safe.name, safe.bytes]).toEqual(['notes.txt', file.bytes])
    expect(await action(page, 'notes.txt', 'Download original').count()).toBe(0)

    const boss = await started({}, 'supervisor')
    const photo = named(await jpeg('photo.jpg', 200), 'notes.txt.jpg')
    await boss.push(photo)
    await fileCalled(boss.page, 'notes.txt.jpg').waitFor()
    const [original] = await Promise.all([
      boss.page.waitForEvent('download'),
      action(boss.page, 'notes.txt.jpg', 'Download original').click(),
    ])
    expect(sha256(await readFile((await original.path())!))).toBe(sha256(photo.bytes))
  })

  it('copies a link that works for others, until it is ended', async () => {
    const { page, push, context, url } = await started()
    await context.grantPermissions(['clipboard-write', 'clipboard-read'], { origin: url })
    const file = text('notes.txt')
    await push(file)
    await action(page, 'notes.txt', 'Copy link').click()
    await fileCalled(page, 'notes.txt').getByText('The link was copied.').waitFor()
    const link = (await page.evaluate('navigator.clipboard.readText()')) as string
    expect(link).toBe(await page.getByRole('textbox', { name: 'Link' }).inputValue())
    expect(Buffer.from(await (await fetch(link)).arrayBuffer())).toEqual(file.bytes)
    await expectAccessible(page)
    await page.getByRole('button', { name: 'End link' }).click()
    await fileCalled(page, 'notes.txt').getByText('The link has ended.').waitFor()
    expect((await fetch(link)).status).toBe(404)
  })

  it('shows the link itself where a page may not copy', async () => {
    const { page, push } = await started()
    await push(text('notes.txt'))
    await page.evaluate(
      'navigator.clipboard.writeText = () => Promise.reject(new DOMException("no", "NotAllowedError"))',
    )
    await action(page, 'notes.txt', 'Copy link').click()
    await page.locator('#page').getByText('Copy this link yourself.').waitFor()
    expect(await page.getByRole('textbox', { name: 'Link' }).inputValue()).toMatch(/\/files\//)
  })

  it('shows names that would be more than names as text', async () => {
    const { page, push } = await started()
    const names = [
      '<img src=x onerror=alert(1)>.txt',
      'invoice\u202efdp.txt',
      '><script>alert(2)</script>.txt',
      // biome-ignore lint/suspicious/noTemplateCurlyInString: a name that looks like a template.
      '${1+1}{x}.txt',
    ]
    for (const name of names) await push(text(name))
    await push(text(`${'long'.repeat(60)}.txt`))
    await eventually(
      () => page.locator('conversation-file').count(),
      (count) => count === 5,
    )
    const shown = await page.locator('conversation-file h2').allTextContents()
    expect(shown.slice(1)).toEqual([names[3], names[2], 'invoicefdp.txt', names[0]])
    expect(shown[0]!.length).toBeLessThanOrEqual(100)
    expect(await page.locator('conversation-file :is(script, h2 img)').count()).toBe(0)
    for (const width of [320, 1920]) {
      await page.setViewportSize({ width, height: 640 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
    }
  })

  it('shows nothing of a file that is a page or a drawing with scripts in it', async () => {
    const { page, push, url } = await started({ overrides: { scanners: [scanner] } })
    const script = '<script>document.title = "taken over"</script>'
    await push({
      name: 'drawing.svg',
      type: 'image/svg+xml',
      bytes: Buffer.from(`<svg xmlns="http://www.w3.org/2000/svg">${script}</svg>`),
    })
    await push(text('page.txt', `<!doctype html><html>${script}</html>`))
    await eventually(
      () => page.locator('conversation-file').count(),
      (count) => count === 2,
    )
    for (const preview of await page.getByRole('button', { name: /^Preview/ }).all()) await preview.click()
    expect(await page.title()).toBe('Files of this conversation – Clipgate')
    expect(page.url().startsWith(`${url}/widget`)).toBe(true)
  })

  it('says when a file was pulled that the agent may have seen it before', async () => {
    const puller = 'pull-only-key-0123456789'
    const { page, emulator, conversationId, url } = await started({
      env: { API_KEYS: `all:push+read+admin:${keys.all},puller:pull:${puller}` },
    })
    const { bytes } = await png()
    emulator.customerSends(conversationId, { text: 'here', file: { name: 'seen.png', mime: 'image/png', bytes } })
    const { status } = await fetch(`${url}/webhook/message`, {
      method: 'POST',
      headers: { authorization: `Bearer ${puller}`, 'content-type': 'application/json' },
      body: JSON.stringify({ conversationId }),
    })
    expect(status).toBe(200)
    await fileCalled(page, 'seen.png').getByText('you may have seen it before it was judged').waitFor()
  })

  it('says that the session has ended, with all that was shown gone, and goes on after another sign-in', async () => {
    const { page, push } = await started({ overrides: { clock: hurriedClock } })
    await push(text('secret.txt'))
    await fileCalled(page, 'secret.txt').waitFor()
    await page.evaluate('fetch("/v1/session", { method: "DELETE" })')
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
    expect(await page.locator('conversation-file').count()).toBe(0)
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).click()
    await fileCalled(page, 'secret.txt').waitFor()
  })

  it('says so when nobody could be signed out, and does not look as if they were', async () => {
    const { page, push } = await started()
    await push(text('secret.txt'))
    await fileCalled(page, 'secret.txt').waitFor()
    await page.route('**/v1/session', (route) =>
      route.request().method() === 'DELETE'
        ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"code":"unavailable"}' })
        : route.continue(),
    )
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('The service cannot do this right now.').waitFor()
    expect(await page.locator('conversation-file').count()).toBe(0)
    await page.unroute('**/v1/session')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Your session has ended' }).waitFor()
  })

  it('shows nothing of a conversation of somebody else’s, and looks again when asked to', async () => {
    const { page, emulator, push: _push, url, ...pages } = await started()
    const other = emulator.createConversation({ agentUserId: org.otherAgent.id }).id
    await pages.get(`/v1/attachments?conversationId=${other}`)
    await page.goto(`${url}/widget?conversationId=${other}`)
    await page.getByRole('heading', { name: 'This conversation is not one of yours' }).waitFor()
    await expectAccessible(page)
    await page.getByRole('button', { name: 'Look again' }).click()
    await page.getByRole('heading', { name: 'This conversation is not one of yours' }).waitFor()
    await page.goto(`${url}/widget`)
    await page.getByRole('heading', { name: 'The address of this page names no conversation' }).waitFor()
  })

  it('says when the connection is lost', async () => {
    const { page, push, service } = await started({
      expected: [/ERR_CONNECTION_REFUSED|ERR_INCOMPLETE_CHUNKED|ERR_EMPTY/],
    })
    await push(text('notes.txt'))
    await fileCalled(page, 'notes.txt').locator('gux-icon svg').waitFor({ state: 'attached' })
    await service.stop()
    await page.getByText('The connection is lost.').waitFor()
    expect(await fileCalled(page, 'notes.txt').isVisible()).toBe(true)
    await action(page, 'notes.txt', 'Copy link').click()
    await page.getByText('The service does not answer.').waitFor()
    await expectAccessible(page)
  })

  it('is used with the keyboard alone', async () => {
    const { page, push } = await started()
    await push(text('notes.txt', 'a text\n'))
    await fileCalled(page, 'notes.txt').waitFor()
    const focused = () =>
      page.evaluate('document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent.trim()')
    await page.evaluate('document.activeElement.blur()')
    const order: unknown[] = []
    for (let tabs = 0; tabs < 5; tabs++) {
      await page.keyboard.press('Tab')
      order.push(await focused())
    }
    expect(order).toEqual([
      'Sign out',
      'Switch between light and dark',
      'Preview: notes.txt',
      'Download safe copy: notes.txt',
      'Copy link: notes.txt',
    ])
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Shift+Tab')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Preview of notes.txt' }).waitFor()
    expect(await focused()).toBe('Close preview: notes.txt')
    await page.keyboard.press('Enter')
    await page.getByRole('region', { name: 'Preview of notes.txt' }).waitFor({ state: 'detached' })
  })

  it('is light or dark as the system is, or as it was chosen', async () => {
    const { page } = await started()
    const ground = () => page.evaluate('getComputedStyle(document.documentElement).backgroundColor')
    await page.emulateMedia({ colorScheme: 'light' })
    const light = await ground()
    await page.getByRole('button', { name: 'Switch between light and dark' }).click()
    const dark = await ground()
    expect(dark).not.toBe(light)
    await page.reload()
    await page.getByRole('heading', { name: 'No files yet' }).waitFor()
    expect(await ground()).toBe(dark)
  })
})

describe.skipIf(!chromePath)(`the widget in a frame of another origin ${needsBrowser}`, () => {
  const start = sharedBrowser()

  async function framed(sandbox: string, { faults = false } = {}) {
    const desk = await startDesk()
    const pages = await start({
      env: { ...signInSettings, FRAME_ANCESTORS: desk.origin },
      overrides: { scanners: [scanner] },
      origins: [desk.origin],
      expected: [/ 503 .*oauth/, /allow-downloads|Download is disallowed/, /^Blocked opening .*allow-popups/],
    })
    const conversationId = pages.conversation()
    if (faults) pages.emulator.setFaults([{ route: 'GET /oauth/authorize', status: 503, times: 1 }])
    const page = await pages.context.newPage()
    await page.goto(desk.origin)
    const query = new URLSearchParams({
      conversationId,
      language: 'de',
      gcHostOrigin: desk.origin,
      gcTargetEnv: 'prod',
    })
    const frame = await frameIn(page, `${pages.url}/widget?${query}`, sandbox)
    const heard = () => page.evaluate('window.heard') as Promise<{ data: Record<string, unknown>; origin: string }[]>
    return { ...pages, page, frame, desk, conversationId, heard }
  }

  it('signs in by itself within the sandbox that the platform gives, and says why no download may begin there', async () => {
    const { frame, page, push, conversationId } = await framed(ownSandbox)
    await frame.getByRole('heading', { name: 'Noch keine Dateien' }).waitFor()
    await push(text('notes.txt'), { conversationId })
    await frame.getByRole('button', { name: 'Vorschau: notes.txt' }).click()
    await frame.getByRole('region', { name: 'Vorschau von notes.txt' }).waitFor()
    await frame.getByRole('button', { name: 'Sichere Kopie herunterladen: notes.txt' }).click()
    await frame.locator('#page').getByText('braucht').filter({ hasText: 'allow-downloads' }).waitFor()
    await expectAccessible(page, frame)
  })

  it('downloads where the sandbox allows it', async () => {
    const { frame, page, push, conversationId } = await framed(`${ownSandbox} allow-downloads`)
    const file = text('notes.txt')
    await frame.getByRole('heading', { name: 'Noch keine Dateien' }).waitFor()
    await push(file, { conversationId })
    const [download] = await Promise.all([
      page.waitForEvent('download'),
      frame.getByRole('button', { name: 'Sichere Kopie herunterladen: notes.txt' }).click(),
    ])
    expect(await readFile((await download.path())!)).toEqual(file.bytes)
  })

  it('puts a sentence for the customer into the agent’s message box', async () => {
    const { frame, push, conversationId, heard, url } = await framed(ownSandbox)
    await frame.getByRole('heading', { name: 'Noch keine Dateien' }).waitFor()
    await push(text('letter.txt', 'something harmful'), { conversationId })
    await frame.getByRole('button', { name: 'Der Kundschaft sagen: letter.txt' }).click()
    await frame.locator('#page').getByText('Ein Satz steht jetzt in Ihrem Nachrichtenfeld.').waitFor()
    const told = await eventually(heard, (all) => all.some(({ data }) => data.action === 'proposeInteractionMessage'))
    const { data, origin } = told.find(({ data }) => data.action === 'proposeInteractionMessage')!
    expect([origin, data]).toMatchObject([
      url,
      {
        protocol: 'purecloud-client-apps',
        mode: 'insert',
        message: 'Wir konnten Ihre Datei „letter.txt“ nicht annehmen. Darin wurde etwas Schädliches gefunden.',
      },
    ])
  })

  it('signs in by a window where the login cannot be shown in a frame', async () => {
    const { page, frame, url, conversationId } = await framed(`${ownSandbox} allow-popups`, { faults: true })
    // Nobody comes back from there: the agent opens the widget once more.
    await eventually(
      () => frame.url(),
      (at) => at.includes('/oauth/authorize'),
    )
    await frame.waitForLoadState()
    await frame.goto(`${url}/widget?conversationId=${conversationId}&language=de`)
    await frame.getByRole('heading', { name: 'Bitte melden Sie sich an' }).waitFor()
    await expectAccessible(page, frame)
    await frame.getByRole('button', { name: 'In einem neuen Fenster anmelden' }).click()
    await frame.getByRole('heading', { name: 'Noch keine Dateien' }).waitFor()
  })

  it('says so where it may open no window', async () => {
    const { frame, url, conversationId } = await framed(ownSandbox, { faults: true })
    await eventually(
      () => frame.url(),
      (at) => at.includes('/oauth/authorize'),
    )
    await frame.waitForLoadState()
    await frame.goto(`${url}/widget?conversationId=${conversationId}&language=de`)
    await frame.getByRole('button', { name: 'In einem neuen Fenster anmelden' }).click()
    await frame.getByText('Wenn sich das Fenster nicht geöffnet hat').waitFor()
    await frame.getByRole('button', { name: 'Hier noch einmal versuchen' }).click()
    await frame.getByRole('heading', { name: 'Noch keine Dateien' }).waitFor()
  })

  it('is not shown by anybody else', async () => {
    const stranger = await startDesk()
    const pages = await start({ env: signInSettings, origins: [stranger.origin], expected: [/frame-ancestors/] })
    const page = await pages.context.newPage()
    await page.goto(stranger.origin)
    const frame = await frameIn(page, `${pages.url}/widget?conversationId=one`, ownSandbox)
    await eventually(
      () => frame.url(),
      (at) => at.startsWith('chrome-error:'),
    )
  })
})

describe.skipIf(!chromePath)(`the pictures of the docs, kept with SCREENSHOTS=docs/images ${needsBrowser}`, () => {
  const start = sharedBrowser()

  it('are taken', async () => {
    const pages: Pages = await start({ env: signInSettings, overrides: { scanners: [scanner] } })
    const conversationId = pages.conversation()
    const page = await pages.open(`/widget?conversationId=${conversationId}`)
    await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).waitFor()
    await picture(page, 'widget-signed-out', 360)
    await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).click()
    await page.getByRole('heading', { name: 'No files yet' }).waitFor()
    await picture(page, 'widget-empty', 360)
    const bytes = await readFile(new URL('../../demo/photo.jpg', import.meta.url))
    await pages.push({ name: 'photo.jpg', type: 'image/jpeg', bytes }, { conversationId })
    await pages.push(text('letter.txt', 'something harmful'), { conversationId })
    await pages.push(await pdf('contract.pdf', 'This is the contract that you asked for.'), { conversationId })
    await action(page, 'contract.pdf', 'Preview').waitFor()
    for (const name of ['photo.jpg', 'contract.pdf']) await thumbnailIn(page, name)
    await picture(page, 'widget')
    await action(page, 'contract.pdf', 'Preview').click()
    await page.getByRole('img', { name: 'Preview of contract.pdf' }).waitFor()
    await picture(page, 'widget-preview', 1280)
  })
})
