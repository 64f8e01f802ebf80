import { mkdir, readFile, stat, writeFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { CredentialsRefused } from '../../src/genesys/errors.ts'
import { userGrant } from '../../src/genesys/grants.ts'
import { readUserToken, writeUserToken } from '../../src/genesys/userToken.ts'
import { begin, clientOfUser, comeBack, signIn, tokenFile } from './serviceUser.ts'
import { start } from './start.ts'

describe('signing a service user in', () => {
  it('takes a code with its proof and keeps what renews the token, for our own user only', async () => {
    const started = await start()
    const file = await tokenFile()
    const token = await signIn(started, file)
    expect(token).toMatchObject({ clientId: 'demo-page', user: { name: 'Maria Agent' } })
    expect(await readUserToken(file)).toEqual(token)
    expect((await stat(file)).mode & 0o777).toBe(0o600)
  })

  it('comes back with the state that it began with', async () => {
    const { state, url } = begin(await start())
    expect((await comeBack(url)).get('state')).toBe(state)
    expect(state.length).toBeGreaterThanOrEqual(32)
  })

  it('refuses a code that is made up, used, or of another sign-in', async () => {
    const started = await start()
    const [first, second] = [begin(started), begin(started)]
    const code = (await comeBack(first.url)).get('code') ?? ''
    await expect(first.finish('made-up')).rejects.toThrow(CredentialsRefused)
    await expect(second.finish(code)).rejects.toThrow(CredentialsRefused)
  })

  it('refuses a user who is not active', async () => {
    const started = await start()
    started.emulator.setSwitches({ userState: 'inactive' })
    const { url, finish } = begin(started)
    const code = (await comeBack(url)).get('code') ?? ''
    await expect(finish(code)).rejects.toThrow('the user is not active')
  })
})

describe("a service user's token", () => {
  it('sends where the client itself needs a user context', async () => {
    const started = await start()
    const { emulator } = started
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const file = await tokenFile()
    await signIn(started, file)
    const { id, agentCommunicationId } = emulator.createConversation()
    await expect(started.client.sendMessage(id, agentCommunicationId!, 'Hello')).rejects.toThrow('user context')
    await clientOfUser(started, file).sendMessage(id, agentCommunicationId!, 'Hello')
    expect(emulator.conversation(id).messages.map(({ text }) => text)).toEqual(['Hello'])
  })

  it('is renewed, also by a process that starts anew', async () => {
    const started = await start()
    const file = await tokenFile()
    await signIn(started, file)
    const client = clientOfUser(started, file)
    await client.checkToken()
    await started.clock.pass(86_400_000)
    await client.checkToken()
    await clientOfUser(started, file).checkToken()
    expect(started.asked('POST', '/oauth/token')).toBe(4)
  })

  it.each([
    ['nobody has signed in', async () => {}, 'no service user has signed in'],
    ['the file is damaged', (file: string) => writeFile(file, '{"clientId":"demo'), 'is damaged'],
    [
      'the sign-in was to another client',
      async (file: string) => writeUserToken(file, { ...(await readUserToken(file))!, clientId: 'other' }),
      'another client',
    ],
    [
      'it was revoked',
      async (file: string) => writeUserToken(file, { ...(await readUserToken(file))!, refreshToken: 'revoked' }),
      'refuses this client',
    ],
  ])('is refused when %s, and it says so', async (_, damage, why) => {
    const started = await start()
    const file = await tokenFile()
    if (!why.startsWith('no service')) await signIn(started, file)
    await damage(file)
    const checked = clientOfUser(started, file).checkToken()
    await expect(checked).rejects.toThrow(CredentialsRefused)
    await expect(checked).rejects.toThrow(why)
  })

  it('that is replaced with each renewal is kept before the next', async () => {
    const file = await tokenFile()
    const token = { clientId: 'c', user: { id: 'u', name: 'U' }, refreshToken: 'first' }
    await writeUserToken(file, token)
    const grant = userGrant({ clientId: 'c', clientSecret: 'secret', file })
    expect(await grant.ask()).toMatchObject({
      authorization: `Basic ${Buffer.from('c:secret').toString('base64')}`,
      form: { refresh_token: 'first' },
    })
    await grant.given({ access_token: 'a', refresh_token: 'second' })
    expect(await readUserToken(file)).toEqual({ ...token, refreshToken: 'second' })
    expect((await grant.ask()).form.refresh_token).toBe('second')
    await grant.given({ access_token: 'b' })
    expect(await readFile(file, 'utf8')).toContain('second')
  })

  it('that cannot be written is used while the process lives', async () => {
    const file = await tokenFile()
    await writeUserToken(file, { clientId: 'c', user: { id: 'u', name: 'U' }, refreshToken: 'first' })
    const grant = userGrant({ clientId: 'c', clientSecret: null, file })
    await grant.ask()
    // A folder is in the way of the new file.
    await mkdir(`${file}.new/x`, { recursive: true })
    await grant.given({ access_token: 'a', refresh_token: 'second' })
    expect((await readUserToken(file))?.refreshToken).toBe('first')
    expect((await grant.ask()).form).toMatchObject({ refresh_token: 'second', client_id: 'c' })
  })
})
