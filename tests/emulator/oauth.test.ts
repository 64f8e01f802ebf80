import { describe, expect, it } from 'vitest'
import { basic, membersOf, read, sample, start, tokenRequest, withToken } from './start.ts'

const me = '/api/v2/tokens/me'

describe('a token', () => {
  it('is given for the id and secret of the client', async () => {
    const { platform } = await start()
    const body = await read(platform('/oauth/token', tokenRequest()))
    expect(body).toEqual({ access_token: expect.any(String), token_type: 'bearer', expires_in: 86399 })
    expect(membersOf(body)).toEqual(membersOf(sample('oauth.token.response')))
  })

  it('opens the Platform API, which says whose it is', async () => {
    const { client } = await start()
    const call = await client()
    const body = await read(call('GET', me))
    expect(membersOf(body)).toEqual(membersOf(sample('tokens.me.client.response')))
    expect(body).toMatchObject({ OAuthClient: { id: 'demo-client', authorizedGrantType: 'CLIENT-CREDENTIALS' } })
  })

  it('is not known after it was revoked', async () => {
    const { emulator, platform, login } = await start()
    const token = await login()
    expect(emulator.revokeTokens()).toEqual({ revoked: 1 })
    const answer = await platform(me, withToken(token))
    expect(answer.status).toBe(401)
    expect(await read(answer)).toMatchObject({ code: 'bad.credentials' })
  })

  it('lives as long as the switch says, to the second', async () => {
    const { emulator, platform, login, passSeconds } = await start()
    emulator.setSwitches({ tokenLifetimeSeconds: 60 })
    const token = await login()
    passSeconds(59)
    expect((await platform(me, withToken(token))).status).toBe(200)
    passSeconds(1)
    const answer = await platform(me, withToken(token))
    expect(answer.status).toBe(401)
    expect(await read(answer)).toMatchObject({ code: 'credentials.expired' })
  })
})

describe('no token', () => {
  it.each([
    ['an unknown client', basic('someone', 'demo-secret'), 400, 'client not found'],
    ['a wrong secret', basic('demo-client', 'wrong'), 401, 'authentication failed'],
    [
      'a secret that goes on after the right one',
      basic('demo-client', 'demo-secret:more'),
      401,
      'authentication failed',
    ],
    ['id and secret that are not base64', 'Basic demo-client:demo-secret', 400, 'client not found'],
    ['another scheme', 'Bearer x', 400, 'client not found'],
  ])('is given to %s', async (_, authorization, status, description) => {
    const { platform } = await start()
    const answer = await platform('/oauth/token', tokenRequest(authorization))
    expect(answer.status).toBe(status)
    expect(await read(answer)).toEqual({ error: 'invalid_client', description, error_description: description })
  })

  it('is given for another grant', async () => {
    const { platform } = await start()
    const answer = await platform('/oauth/token', tokenRequest(undefined, 'password'))
    expect(answer.status).toBe(400)
    expect(await read(answer)).toMatchObject({ error: 'unsupported_grant_type' })
  })

  it('is given for a body in JSON', async () => {
    const { platform } = await start()
    const headers = { authorization: basic('demo-client', 'demo-secret'), 'content-type': 'application/json' }
    const body = JSON.stringify({ grant_type: 'client_credentials' })
    const answer = await platform('/oauth/token', { method: 'POST', headers, body })
    expect(answer.status).toBe(400)
    expect(membersOf(await read(answer))).toEqual(membersOf(sample('oauth.token.error')))
  })
})

describe('the Platform API', () => {
  it('refuses a call without a token', async () => {
    const { platform } = await start()
    const answer = await platform(me)
    expect(answer.status).toBe(401)
    expect(await read(answer)).toMatchObject({ code: 'authentication.required' })
  })

  it('refuses a token that it never gave', async () => {
    const { platform } = await start()
    const answer = await platform(me, withToken('x7Qe3'))
    const { contextId: _, ...expected } = sample<Record<string, unknown>>('error.401.badCredentials')
    expect(await read(answer)).toMatchObject(expected)
  })

  it('takes the scheme in any case', async () => {
    const { platform, login } = await start()
    const answer = await platform(me, { headers: { authorization: `bearer ${await login()}` } })
    expect(answer.status).toBe(200)
  })
})
