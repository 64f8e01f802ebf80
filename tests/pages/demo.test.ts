import type { Page } from 'playwright-core'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { demoRoutes } from '../../src/http/pages.ts'
import { finding, gatedEngine, marker } from '../fixtures/engines.ts'
import { type Fixture, jpeg, png, text } from '../fixtures/files.ts'
import { deploymentId } from '../gateway/start.ts'
import { eventually } from '../harness.ts'
import { chromePath, expectAccessible, inside, needsBrowser, picture, sharedBrowser } from './start.ts'

describe.skipIf(!chromePath)(`/demo ${needsBrowser}`, () => {
  const start = sharedBrowser()

  async function startChat({
    scanners = [finding],
    expected = [],
    path = '/demo',
  }: {
    scanners?: (typeof finding)[]
    expected?: RegExp[]
    path?: string
  } = {}) {
    const service = await start({
      env: (emulator) => ({
        GATEWAY_DEPLOYMENTS: deploymentId,
        GENESYS_GUEST_URL: emulator,
        GENESYS_CDN_URL: emulator,
      }),
      overrides: { scanners, routes: [demoRoutes({ publicUrl: 'http://127.0.0.1', language: 'en' })] },
      expected,
    })
    const page = await service.open(path)
    await page.locator('.state.ready').waitFor()
    const { emulator } = service
    return {
      ...service,
      page,
      log: page.getByRole('log'),
      attachments: async () => (await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items,
      /** The conversation, once the customer has begun it. */
      conversationOf: async () =>
        (
          await eventually(
            () => emulator.conversations(),
            ({ length }) => length > 0,
          )
        )[0]!.id,
    }
  }

  const choose = (page: Page, ...files: Fixture[]) =>
    page.setInputFiles(
      'input[name=files]',
      files.map(({ name, type, bytes }) => ({ name, mimeType: type, buffer: bytes })),
    )
  const say = async (page: Page, words: string) => {
    await page.getByLabel('Your message').fill(words)
    await page.getByLabel('Your message').press('Enter')
  }
  const given = ({ name, type, bytes }: Fixture) => JSON.stringify({ name, type, base64: bytes.toString('base64') })

  it('a customer and an agent talk, a file is checked, sent and confirmed, and all of it is there after a reload', async () => {
    const { page, log, emulator, conversationOf, attachments } = await startChat()
    await say(page, 'Hello <b>there</b>')
    await log.getByText('Hello <b>there</b>').waitFor()
    const conversation = await conversationOf()
    emulator.agentSends(conversation, 'Please send me your passport.')
    await log.getByText('Please send me your passport.').waitFor()
    await choose(page, await jpeg('Ausweis.jpg'))
    await log.getByText('Checked and sent').waitFor()
    await log.getByText('We have received your file “Ausweis.jpg”').waitFor()
    expect((await attachments()).map(({ filename, state, door }) => [filename, state, door])).toEqual([
      ['Ausweis.jpg', 'accepted', 'gateway'],
    ])
    await choose(page, text('letter.txt', `Dear Sir, ${marker}`))
    await log.getByText('something harmful was found in it').waitFor()
    await expectAccessible(page)
    await picture(page, 'demo')
    await page.reload()
    await log.getByText('Please send me your passport.').waitFor()
    await log.getByRole('link', { name: 'Ausweis.jpg' }).waitFor()
    expect(await log.getByRole('listitem').count()).toBe(4)
  })

  it('a file goes in by drop, by paste and by the camera too', async () => {
    const { page, log, attachments } = await startChat()
    await inside(page, 'dropFile', given(await png('dropped.png')))
    await log.getByText('Checked and sent').first().waitFor()
    await inside(page, 'pasteFile', given(await png('pasted.png')))
    await eventually(
      () => log.getByText('Checked and sent').count(),
      (count) => count === 2,
    )
    const { name, type, bytes } = await jpeg('camera.jpg')
    // Offered where there is one to point: not at a desk.
    expect(await page.locator('button.camera').isVisible()).toBe(false)
    const phone = await (await page.context().browser()!.newContext({ hasTouch: true, isMobile: true })).newPage()
    await phone.goto(page.url())
    await phone.getByRole('button', { name: 'Take a photo' }).waitFor()
    await phone.context().close()
    expect(await page.getAttribute('input[name=camera]', 'capture')).toBe('environment')
    await page.setInputFiles('input[name=camera]', { name, mimeType: type, buffer: bytes })
    await eventually(
      () => log.getByText('Checked and sent').count(),
      (count) => count === 3,
    )
    expect((await attachments()).map(({ filename }) => filename).sort()).toEqual([
      'camera.jpg',
      'dropped.png',
      'pasted.png',
    ])
  })

  it('a file is seen on its way and may be cancelled: the agent never gets it', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const { page, log, emulator, conversationOf } = await startChat({ scanners: [scanner] })
    await say(page, 'Hello')
    await choose(page, await png('regretted.png'))
    await log.getByText('Being checked…').waitFor()
    await eventually(asked, (is) => is)
    await log.getByRole('button', { name: 'Cancel regretted.png' }).click()
    await log.getByText('You cancelled this file.').waitFor()
    judge()
    await choose(page, await png('kept.png'))
    await log.getByText('Checked and sent').waitFor()
    const { messages } = emulator.conversation(await conversationOf())
    expect(messages.flatMap(({ attachments }) => attachments.map(({ filename }) => filename))).toEqual(['kept.png'])
  })

  it('what the policy forbids is said before a byte is sent, in the language of the page', async () => {
    const { page, log, attachments } = await startChat({ path: '/demo?language=de' })
    await choose(page, text('page.html', '<html>'), text('leer.txt', ''))
    await log.getByText('„page.html“ wird hier nicht angenommen').waitFor()
    await log.getByText('„leer.txt“ ist leer').waitFor()
    await choose(page, { ...(await png()), name: 'rechnung.exe.png' })
    await log.getByText('Der Name der Datei passt nicht zu ihrem Inhalt.').waitFor()
    expect(await attachments()).toEqual([])
    await expectAccessible(page)
  })

  it.each(['en', 'de', 'es', 'fr', 'pt', 'ja'])('speaks %s', async (language) => {
    const { page } = await startChat({ path: `/demo?language=${language}` })
    const { default: texts } = await import(`../../web/shared/texts/demo/${language}.json`, { with: { type: 'json' } })
    expect(await page.title()).toBe(texts.title)
    expect(await page.getByRole('button', { name: texts.attach }).count()).toBe(1)
    expect(await page.getAttribute('html', 'lang')).toBe(language)
  })

  it('a hostile name is a name: it is nothing but shown', async () => {
    const { page, log } = await startChat()
    const name = '"><img src=x onerror=alert(1)>\u202Egpj.png'
    await choose(page, { ...(await png()), name })
    await log.getByText('Checked and sent').waitFor()
    expect(await log.locator('bdi').first().textContent()).toBe('"><img src=x onerror=alert(1)>gpj.png')
    await page.reload()
    await log.getByRole('link').waitFor()
    expect(await page.locator('img').count()).toBe(0)
  })

  it('a lost connection comes back: what was missed is there, and what was waiting goes on', async () => {
    const { scanner, asked, judge } = gatedEngine()
    const { page, log, emulator, conversationOf } = await startChat({ scanners: [scanner] })
    await say(page, 'Hello')
    const conversation = await conversationOf()
    await choose(page, await png('patient.png'))
    await eventually(asked, (is) => is)
    emulator.cutSockets({ kind: 'guest' })
    emulator.agentSends(conversation, 'Are you still there?')
    await page.locator('.state.lost').waitFor()
    await say(page, 'Yes I am')
    await page.locator('.state.ready').waitFor()
    await log.getByText('Are you still there?').waitFor()
    judge()
    await log.getByText('Checked and sent').waitFor()
    await eventually(
      () => emulator.conversation(conversation).messages.filter(({ direction }) => direction === 'inbound'),
      ({ length }) => length === 3,
    )
    expect(await log.getByText('Yes I am').count()).toBe(1)
  })

  it('a file whose own way breaks is sent again, and announced anew when its address is lost', async () => {
    const { page, log, context, attachments } = await startChat({ expected: [/ERR_FAILED|status of 404/] })
    const broken = ['cut', 'gone']
    const puts: string[] = []
    await context.route('**/gateway/uploads/*', async (route) => {
      puts.push(route.request().url())
      const how = broken.shift()
      if (how === 'cut') await route.abort()
      else if (how === 'gone') await route.fulfill({ status: 404 })
      else await route.continue()
    })
    await choose(page, await png('stubborn.png'))
    await log.getByText('Checked and sent').waitFor()
    expect(puts).toEqual([puts[0], puts[0], expect.not.stringContaining(puts[0]!)])
    expect(await attachments()).toHaveLength(1)
  })

  it('an ended chat says so, and another one may be begun', async () => {
    const { page, emulator, conversationOf } = await startChat()
    await say(page, 'Hello')
    emulator.guestEvent(await conversationOf(), 'expire')
    await page.getByText('This chat has ended.').waitFor()
    await page.getByRole('button', { name: 'Start a new chat' }).click()
    await page.locator('.state.ready').waitFor()
    expect(await page.getByRole('listitem').count()).toBe(0)
  })

  it('is used by the keyboard alone, and fits from 320 to 1920 pixels', async () => {
    const { page, log } = await startChat()
    await choose(page, { ...(await png()), name: `${'a-very-long-name-'.repeat(12)}.png` })
    await log.getByText('Checked and sent').waitFor()
    await page.locator('h1').click()
    const reached: string[] = []
    for (let step = 0; step < 6; step++) {
      await page.keyboard.press('Tab')
      reached.push(
        await page.evaluate<string>(
          'document.activeElement.ariaLabel || document.activeElement.textContent.trim() || document.activeElement.id',
        ),
      )
    }
    expect(reached).toEqual(expect.arrayContaining(['Messages', 'text', 'Attach files', 'Send']))
    for (const width of [320, 768, 1920]) {
      await page.setViewportSize({ width, height: 700 })
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(width)
      await page.getByRole('button', { name: 'Send', exact: true }).click({ trial: true })
    }
  })
})
