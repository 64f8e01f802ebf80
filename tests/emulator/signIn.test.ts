import { createHash, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { basic, membersOf, read, type Schemas, sample, sendPath, start, withToken } from './start.ts'

type TokenResponse = Schemas['OAuthTokenResponse']

const redirectUri = 'http://127.0.0.1:8080/signed-in'

/** A page that signs people in, as the platform's own examples do (authorization code with PKCE). */
async function page() {
  const started = await start()
  const verifier = randomBytes(32).toString('base64url')
  const challenge = {
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  }

  async function authorize(changes: Record<string, string | undefined> = {}) {
    const asked = { client_id: 'demo-page', response_type: 'code', redirect_uri: redirectUri, state: 's', ...challenge }
    const given = Object.entries({ ...asked, ...changes }).filter((entry): entry is [string, string] => !!entry[1])
    const query = new URLSearchParams(given)
    const answer = await fetch(`${started.emulator.url}/oauth/authorize?${query}`, { redirect: 'manual' })
    const location = new URL(answer.headers.get('location') ?? 'http://nowhere')
    return { answer, location, code: location.searchParams.get('code') ?? '' }
  }

  const exchange = (form: Record<string, string>, authorization?: string) =>
    started.platform('/oauth/token', {
      method: 'POST',
      ...(authorization && { headers: { authorization } }),
      body: new URLSearchParams({ client_id: 'demo-page', redirect_uri: redirectUri, ...form }),
    })

  const redeem = (code: string, changes: Record<string, string> = {}) =>
    exchange({ grant_type: 'authorization_code', code, code_verifier: verifier, ...changes })

  async function signIn() {
    const { code } = await authorize()
    const token = await read<TokenResponse>(redeem(code))
    const call = (method: string, path: string, body?: unknown) =>
      started.platform(path, withToken(token.access_token, method, body))
    return { token, call }
  }
  return { ...started, authorize, exchange, redeem, signIn }
}

describe('the login page', () => {
  it('sends the browser back with a code and the state', async () => {
    const { authorize } = await page()
    const { answer, location } = await authorize()
    expect(answer.status).toBe(302)
    expect(location.origin + location.pathname).toBe(redirectUri)
    expect([...location.searchParams.keys()]).toEqual(['code', 'state'])
    expect(location.searchParams.get('state')).toBe('s')
  })

  it.each([
    ['an unknown client', { client_id: 'someone' }, 'client not found'],
    ['a page that is not on this machine', { redirect_uri: 'https://evil.example/' }, 'redirect_uri is not registered'],
    ['no page', { redirect_uri: undefined }, 'redirect_uri is not registered'],
  ])('sends nobody to %s', async (_, changes, why) => {
    const { authorize } = await page()
    const { answer } = await authorize(changes)
    expect(answer.status).toBe(400)
    expect(await read(answer)).toMatchObject({ description: why })
  })

  it.each([
    ['another response type', { response_type: 'token' }, 'unsupported_response_type'],
    ['a plain challenge', { code_challenge_method: 'plain' }, 'invalid_request'],
    ['no challenge, from a client without secret', { code_challenge: undefined }, 'invalid_request'],
  ])('sends the browser back with an error on %s', async (_, changes, error) => {
    const { authorize } = await page()
    expect((await authorize(changes)).location.searchParams.get('error')).toBe(error)
  })

  it('sends the browser back without a code where the switch says that nobody signs in', async () => {
    const { authorize, emulator } = await page()
    emulator.setSwitches({ signIn: 'denied' })
    const { location } = await authorize()
    expect([...location.searchParams]).toEqual([
      ['error', 'access_denied'],
      ['state', 's'],
    ])
  })
})

describe('a code', () => {
  it('gives a token of the user, and one to refresh it', async () => {
    const { signIn } = await page()
    const { token, call } = await signIn()
    expect(token).toEqual({
      access_token: expect.any(String),
      token_type: 'bearer',
      expires_in: 86399,
      refresh_token: expect.any(String),
    })
    expect((await call('GET', '/api/v2/users/me')).status).toBe(200)
  })

  it('is good once', async () => {
    const { authorize, redeem } = await page()
    const { code } = await authorize()
    expect((await redeem(code)).status).toBe(200)
    expect((await redeem(code)).status).toBe(400)
  })

  it('is good for five minutes', async () => {
    const { authorize, redeem, passSeconds } = await page()
    const [first, second] = [await authorize(), await authorize()]
    passSeconds(299)
    expect((await redeem(first.code)).status).toBe(200)
    passSeconds(1)
    expect((await redeem(second.code)).status).toBe(400)
  })

  it.each([
    ['another verifier', { code_verifier: 'x' }],
    ['no verifier', { code_verifier: '' }],
    ['another page', { redirect_uri: 'http://127.0.0.1:8081/' }],
    ['an unknown client', { client_id: 'someone' }],
    ['another client', { client_id: 'demo-client' }],
  ])('gives nothing to %s', async (_, changes) => {
    const { authorize, redeem } = await page()
    expect((await redeem((await authorize()).code, changes)).status).toBe(400)
  })

  it('without a challenge wants the secret', async () => {
    const { authorize, exchange } = await page()
    const asked = { client_id: 'demo-client', code_challenge: undefined }
    const form = async () => {
      const { code } = await authorize(asked)
      return { grant_type: 'authorization_code', code, client_id: 'demo-client' }
    }
    expect((await exchange(await form())).status).toBe(400)
    expect((await exchange(await form(), basic('demo-client', 'wrong'))).status).toBe(401)
    expect((await exchange(await form(), basic('demo-client', 'demo-secret'))).status).toBe(200)
  })
})

describe('a refresh token', () => {
  it('gives a new token, again and again', async () => {
    const { signIn, exchange, platform } = await page()
    const { token } = await signIn()
    const form = { grant_type: 'refresh_token', refresh_token: String(token.refresh_token) }
    const second = await read<TokenResponse>(exchange(form))
    const third = await read<TokenResponse>(exchange({ ...form, refresh_token: String(second.refresh_token) }))
    expect(new Set([token.access_token, second.access_token, third.access_token]).size).toBe(3)
    expect((await platform('/api/v2/users/me', withToken(third.access_token))).status).toBe(200)
  })

  it.each([
    ['of another client', { client_id: 'demo-client' }],
    ['that nobody gave', { refresh_token: 'x' }],
  ])('%s gives nothing', async (_, changes) => {
    const { signIn, exchange } = await page()
    const { token } = await signIn()
    const form = { grant_type: 'refresh_token', refresh_token: String(token.refresh_token), ...changes }
    expect((await exchange(form)).status).toBe(400)
  })
})

describe('users/me', () => {
  const expanded = '/api/v2/users/me?expand=authorization&expand=organization'

  it('says who signed in, in the platform’s shape', async () => {
    const { signIn } = await page()
    const { call } = await signIn()
    const me = await read<Schemas['UserMe']>(call('GET', expanded))
    expect(membersOf(me)).toEqual(membersOf(sample('users.me.response')))
    expect(me).toMatchObject({ name: 'Maria Agent', state: 'active', organization: { name: 'Example Org' } })
  })

  it('tells only what it was asked for, commas taken too', async () => {
    const { signIn } = await page()
    const { call } = await signIn()
    const plain = await read<Schemas['UserMe']>(call('GET', '/api/v2/users/me'))
    expect([plain.authorization, plain.organization, plain.token]).toEqual([undefined, undefined, undefined])
    const asked = await read<Schemas['UserMe']>(call('GET', '/api/v2/users/me?expand=authorization,token'))
    expect(asked.token?.OAuthClient?.id).toBe('demo-page')
    expect(asked.authorization?.permissions).toContain('conversation:webmessaging:view')
    expect(asked.organization).toBeUndefined()
  })

  it.each([
    ['otherAgent', 'Otto Agent'],
    ['supervisor', 'Sue Supervisor'],
  ] as const)('is %s if the switch says so', async (who, name) => {
    const { signIn, emulator } = await page()
    emulator.setSwitches({ signIn: who })
    const { call } = await signIn()
    expect(await read(call('GET', '/api/v2/users/me'))).toMatchObject({ name })
  })

  it('is inactive if the switch says so', async () => {
    const { signIn, emulator } = await page()
    const { call } = await signIn()
    emulator.setSwitches({ userState: 'inactive' })
    expect(await read(call('GET', '/api/v2/users/me'))).toMatchObject({ state: 'inactive' })
  })

  it.each(['/api/v2/users/me', '/api/v2/conversations', '/api/v2/conversations/messages'])(
    'and what is the user’s own refuse client credentials: %s',
    async (path) => {
      const { client } = await start()
      const call = await client()
      const answer = await call('GET', path)
      expect(answer.status).toBe(400)
      const { contextId: _, ...expected } = sample<Schemas['ErrorBody']>('error.400.userContext')
      expect(await read(answer)).toMatchObject(expected)
    },
  )
})

describe('tokens/me of a user', () => {
  const path = '/api/v2/tokens/me?preserveIdleTTL=true'

  it('names the app in which the user signed in', async () => {
    const { signIn } = await page()
    const { call } = await signIn()
    const info = await read<Schemas['TokenInfo']>(call('GET', path))
    expect(membersOf(info)).toEqual(membersOf(sample('tokens.me.user.response')))
    expect(info).toMatchObject({ OAuthClient: { id: 'demo-page', authorizedGrantType: 'CODE' } })
  })

  it('says that someone acts in the user’s place if the switch says so', async () => {
    const { signIn, emulator } = await page()
    const { call } = await signIn()
    emulator.setSwitches({ clonedUser: true })
    expect(await read(call('GET', path))).toMatchObject({ clonedUser: { id: expect.any(String) } })
  })

  it('ends the token', async () => {
    const { signIn } = await page()
    const { call } = await signIn()
    expect((await call('HEAD', '/api/v2/tokens/me')).status).toBe(200)
    expect((await call('DELETE', '/api/v2/tokens/me')).status).toBe(200)
    expect((await call('GET', path)).status).toBe(401)
  })
})

describe('a user’s conversations', () => {
  it('are those in which the user is connected as an agent, in both views', async () => {
    const { signIn, emulator } = await page()
    const { id } = emulator.createConversation()
    emulator.createConversation({ agent: false })
    emulator.createConversation({ agentUserId: '00000000-0000-4000-8000-00000000e002' })
    const left = emulator.createConversation()
    emulator.disconnectAgent(left.id)
    const { call } = await signIn()
    for (const path of ['/api/v2/conversations', '/api/v2/conversations/messages']) {
      const { entities } = await read<Schemas['ConversationEntityListing']>(call('GET', path))
      expect(entities?.map((conversation) => conversation.id)).toEqual([id])
    }
  })

  it('show the user as the agent', async () => {
    const { signIn, own } = await page()
    const otto = '00000000-0000-4000-8000-00000000e002'
    const { id } = await read<{ id: string }>(own('POST', '/conversations', { agentUserId: otto }))
    const { call } = await signIn()
    const { participants } = await read<Schemas['Conversation']>(call('GET', `/api/v2/conversations/${id}`))
    expect(participants?.find(({ purpose }) => purpose === 'agent')).toMatchObject({ userId: otto, name: 'Otto Agent' })
  })

  it('take the user’s messages even where client credentials may not send', async () => {
    const { signIn, emulator } = await page()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const ids = emulator.createConversation()
    const { call } = await signIn()
    expect((await call('POST', sendPath(ids), { textBody: 'Hello' })).status).toBe(200)
  })
})
