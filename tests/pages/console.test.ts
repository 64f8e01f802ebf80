import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import { org } from '../../emulator/org.ts'
import type { Attachment } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { type Fixture, jpeg, pdf, text } from '../fixtures/files.ts'
import { eventually, keys, temporaryFolder, testEnvironment } from '../harness.ts'
import { run } from '../journeys/process.ts'
import { signInSettings } from '../people.ts'
import { chromePath, expectAccessible, needsBrowser, type Pages, picture, sharedBrowser } from './start.ts'

type Options = Parameters<ReturnType<typeof sharedBrowser>>[0]

const second = 'second-admin-key-0123456789'
const scanner = fakeEngine({
  name: 'clamd',
  say: (bytes) =>
    bytes.includes('something harmful') ? { verdict: 'infected', detail: 'Eicar' } : { verdict: 'clean' },
})
const harmful = (name: string) => text(name, `Dear Sir, something harmful is in ${name}`)
const mislabelled = async (name: string): Promise<Fixture> => ({ ...(await jpeg('photo.jpg', 300)), name })

const rowOf = (page: Page, name: string) => page.locator('tbody tr').filter({ hasText: name })
const part = (page: Page, name: string) =>
  page.getByRole('navigation', { name: 'Parts of the console' }).getByRole('link', { name })
const heading = (page: Page, name: string) => page.getByRole('heading', { level: 1, name, exact: true })
const dialog = (page: Page) => page.getByRole('dialog')

/** Answers the question that the page asks, with a reason. */
async function decide(page: Page, action: string, reason: string | null): Promise<void> {
  if (reason !== null) await dialog(page).getByLabel('Reason').fill(reason)
  await dialog(page).getByRole('button', { name: action, exact: true }).click()
  await dialog(page).waitFor({ state: 'detached' })
}

