import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { chromePath, launchBrowser, needsBrowser } from '../browser.ts'
import { png } from '../fixtures/files.ts'
import { freePort } from '../freePort.ts'
import { keys, startTestService } from '../harness.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

describe.skipIf(!chromePath)(`examples/ticket-upload ${needsBrowser}`, () => {
  it('a visitor sends a file from the page, reads that it was received, and the conversation hears of it', async () => {
    const port = await freePort()
    const origin = `http://127.0.0.1:${port}`
    const service = await startTestService({ env: { CORS_ORIGINS: origin } })
    const conversationId = service.conversation()
    const backend = spawn(process.execPath, ['examples/ticket-upload/server.mjs'], {
      env: {
        PATH: process.env.PATH ?? '',
        PORT: String(port),
        CLIPGATE_URL: service.url,
        CLIPGATE_KEY: keys.push,
        CONVERSATION_ID: conversationId,
      },
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    onTestFinished(() => void backend.kill())
    await once(backend.stdout, 'data')
    const browser = await launchBrowser()
    onTestFinished(() => browser.close())
    const page = await browser.newPage()
    const complaints: string[] = []
    page.on('console', (message) => message.type() === 'error' && complaints.push(message.text()))
    page.on('request', (request) => {
      if (!request.url().startsWith(origin) && !request.url().startsWith(service.url)) complaints.push(request.url())
    })
    await page.goto(origin)
    const file = await png('Ausweis.png')
    await page.setInputFiles('#file', { name: file.name, mimeType: file.type, buffer: file.bytes })
    await page.click('button[type=submit]')
    await page.getByText('We have received your file').waitFor()
    expect(await page.textContent('[role=status]')).toBe((await service.confirmations(conversationId))[0])
    expect((await service.confirmations(conversationId))[0]).toContain('Ausweis.png')
    const { body } = await service.get<{ items: Attachment[] }>('/v1/attachments')
    expect(body.items.map((item) => [item.filename, item.conversationId, item.size])).toEqual([
      ['Ausweis.png', conversationId, file.bytes.length],
    ])
    // What is refused is said in the page, too: at once where the name tells, else when it was judged.
    await page.setInputFiles('#file', { name: 'page.html', mimeType: 'text/html', buffer: Buffer.from('<html>') })
    await page.click('button[type=submit]')
    await page.getByText('“page.html” is not accepted here').waitFor()
    expect(complaints).toEqual([])
    await page.setInputFiles('#file', { name: 'photo.png', mimeType: 'image/png', buffer: Buffer.from('<html>') })
    await page.click('button[type=submit]')
    await page.getByText('its name does not match what is in it').waitFor()
    expect(complaints.filter((text) => !text.includes('415'))).toEqual([])
  })
})
