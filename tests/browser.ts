import { existsSync } from 'node:fs'
import { type Browser, chromium } from 'playwright-core'

/** A Chromium of the system's, or the one that CHROME names. Null: there is none. */
export const chromePath = [process.env.CHROME, '/usr/bin/chromium', '/usr/bin/google-chrome'].find(
  (path): path is string => path !== undefined && existsSync(path),
)

/** What stands in the names of tests that need a browser. */
export const needsBrowser = '(needs a browser: apt-get install chromium, or CHROME=/path/to/it)'

/** `more`: arguments beside those that every test needs. */
export function launchBrowser(more: string[] = []): Promise<Browser> {
  if (!chromePath) throw new Error('There is no browser.')
  return chromium.launch({
    executablePath: chromePath,
    args: [
      '--no-sandbox',
      '--disable-gpu',
      '--disable-quic',
      '--disable-background-networking',
      '--disable-sync',
      ...more,
    ],
  })
}
