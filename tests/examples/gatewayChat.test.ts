import { describe, expect, it, onTestFinished } from 'vitest'
import { chatRoutes } from '../../src/cli/demoChat.ts'
import { chromePath, launchBrowser, needsBrowser } from '../browser.ts'
import { fakeEngine } from '../fixtures/engines.ts'
import { png, text } from '../fixtures/files.ts'
import { startGateway } from '../gateway/start.ts'
import { until } from '../genesys/clock.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

const scanner = fakeEngine({
  say: (bytes) => (bytes.includes('something harmful') ? { verdict: 'infected' } : { verdict: 'clean' }),
})

describe.skipIf(!chromePath)(`examples/gateway-chat ${needsBrowser}`, () => {
  it('a customer chats, sends a file that is checked first, and hears of one that is refused', async () => {
    const service = await startGateway({ overrides: { scanners: [scanner], routes: [chatRoutes] } })
    const browser = await launchBrowser()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('request', (request) => {
      const { host } = new URL(request.url())
      if (host !== new URL(service.url).host) complaints.push(request.url())
    })
    await page.goto(`${service.url}/demo/chat.html`)
    await page.getByText('You are connected.').waitFor()
    await page.getByLabel('Your message').fill('Hello <b>there</b>')
    await page.getByRole('button', { name: 'Send', exact: true }).click()
    await page.getByText('Hello <b>there</b>').waitFor()
    const file = await png('Ausweis.png')
    const send = async (one: { name: string; type: string; bytes: Buffer }) => {
      await page.getByLabel('A file').setInputFiles({ name: one.name, mimeType: one.type, buffer: one.bytes })
      await page.getByRole('button', { name: 'Send file' }).click()
    }
    await send(file)
    await page.getByText('File: Ausweis.png').waitFor()
    expect(await page.textContent('[role=status]')).toBe('Ausweis.png was checked and sent.')
    await send(text('letter.txt', 'Dear Sir, something harmful'))
    await page.getByText('letter.txt was not sent').waitFor()
    expect(await page.textContent('[role=status]')).toContain('something harmful was found in it')
    await send({ name: 'page.html', type: 'text/html', bytes: Buffer.from('<html>') })
    await page.getByText('page.html was not sent').waitFor()
    await until(async () => (await service.records()).some(({ conversationId }) => conversationId !== null))
    // The connection is lost, and the chat goes on.
    await service.service.stop()
    await page.getByText('The connection was lost').waitFor()
    if (process.env.SCREENSHOTS) await page.screenshot({ path: `${process.env.SCREENSHOTS}/chat.png` })
    expect(complaints.filter((one) => !/ERR_CONNECTION|WebSocket|PUT|Failed to load/.test(one))).toEqual([])
  })
})
