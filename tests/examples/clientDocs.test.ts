import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { chromePath, needsBrowser } from '../browser.ts'
import { startClient } from '../client/start.ts'
import { png } from '../fixtures/files.ts'

if (!chromePath && process.env.TEST_REQUIRE === 'all') throw new Error(`no browser ${needsBrowser}`)

describe.skipIf(!chromePath)(`the snippets of docs/client.md ${needsBrowser}`, () => {
  it('send a file, cancel, and look before they send, as they stand there', async () => {
    const docs = await readFile('docs/client.md', 'utf8')
    const snippets = [...docs.matchAll(/^```js\n(.*?)^```/gms)].map(([, code]) => code!)
    expect(snippets).toHaveLength(3)
    const { page, url, attachments, issue } = await startClient()
    const open = async (snippet: string) => {
      const code = snippet
        .replaceAll('https://clipgate.example.com', url)
        .replaceAll("'clipgate/client'", "'/clipgate/index.js'")
      await page.setContent(
        '<input type="file"><progress></progress><button id="cancel">Cancel</button><p role="status"></p>',
      )
      await page.evaluate('window.ran = false')
      await page.addScriptTag({ type: 'module', content: `${code}\nwindow.ran = true` })
      await page.waitForFunction('window.ran')
    }
    const choose = ({ name, type, bytes }: Awaited<ReturnType<typeof png>>) =>
      page.setInputFiles('input', { name, mimeType: type, buffer: bytes })

    await open(snippets[0]!)
    await choose(await png('Ausweis.png'))
    await page.getByText('We have received your file “Ausweis.png”').waitFor()
    await choose({ name: 'page.html', type: 'text/html', bytes: Buffer.from('<html>') })
    await page.getByText('“page.html” is not accepted here').waitFor()
    expect((await attachments()).map(({ filename }) => filename)).toEqual(['Ausweis.png'])

    await open(snippets[1]!.replace('export async function', 'window.attachUnlessCancelled = async function'))
    const attachOne = async () =>
      `attachUnlessCancelled(new File(['hello'], 'a.txt'), ${JSON.stringify({ url, ticket: await issue() })})`
    expect(await page.evaluate(await attachOne())).toBe(true)
    await page.click('#cancel')
    expect(await page.evaluate(await attachOne())).toBe(false)

    await open(snippets[2]!)
    expect(await page.getAttribute('input', 'accept')).toContain('.jpeg')
    await choose({ name: 'page.html', type: 'text/html', bytes: Buffer.from('<html>') })
    await page.getByText('„page.html“ wird hier nicht angenommen').waitFor()
  })
})
