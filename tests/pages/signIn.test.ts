import { describe, expect, it } from 'vitest'
import { chromePath, expectAccessible, needsBrowser, picture, sharedBrowser } from './start.ts'

describe.skipIf(!chromePath)(`the sign-in page ${needsBrowser}`, () => {
  const start = sharedBrowser()

  it('says in the language of who looks what it cannot do', async () => {
    const { open } = await start()
    const page = await open('/sign-in?language=de')
    await page.getByRole('heading', { name: 'Anmelden' }).waitFor()
    await page.getByRole('alert').waitFor()
    expect(await page.getByRole('alert').textContent()).toContain('fehlgeschlagen')
    await expectAccessible(page)
    await picture(page, 'sign-in')
  })
})
