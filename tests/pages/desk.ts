import { createServer } from 'node:http'
import type { Frame, Page } from 'playwright-core'
import { onTestFinished } from 'vitest'
import { freePort } from '../freePort.ts'
import { inside } from './start.ts'

/** The flags that the platform's own modules give to a widget: no downloads, no windows. */
export const ownSandbox = 'allow-scripts allow-same-origin allow-forms allow-modals'

/** An empty page on an origin of its own, as the desktop of Genesys Cloud is to us. */
export async function startDesk(): Promise<{ origin: string; port: number }> {
  const port = await freePort()
  const server = createServer((_request, response) =>
    response
      .setHeader('content-type', 'text/html')
      .end('<!doctype html><html lang="en"><title>desk</title><link rel="icon" href="data:,"><body></body></html>'),
  )
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { origin: `http://127.0.0.1:${port}`, port }
}

/** Shows an address in a frame of the desk. */
export async function frameIn(page: Page, src: string, sandbox: string): Promise<Frame> {
  await inside(page, 'desk', JSON.stringify({ src, sandbox, title: 'files', allow: 'clipboard-write' }))
  const frame = await page.waitForSelector('iframe').then((element) => element.contentFrame())
  return frame!
}