describe.skipIf(!chromePath)(`the console ${needsBrowser}`, () => {
  const start = sharedBrowser()

  async function started({
    policy,
    who = 'supervisor',
    path = '/console',
    ...options
  }: Options & { policy?: object; who?: 'agent' | 'supervisor'; path?: string } = {}) {
    const file = join(await temporaryFolder(), 'policy.json')
    await writeFile(file, JSON.stringify(policy ?? { quarantine: { codes: ['malware', 'type_mismatch'] } }))
    const pages = await start({
      ...options,
      env: {
        ...signInSettings,
        POLICY_FILE: file,
        API_KEYS: `all:push+read+admin:${keys.all},second:admin+read:${second},read:read:${keys.read},push:push:${keys.push}`,
        ...options.env,
      },
      overrides: { scanners: [scanner], ...options.overrides },
    })
    pages.emulator.setSwitches({ signIn: who })
    return { ...pages, enter: () => signedIn(pages, path) }
  }

  async function signedIn(pages: Pages, path: string): Promise<Page> {
    const page = await pages.open(path)
    await page.getByRole('link', { name: 'Sign in' }).click()
    await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).click()
    await page.waitForURL((url) => url.pathname === path.split('?')[0])
    return page
  }

  const pushed = async (pages: Pages, file: Fixture, conversationId = pages.conversation()): Promise<Attachment> =>
    (await pages.push(file, { conversationId })).body.attachment

  it('asks who is not signed in to sign in, leads back to where they wanted to go, and ends with the session', async () => {
    const pages = await started({ path: '/console/files?state=accepted' })
    const errors: string[] = []
    pages.context.on('console', (message) => message.type() === 'error' && errors.push(message.text()))
    const first = await pages.open('/console/files')
    await first.getByRole('heading', { name: 'Please sign in' }).waitFor()
    await expectAccessible(first)
    const page = await pages.enter()
    await heading(page, 'Files').waitFor()
    expect(await page.getByLabel('State').inputValue()).toBe('accepted')
    await page.getByText(org.supervisor.name).waitFor()
    expect(errors).toEqual([])
    // In another tab the session ends; the next thing that is asked for is not shown.
    const other = await pages.open('/console/audit')
    await other.getByRole('button', { name: 'Sign out' }).click()
    await other.getByRole('heading', { name: 'Please sign in' }).waitFor()
    await part(page, 'Audit trail').click()
    await page.getByRole('heading', { name: 'Please sign in' }).waitFor()
    expect(await page.locator('table').count()).toBe(0)
    // And nothing of what was shown stays in the browser.
    expect(await page.evaluate('Object.keys({ ...localStorage, ...sessionStorage })')).toEqual([])
    expect(await page.evaluate('caches.keys()')).toEqual([])
  })

  it('shows nothing more when the session has ended, though nobody asks for anything', async () => {
    // Of those who watch, each is looked at again every 30 s: here sooner.
    const wait: Clock['wait'] = (ms, signal) => systemClock.wait(ms === 15_000 ? 50 : ms, signal)
    const { enter, ...pages } = await started({
      path: '/console/files',
      overrides: { clock: { ...systemClock, wait } },
    })
    const { id } = await pushed(pages, text('secret.txt'))
    const page = await enter()
    for (const path of ['/console/files', `/console/files/${id}`]) {
      if (path !== '/console/files') {
        await page.getByRole('link', { name: 'Sign in' }).click()
        await page.getByRole('button', { name: 'Sign in with Genesys Cloud' }).click()
        await page.waitForURL((url) => url.pathname === '/console/files')
        await page.goto(pages.url + path)
      }
      await page.getByText('secret.txt').first().waitFor()
      await page.evaluate('fetch("/v1/session", { method: "DELETE" })')
      await page.getByRole('heading', { name: 'Please sign in' }).waitFor()
      expect(await page.getByText('secret.txt').count()).toBe(0)
    }
  })

  it('says so when nobody could be signed out, and does not look as if they were', async () => {
    const { enter } = await started({ path: '/console/files' })
    const page = await enter()
    await page.route('**/v1/session', (route) =>
      route.request().method() === 'DELETE'
        ? route.fulfill({ status: 503, contentType: 'application/problem+json', body: '{"code":"unavailable"}' })
        : route.continue(),
    )
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByText('The service cannot do this right now.').waitFor()
    await page.unroute('**/v1/session')
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('heading', { name: 'Please sign in' }).waitFor()
  })

  it('is not for agents', async () => {
    const { enter } = await started({ who: 'agent' })
    const page = await enter()
    await page.getByRole('heading', { name: 'The console is not for you' }).waitFor()
    await page.getByText(`You are signed in as ${org.agent.name}`).waitFor()
    expect(await page.getByRole('navigation').count()).toBe(0)
    await expectAccessible(page)
  })

  it('shows who may only read the files, and nothing to change them by', async () => {
    const pages = await started()
    const added = run(
      ['accounts', 'add', 'rita', '--role', 'reader'],
      testEnvironment(pages.dataDir, 'http://127.0.0.1:9'),
      [],
      'correct horse battery\n',
    )
    expect(await added.ended).toBe(0)
    const { id } = await pushed(pages, text('letter.txt'))
    const page = await pages.open('/sign-in?next=/console')
    await page.getByLabel('Name').fill('rita')
    await page.getByLabel('Password').fill('correct horse battery')
    await page.keyboard.press('Enter')
    await page.waitForURL(`${pages.url}/console/files`)
    expect(await page.getByRole('navigation').getByRole('link').allTextContents()).toEqual([
      expect.stringContaining('Files'),
    ])
    await page.getByRole('link', { name: 'letter.txt' }).click()
    await page.getByRole('button', { name: 'Preview: letter.txt' }).waitFor()
    await page.getByText(id).waitFor()
    for (const action of ['Hold back', 'Erase', 'Download original'])
      expect(await page.getByRole('button', { name: action }).count()).toBe(0)
    await page.goto(`${pages.url}/console/quarantine`)
    await page.getByRole('heading', { name: 'There is nothing at this address' }).waitFor()
  })

  it('tells how the installation does, by outcome and by way in', async () => {
    const pages = await started()
    await pushed(pages, text('one.txt', 'one'))
    await pushed(pages, text('two.txt', 'two'))
    await pushed(pages, harmful('three.txt'))
    const page = await pages.enter()
    await heading(page, 'Overview').waitFor()
    const figure = (label: string) => page.locator('.figures li').filter({ hasText: label }).locator('strong')
    await figure('Files that came in').waitFor()
    expect(await figure('Files that came in').textContent()).toBe('3')
    expect(await figure('Held in quarantine').textContent()).toBe('1')
    await page.getByRole('img', { name: /^Files by day and outcome, / }).waitFor()
    await page.getByText('As a table').click()
    const days = page.getByRole('table', { name: /^Files by day/ })
    expect(await days.getByRole('columnheader').allTextContents()).toEqual(['Day', 'Accepted', 'Held back'])
    expect((await days.locator('tbody td').allTextContents()).slice(1).map((cell) => cell.trim())).toEqual(['2', '1'])
    expect(await rowOf(page, 'clamd').textContent()).toContain('Works')
    await expectAccessible(page)
    await page.getByLabel('Divided by').selectOption('door')
    await page.getByRole('img', { name: /way in/ }).waitFor()
    await page.getByLabel('What is counted').selectOption('bytes')
    await page.getByRole('img', { name: /^Size of files by day and way in/ }).waitFor()
    expect(new URL(page.url()).search).toBe('?days=30&measure=bytes&by=door')
    await page.goBack()
    await page.getByRole('img', { name: /^Files by day and way in/ }).waitFor()
    await figure('Held in quarantine').getByRole('link').click()
    await heading(page, 'Quarantine').waitFor()
  })

  it('finds files by name, state and conversation, page by page, and offers what comes meanwhile', async () => {
    const pages = await started({ path: '/console/files' })
    const conversationId = pages.conversation()
    for (let i = 0; i < 52; i++) await pages.push(text(`note ${i}.txt`, `note ${i}`))
    await pushed(pages, text('Ausweis Müller.txt'), conversationId)
    await pushed(pages, await pdf('contract.pdf'), conversationId)
    await pushed(pages, harmful('letter.txt'), conversationId)
    const page = await pages.enter()
    await rowOf(page, 'contract.pdf').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(50)
    expect(await rowOf(page, 'letter.txt').textContent()).toContain('Held back')
    await page.getByRole('link', { name: 'Next page' }).click()
    await rowOf(page, 'note 0.txt').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(5)
    await page.getByRole('link', { name: 'First page' }).click()
    await rowOf(page, 'contract.pdf').waitFor()

    await pushed(pages, text('late.txt'))
    await page.getByText('1 new file has come').waitFor()
    expect(await rowOf(page, 'late.txt').count()).toBe(0)
    await page.getByRole('button', { name: 'Show' }).click()
    await rowOf(page, 'late.txt').waitFor()

    await page.getByLabel('Name, id or SHA-256').fill('müll')
    await page.keyboard.press('Enter')
    await rowOf(page, 'contract.pdf').waitFor({ state: 'detached' })
    await rowOf(page, 'Ausweis').waitFor()
    expect(await page.locator('tbody tr td:first-child').allTextContents()).toEqual([
      expect.stringContaining('Ausweis Müller.txt'),
    ])
    await page.getByRole('link', { name: 'Clear' }).click()
    await rowOf(page, 'contract.pdf').waitFor()
    await page.getByLabel('State').selectOption('quarantined')
    await rowOf(page, 'contract.pdf').waitFor({ state: 'detached' })
    await rowOf(page, 'letter.txt').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(1)
    await rowOf(page, 'letter.txt').getByRole('link', { name: conversationId }).click()
    await rowOf(page, 'Ausweis').waitFor()
    expect(await page.locator('tbody tr').count()).toBe(3)
    await page.getByLabel('From', { exact: true }).fill('2020-01-01')
    await page.getByLabel('Up to and with').fill('2020-01-31')
    await page.getByRole('button', { name: 'Search' }).click()
    await page.getByRole('heading', { name: 'Nothing was found' }).waitFor()
    await expectAccessible(page)
  })

  it('shows one file: what it is, what was done with it, and by whom', async () => {
    const pages = await started({ env: { CONFIRM: 'message' }, path: '/console/files' })
    const conversationId = pages.conversation()
    const { id, sha256 } = await pushed(pages, await jpeg('Ausweis.jpg', 400), conversationId)
    await eventually(
      async () => (await pages.get<Attachment>(`/v1/attachments/${id}`)).body.confirmation?.state,
      (state) => state === 'delivered',
    )
    const page = await pages.enter()
    await page.getByRole('link', { name: 'Ausweis.jpg' }).click()
    await heading(page, 'File').waitFor()
    const fact = (name: string) => page.locator('.pairs div').filter({ hasText: name }).locator('dd')
    expect(await fact('SHA-256').textContent()).toBe(sha256)
    expect(await fact('Confirmation').textContent()).toContain('Delivered, as a message')
    await page.getByRole('button', { name: 'Preview: Ausweis.jpg' }).click()
    await page.getByRole('img', { name: 'Preview of Ausweis.jpg' }).waitFor()
    await page.getByRole('button', { name: 'Copy link: Ausweis.jpg' }).click()
    await page.getByRole('textbox', { name: 'Link' }).waitFor()
    await page.reload()
    const story = page.locator('.story li')
    await story.filter({ hasText: 'Opened' }).first().waitFor()
    const told = (await story.locator('strong').allTextContents()).filter((text) => text !== 'Opened')
    expect(told).toEqual([
      'Came in: Webhook',
      'clamd: nothing harmful found',
      'Judged',
      'Confirmation: Delivered',
      'Link made',
    ])
    expect(await story.filter({ hasText: 'Opened' }).first().textContent()).toContain(`user:${org.supervisor.id}`)
    expect(await story.filter({ hasText: 'Record shown' }).count()).toBe(0)
    await page.getByLabel('Show who only looked').check()
    await story.filter({ hasText: 'Record shown' }).first().waitFor()
    await expectAccessible(page)
    // A link that somebody made is ended by who looks after the installation.
    await page.getByRole('button', { name: 'End link' }).click()
    await page.getByText('Nobody holds a link to it.').waitFor()
  })

  it('takes a file back, lets it through again, and erases it, each after it was asked', async () => {
    const pages = await started()
    const conversationId = pages.conversation()
    const { id } = await pushed(pages, text('letter.txt'), conversationId)
    const page = await signedIn(pages, `/console/files/${id}`)
    const button = (name: string) => page.locator('main > .choices').getByRole('button', { name, exact: true })
    const card = page.locator('conversation-file')
    const state = async () => (await pages.get<Attachment>(`/v1/attachments/${id}`)).body.state

    await button('Hold back').click()
    await dialog(page).getByText('Nobody can open it until somebody decides.').waitFor()
    await expectAccessible(page)
    await dialog(page).getByRole('button', { name: 'Hold back' }).click()
    await dialog(page).getByText('Please give a reason.').waitFor()
    // Nothing happens to who thinks better of it, and the keyboard is back where it was.
    await page.keyboard.press('Escape')
    await dialog(page).waitFor({ state: 'detached' })
    expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Hold back')
    expect(await state()).toBe('accepted')

    await page.keyboard.press('Enter')
    await decide(page, 'Hold back', 'to be looked at')
    await card.getByText('Held back', { exact: true }).waitFor()
    await button('Release').click()
    await decide(page, 'Release', 'is harmless')
    await card.getByText('Accepted', { exact: true }).waitFor()
    await page.locator('.story li').filter({ hasText: 'is harmless' }).waitFor()

    await button('Erase').click()
    await decide(page, 'Erase', null)
    await page
      .locator('.notice')
      .getByText(/Erased. Digest of the record as it was: [0-9a-f]{64}/)
      .waitFor()
    await card.getByText('Erased', { exact: true }).waitFor()
    expect(await state()).toBe('erased')
    for (const name of ['Hold back', 'Release', 'Destroy', 'Erase']) expect(await button(name).count()).toBe(0)
  })

  it('follows a file that changes while it is looked at', async () => {
    const pages = await started()
    const conversationId = pages.conversation()
    const { id } = await pushed(pages, text('letter.txt'), conversationId)
    const page = await signedIn(pages, `/console/files/${id}`)
    await page.locator('conversation-file').getByText('Accepted', { exact: true }).waitFor()
    const held = await decideByKey(pages, id, 'hold', keys.all)
    expect(held).toBe(200)
    await page.locator('conversation-file').getByText('Held back', { exact: true }).waitFor()
    await page.locator('.story li').filter({ hasText: 'by a script' }).waitFor()
  })

  it('has a desk for what is held: why, what it looks like, and two persons to release it', async () => {
    const pages = await started({
      policy: { quarantine: { codes: ['malware', 'type_mismatch'], secondPerson: true } },
      path: '/console/quarantine',
    })
    const photo = await pushed(pages, await mislabelled('photo.png'))
    const letter = await pushed(pages, harmful('letter.txt'))
    const page = await pages.enter()
    await rowOf(page, 'photo.png').waitFor()
    expect(await rowOf(page, 'photo.png').textContent()).toContain('Its name does not match what is in it.')
    expect(await rowOf(page, 'letter.txt').textContent()).toContain('clamd found something harmful')
    await expectAccessible(page)
    await page.getByRole('link', { name: 'photo.png' }).click()
    await page.getByRole('button', { name: 'Preview: photo.png' }).click()
    await page.getByRole('img', { name: 'Preview of photo.png' }).waitFor()
    expect(await page.getByRole('button', { name: 'Download' }).count()).toBe(0)
    await page.goto(`${pages.url}/console/files/${letter.id}`)
    await page.getByRole('button', { name: 'Preview: letter.txt' }).click()
    await page.getByText('There is no preview of this file.').waitFor()

    await part(page, 'Quarantine').click()
    await rowOf(page, 'photo.png').getByRole('button', { name: 'Release' }).click()
    await dialog(page).getByText('Two persons must agree here').waitFor()
    await decide(page, 'Release', 'a photo with a wrong ending')
    await page.locator('.notice').getByText('Your vote is on record.').waitFor()
    await rowOf(page, 'photo.png')
      .getByText(/user:.* asked for its release/)
      .waitFor()
    // Once more by the same person is no second one.
    await rowOf(page, 'photo.png').getByRole('button', { name: 'Release' }).click()
    await decide(page, 'Release', 'once more')
    expect((await pages.get<Attachment>(`/v1/attachments/${photo.id}`)).body.state).toBe('quarantined')
    expect(await decideByKey(pages, photo.id, 'release', second)).toBe(200)
    await rowOf(page, 'letter.txt').getByRole('button', { name: 'Destroy' }).click()
    await decide(page, 'Destroy', 'is harmful')
    await page.getByRole('heading', { name: 'Nothing is held' }).waitFor()
    expect((await pages.get<Attachment>(`/v1/attachments/${letter.id}`)).body.state).toBe('refused')
    const rows = (await pages.get<{ items: { what: string; who: string; detail: string }[] }>('/v1/audit?what=destroy'))
      .body
    expect(rows.items).toMatchObject([{ who: `user:${org.supervisor.id}`, detail: 'is harmful' }])
  })

  it('says what somebody else was quicker with', async () => {
    const pages = await started({ path: '/console/quarantine' })
    const { id } = await pushed(pages, harmful('letter.txt'))
    const page = await pages.enter()
    await rowOf(page, 'letter.txt').getByRole('button', { name: 'Destroy' }).click()
    expect(await decideByKey(pages, id, 'destroy', second)).toBe(200)
    await dialog(page).getByLabel('Reason').fill('is harmful')
    await dialog(page).getByRole('button', { name: 'Destroy' }).click()
    await dialog(page).getByText('This is not possible as things stand').waitFor()
    await page.keyboard.press('Escape')
  })

  it('lists confirmations, sends again what was given up, and drops what is told otherwise', async () => {
    const pages = await started({ env: { CONFIRM: 'message' }, path: '/console/confirmations?state=parked' })
    // No conversation has this id, so nothing can be said there.
    const { id } = await pushed(pages, text('letter.txt'), 'nowhere')
    await eventually(
      async () => (await pages.get<Attachment>(`/v1/attachments/${id}`)).body.confirmation?.state,
      (state) => state === 'parked',
    )
    const page = await pages.enter()
    await rowOf(page, id).waitFor()
    await expectAccessible(page)
    await rowOf(page, id).getByRole('button', { name: 'Send again' }).click()
    await page.locator('.notice').getByText('It is due again.').waitFor()
    await page.goto(`${pages.url}/console/confirmations?state=parked`)
    await eventually(
      async () => {
        await page.reload()
        await heading(page, 'Confirmations').waitFor()
        await page.locator('table, .blank h2').waitFor()
        return rowOf(page, id).count()
      },
      (count) => count === 1,
    )
    await rowOf(page, id).getByRole('button', { name: 'Drop' }).click()
    await decide(page, 'Drop', 'told by telephone')
    await page.locator('.notice').getByText('It was dropped.').waitFor()
    await page.getByLabel('State').selectOption('dropped')
    await rowOf(page, id).waitFor()
  })

  it('shows the policy, and where Genesys Cloud lets in something else', async () => {
    const pages = await started({ path: '/console/policy' })
    const page = await pages.enter()
    await page.getByRole('table', { name: 'Types' }).getByText('application/pdf').waitFor()
    await page.getByText('Something harmful was found in it. Its name does not match what is in it.').waitFor()
    const differences = page.getByRole('table', { name: 'Differences to Genesys Cloud' })
    await differences.getByText('Only there').waitFor()
    await differences.getByText('profile "Default" (webMessagingDefault)').waitFor()
    await expectAccessible(page)
  })

  it('searches the audit trail, and leads from a row to its file', async () => {
    const pages = await started({ path: '/console/audit' })
    const { id } = await pushed(pages, text('letter.txt'))
    const page = await pages.enter()
    await rowOf(page, 'Signed in').waitFor()
    await page.getByLabel('What').selectOption('take')
    await rowOf(page, 'Signed in').waitFor({ state: 'detached' })
    await rowOf(page, id).waitFor()
    expect(await page.locator('tbody tr').count()).toBe(1)
    await expectAccessible(page)
    await page.getByRole('link', { name: id }).click()
    await page.getByRole('heading', { name: 'letter.txt' }).waitFor()
    await page.goBack()
    await page.getByLabel('Who').fill('nobody')
    await page.keyboard.press('Enter')
    await page.getByRole('heading', { name: 'Nothing was found' }).waitFor()
  })

  it('tells whether everything works, and which keys files need', async () => {
    const pages = await started({ path: '/console/health' })
    await pushed(pages, text('letter.txt'))
    const page = await pages.enter()
    await page.getByText('Takes files in').waitFor()
    const key = page.getByRole('table', { name: 'Master keys' }).locator('tbody tr')
    await key.waitFor()
    expect(await key.textContent()).toMatch(/Current\s*1/)
    await page.getByRole('table', { name: 'Scan engines' }).getByText('clamd').waitFor()
    await expectAccessible(page)
  })

  it('renders hostile names and reasons harmless', async () => {
    const pages = await started({ path: '/console/files' })
    const name = '<img src=x onerror=alert(1)>"\u202efdp.txt'
    await pushed(pages, text(name))
    await pushed(pages, { name: 'page.svg', type: 'image/svg+xml', bytes: Buffer.from('<svg onload="alert(1)"/>') })
    const page = await pages.enter()
    await rowOf(page, 'page.svg').waitFor()
    const shown = await page.locator('tbody bdi').allTextContents()
    expect(shown.some((text) => text.includes('<img src=x onerror=alert(1)>'))).toBe(true)
    expect(shown.join('')).not.toContain('\u202e')
    expect(await page.locator('tbody img').count()).toBe(0)
    await page.getByRole('link', { name: '<img src=x' }).click()
    await heading(page, 'File').waitFor()
    await page.getByRole('button', { name: /^Hold back/ }).click()
    await decide(page, 'Hold back', '<script>alert(1)</script>')
    await page.locator('.story').getByText('<script>alert(1)</script>').waitFor()
  })

  it('is used by keyboard alone, and tells where one has come to', async () => {
    const pages = await started()
    const page = await pages.enter()
    await heading(page, 'Overview').waitFor()
    await page.keyboard.press('Tab')
    expect(await page.evaluate('document.activeElement.textContent.trim()')).toBe('Go to the content')
    await page.keyboard.press('Enter')
    expect(await page.evaluate('document.activeElement.id')).toBe('content')
    await part(page, 'Quarantine').focus()
    await page.keyboard.press('Enter')
    await heading(page, 'Quarantine').waitFor()
    expect(await page.evaluate('document.activeElement.tagName')).toBe('H1')
    expect(await page.title()).toBe('Quarantine – Clipgate')
    expect(await part(page, 'Quarantine').getAttribute('aria-current')).toBe('page')
    await page.goBack()
    await heading(page, 'Overview').waitFor()
  })

  it('fits narrow and wide screens, in the light and in the dark, in every part and language', async () => {
    let daysAgo = 0
    const now = () => new Date(Date.now() - daysAgo * 86_400_000)
    const pages = await started({ overrides: { clock: { ...systemClock, now } } })
    const conversationId = pages.conversation()
    for (daysAgo = 24; daysAgo > 0; daysAgo--) {
      for (let i = 0; i < 1 + ((daysAgo * 7) % 5); i++)
        await pages.push(text(`note ${daysAgo} ${i}.txt`, `${daysAgo} ${i}`))
      if (daysAgo % 3 === 0) await pages.push({ name: 'page.html', type: 'text/html', bytes: Buffer.from('<html>') })
      if (daysAgo % 7 === 0) await pages.push(harmful('invoice.txt'))
    }
    const { id } = await pushed(
      pages,
      await jpeg('a name that is rather long and has no end in sight at all.jpg', 600),
      conversationId,
    )
    await pushed(pages, await pdf('contract.pdf'), conversationId)
    await pushed(pages, await mislabelled('photo.png'), conversationId)
    await pushed(pages, harmful('letter.txt'), 'nowhere')
    const page = await pages.enter()
    for (const path of [
      '',
      '/files',
      `/files/${id}`,
      '/quarantine',
      '/confirmations',
      '/policy',
      '/audit',
      '/health',
    ]) {
      for (const width of [320, 1920]) {
        await page.setViewportSize({ width, height: 900 })
        await page.goto(`${pages.url}/console${path}`)
        await page.locator('main :is(table, .figures, .story, .blank h2)').first().waitFor()
        expect([path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([path, width])
      }
      await picture(page, `console${path.replace(/\/att_.*/, '-one').replaceAll('/', '-')}`)
    }
    await page.setViewportSize({ width: 320, height: 640 })
    for (const [language, title] of [
      ['de', 'Übersicht'],
      ['es', 'Resumen'],
      ['fr', 'Vue d’ensemble'],
      ['pt', 'Visão geral'],
      ['ja', '概要'],
    ]) {
      await page.goto(`${pages.url}/console?language=${language}`)
      await heading(page, title!).waitFor()
      for (const path of ['', '/files', '/quarantine', '/confirmations', '/health']) {
        await page.goto(`${pages.url}/console${path}?language=${language}`)
        await page.locator('main :is(table, .figures, .blank h2)').first().waitFor()
        expect([language, path, await page.evaluate('document.documentElement.scrollWidth')]).toEqual([
          language,
          path,
          320,
        ])
      }
    }
  })
})

/** What somebody else decides meanwhile; the status of the answer. */
async function decideByKey({ url }: Pages, id: string, what: string, key: string): Promise<number> {
  const { status } = await fetch(`${url}/v1/attachments/${id}/${what}`, {
    method: 'POST',
    headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
    body: JSON.stringify({ reason: 'by a script' }),
  })
  return status
}
