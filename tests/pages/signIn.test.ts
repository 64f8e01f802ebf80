import { describe, expect, it } from 'vitest'
import { org } from '../../emulator/org.ts'
import { testEnvironment } from '../harness.ts'
import { run } from '../journeys/process.ts'
import { signInSettings } from '../people.ts'
import { chromePath, expectAccessible, needsBrowser, type Pages, picture, sharedBrowser } from './start.ts'

const password = 'correct horse battery'

async function addAccount({ dataDir }: Pages, name: string): Promise<void> {
  const args = ['accounts', 'add', name, '--role', 'reader']
  const added = await run(args, testEnvironment(dataDir, 'http://127.0.0.1:9'), [], `${password}\n`)
  expect(await added.ended).toBe(0)
}

const signInButton = { name: 'Sign in with Genesys Cloud' }

describe.skipIf(!chromePath)(`the sign-in page ${needsBrowser}`, () => {
  const start = sharedBrowser()

  it('leads to Genesys Cloud and back to where one wanted to go, and keeps no code in the address', async () => {
    const { open, url, emulator } = await start({ env: signInSettings })
    const { id } = emulator.createConversation()
    const page = await open(`/sign-in?next=${encodeURIComponent(`/widget?conversationId=${id}`)}`)
    await page.getByRole('button', signInButton).waitFor()
    await expectAccessible(page)
    await page.getByRole('button', signInButton).click()
    await page.waitForURL(`${url}/widget?conversationId=${id}`)
    await page.getByRole('heading', { name: 'No files yet' }).waitFor()
    await page.goto(`${url}/sign-in`)
    await page.getByText(`You are signed in as ${org.agent.name}.`).waitFor()
    await page.getByRole('button', { name: 'Sign out' }).click()
    await page.getByRole('button', signInButton).waitFor()
  })

  it('takes a name and a password, and says in words what is wrong with them', async () => {
    const pages = await start({ env: signInSettings })
    await addAccount(pages, 'rita')
    const page = await pages.open('/sign-in?next=/widget')
    await page.getByLabel('Name').waitFor()
    await expectAccessible(page)
    await picture(page, 'sign-in')
    const submit = page.getByRole('button', { name: 'Sign in', exact: true })
    await submit.click()
    await page.getByText('Please enter your name and your password.').waitFor()
    await page.getByLabel('Name').fill('rita')
    await page.getByLabel('Password').fill('not the password')
    await page.keyboard.press('Enter')
    await page.getByText('Name or password is wrong.').waitFor()
    await expectAccessible(page)
    await page.getByLabel('Password').fill(password)
    await page.keyboard.press('Enter')
    await page.waitForURL(`${pages.url}/widget`)
  })

  it('says how long to wait when passwords were guessed', async () => {
    const pages = await start()
    await addAccount(pages, 'rita')
    const page = await pages.open('/sign-in')
    const submit = page.getByRole('button', { name: 'Sign in', exact: true })
    for (let attempt = 0; attempt < 6; attempt++) {
      await submit.waitFor()
      await page.getByLabel('Name').fill('rita')
      await page.getByLabel('Password').fill(`guess number ${attempt}`)
      await submit.click()
      await page.getByRole('alert').waitFor()
      await page.getByRole('button', { name: 'Sign in', exact: true, disabled: false }).waitFor()
    }
    await page.getByText(/Too many attempts. Please try again in [\d,]+ seconds./).waitFor()
  })

  it('says who was not let in, and offers to try again', async () => {
    const { open, emulator } = await start({ env: signInSettings })
    emulator.setSwitches({ signIn: 'denied' })
    const page = await open('/sign-in?language=de')
    const button = page.getByRole('button', { name: 'Mit Genesys Cloud anmelden' })
    await button.click()
    await page.getByText('Genesys Cloud hat die Anmeldung abgelehnt.').waitFor()
    emulator.setSwitches({ signIn: 'agent', userState: 'inactive' })
    await button.click()
    await page.getByText('Ihr Konto bei Genesys Cloud wird hier nicht eingelassen.').waitFor()
    expect(new URL(page.url()).search).toBe('')
  })

  it('takes no code that it did not ask for, and sends nobody elsewhere', async () => {
    // The console is a page of its own, which this is not about.
    const { open, url, emulator } = await start({
      env: signInSettings,
      expected: [/ 404 .*\/(console|favicon.ico)\)$/],
    })
    const page = await open('/sign-in?code=stolen&state=of-somebody-else')
    await page.getByText('This sign-in was not begun in this window').waitFor()
    expect(emulator.requests().some(({ path }) => path.startsWith('/oauth/token'))).toBe(false)
    for (const next of ['https://evil.example/widget', '//evil.example/widget', 'javascript:alert(1)', '/v1/session']) {
      await page.goto(`${url}/sign-in?next=${encodeURIComponent(next)}`)
      await page.getByRole('button', signInButton).click()
      await page.waitForURL((at) => at.pathname !== '/sign-in')
      expect(page.url()).toBe(`${url}/console`)
      await page.evaluate('fetch("/v1/session", { method: "DELETE" })')
    }
  })

  it('says when nobody can sign in here', async () => {
    const { open } = await start()
    const page = await open('/sign-in')
    await page.getByText('Nobody can sign in here yet.').waitFor()
    await expectAccessible(page)
  })

  it('says when the service does not answer', async () => {
    const pages = await start({ expected: [/ERR_CONNECTION_REFUSED/] })
    await addAccount(pages, 'rita')
    const page = await pages.open('/sign-in')
    await page.getByLabel('Name').fill('rita')
    await page.getByLabel('Password').fill(password)
    await pages.service.stop()
    await page.keyboard.press('Enter')
    await page.getByText('The service does not answer.').waitFor()
  })
})
