import { describe, expect, it } from 'vitest'
import { org } from '../../emulator/org.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import { jpeg, text } from '../fixtures/files.ts'
import { eventually, keys, startTestService, type TestService, testEnvironment } from '../harness.ts'
import { codeFrom, type Person, personAt, signInAs, signInSettings } from '../people.ts'
import { run } from './process.ts'

/** A service that people sign in to, by a clock that the test moves on. */
async function started(env: Record<string, string> = {}, base: Clock = systemClock) {
  let aheadMs = 0
  const clock: Clock = { ...base, now: () => new Date(Date.now() + aheadMs) }
  const service = await startTestService({ env: { ...signInSettings, ...env }, overrides: { clock } })
  const later = (minutes: number) => {
    aheadMs += minutes * 60_000
  }
  /** A file in a conversation that this agent is in. */
  const fileOf = async (agentUserId: string) => {
    const { id } = service.emulator.createConversation({ agentUserId })
    const { attachment } = (await service.push(await jpeg(), { conversationId: id })).body
    return { conversationId: id, id: attachment.id }
  }
  return { service, later, fileOf }
}

/** How each way of looking at a file is answered. */
async function looks(person: Person, { conversationId, id }: { conversationId: string; id: string }) {
  const one = `/v1/attachments/${id}`
  const statuses: Record<string, number> = {}
  for (const [name, path] of [
    ['list', `/v1/attachments?conversationId=${conversationId}`],
    ['one', one],
    ['preview', `${one}/preview`],
  ] as const)
    statuses[name] = (await person.ask('GET', path)).status
  return statuses
}

const all = { list: 200, one: 200, preview: 200 }
const none = { list: 404, one: 404, preview: 404 }

async function trail({ get }: TestService, object: string): Promise<string[]> {
  const { body } = await get<{ items: { id: string }[] }>(`/v1/attachments?q=${object}`)
  return body.items.map(({ id }) => id)
}

describe('an agent who signs in by Genesys Cloud', () => {
  it('has a session in a cookie that no page reads and no other site shares, and is told who they are', async () => {
    const { service } = await started()
    const agent = await signInAs(service, 'agent')
    const { status, headers, body } = agent.answer
    expect(status).toBe(201)
    expect(headers.get('set-cookie')).toMatch(
      /^__Host-clipgate=[A-Za-z0-9_-]{43}; Path=\/; Secure; HttpOnly; SameSite=None; Partitioned$/,
    )
    expect(headers.get('cache-control')).toBe('no-store')
    expect(headers.get('access-control-allow-origin')).toBeNull()
    expect(body).toEqual({
      who: { id: `user:${org.agent.id}`, name: org.agent.name },
      role: 'agent',
      seesAll: false,
      mayOriginals: false,
      expiresAt: expect.any(String),
    })
    const left = Date.parse(String(body.expiresAt)) - Date.now()
    expect(Math.round(left / 60_000)).toBe(480)
    expect((await agent.ask('GET', '/v1/session')).body).toEqual(body)
  })

  it('sees the files of their conversation while they are in it and when it has ended, and nothing of another’s', async () => {
    const { service, later, fileOf } = await started()
    const [mine, others] = [await fileOf(org.agent.id), await fileOf(org.otherAgent.id)]
    const agent = await signInAs(service, 'agent')
    expect(await looks(agent, mine)).toEqual(all)
    expect(await looks(agent, others)).toEqual(none)
    const content = await agent.ask('GET', `/v1/attachments/${others.id}/content`)
    expect([403, 404]).toContain(content.status)
    for (const { conversationId } of [mine, others]) service.emulator.endConversation(conversationId)
    later(2)
    expect(await looks(agent, mine)).toEqual(all)
    expect(await looks(agent, others)).toEqual(none)
  })

  it('sees it by their own token where the backend has no client', async () => {
    const { service, later, fileOf } = await started({ GENESYS_CLIENT_ID: '', GENESYS_CLIENT_SECRET: '' })
    const [mine, others] = [await fileOf(org.agent.id), await fileOf(org.otherAgent.id)]
    for (const { conversationId } of [mine, others]) service.emulator.endConversation(conversationId)
    later(2)
    const agent = await signInAs(service, 'agent')
    expect([await looks(agent, mine), await looks(agent, others)]).toEqual([all, none])
  })

  it('sees it no more when it has gone on to somebody else, who sees it within seconds', async () => {
    const { service, later, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const [maria, otto] = [await signInAs(service, 'agent'), await signInAs(service, 'otherAgent')]
    expect([await looks(maria, file), await looks(otto, file)]).toEqual([all, none])
    service.emulator.disconnectAgent(file.conversationId)
    service.emulator.connectAgent(file.conversationId, org.otherAgent.id)
    later(10 / 60)
    expect(await looks(otto, file)).toEqual(all)
    later(50 / 60)
    expect(await looks(maria, file)).toEqual(none)
  })

  it('may look 120 conversations up in a minute, in however many sessions', async () => {
    const { service, later, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const [one, other] = [await signInAs(service, 'agent'), await signInAs(service, 'agent')]
    const look = async (person: Person, id: string) =>
      (await person.ask('GET', `/v1/attachments?conversationId=${id}`)).status
    for (let i = 0; i < 120; i++) expect(await look(one, `made-up-${i}`)).toBe(404)
    expect([await look(one, file.conversationId), await look(other, file.conversationId)]).toEqual([429, 429])
    later(1)
    expect(await look(other, file.conversationId)).toBe(200)
  })

  it('names a conversation, changes nothing, and is told nothing of the whole installation', async () => {
    const { service, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const unbound = (await service.push(text())).body.attachment
    const agent = await signInAs(service, 'agent')
    const status = async (method: string, path: string, body?: unknown) =>
      (await agent.ask(method, path, { body })).status
    expect(await status('GET', '/v1/attachments')).toBe(400)
    expect(await status('GET', `/v1/attachments?q=${file.id}`)).toBe(400)
    expect(await status('GET', '/v1/attachments?conversationId=../nothing')).toBe(404)
    expect(await status('GET', `/v1/attachments/${unbound.id}`)).toBe(404)
    expect(await status('DELETE', `/v1/attachments/${file.id}`)).toBe(403)
    expect(await status('POST', `/v1/attachments/${file.id}/hold`, { reason: 'x' })).toBe(403)
    expect(await status('GET', '/v1/quarantine')).toBe(403)
    expect(await status('GET', '/metrics')).toBe(403)
    expect(await status('POST', '/v1/tickets', { conversationId: file.conversationId })).toBe(401)
    expect((await service.get<{ state: string }>(`/v1/attachments/${file.id}`)).body.state).toBe('accepted')
    expect(await trail(service, unbound.id)).toEqual([unbound.id])
  })
})

describe('a user with one of the permissions that make an admin', () => {
  it('sees and changes all, and is in the audit trail by their id', async () => {
    const { service, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const unbound = (await service.push(text())).body.attachment
    const admin = await signInAs(service, 'supervisor')
    expect(admin.answer.body).toMatchObject({ role: 'admin', seesAll: true, mayOriginals: true })
    expect(await looks(admin, file)).toEqual(all)
    expect((await admin.ask('GET', '/v1/attachments')).body.items).toHaveLength(2)
    expect((await admin.ask('GET', `/v1/attachments/${unbound.id}`)).status).toBe(200)
    expect((await admin.ask('GET', '/v1/quarantine')).status).toBe(200)
    expect((await admin.ask('GET', '/metrics')).status).toBe(200)
    const erased = await admin.ask('DELETE', `/v1/attachments/${file.id}`)
    expect([erased.status, erased.body.key]).toEqual([200, 'destroyed'])
    const lines = service.logged.filter(({ who }) => who === `user:${org.supervisor.id}`)
    expect(lines.map(({ route }) => route)).toContain('/v1/attachments/:id')
  })

  it('has it as long as they have the permission, and keeps the session over a restart', async () => {
    const { service } = await started()
    const { emulator, dataDir } = service
    const before = await signInAs(service, 'supervisor')
    await service.service.stop()
    const env = { ...signInSettings, ADMIN_PERMISSIONS: 'quality:evaluation:add' }
    const again = await startTestService({ env, emulator, dataDir })
    const supervisor = personAt(again, before.cookie())
    expect((await supervisor.ask('GET', '/v1/session')).body).toMatchObject({
      who: { id: `user:${org.supervisor.id}` },
      role: 'agent',
      seesAll: false,
      mayOriginals: false,
    })
    expect((await supervisor.ask('GET', '/v1/quarantine')).status).toBe(403)
  })
})

describe('everyone gets originals', () => {
  it('where the settings say so', async () => {
    const { service } = await started({ ORIGINALS: 'everyone' })
    expect((await signInAs(service, 'agent')).answer.body).toMatchObject({ role: 'agent', mayOriginals: true })
  })
})

describe('is not let in', () => {
  const refused = (answer: { status: number; headers: Headers; body: { code?: string; detail?: string } }) => {
    expect(answer.headers.get('set-cookie')).toBeNull()
    return [answer.status, answer.body.code, answer.body.detail]
  }

  it.each([
    ['a user who is not active', { userState: 'inactive' }, 'This user is not active in Genesys Cloud.'],
    ['somebody in the place of a user', { clonedUser: true }, 'Somebody else acts in the place of this user.'],
    ['a token of another application', { otherClient: true }, 'This token was given to another application.'],
  ] as const)('%s', async (_, switches, detail) => {
    const { service } = await started()
    service.emulator.setSwitches(switches)
    expect(refused((await signInAs(service, 'agent')).answer)).toEqual([403, 'forbidden', detail])
  })

  it('a user of another organization', async () => {
    const { service } = await started({ GENESYS_ORGANIZATION_ID: '00000000-0000-4000-8000-00000000a002' })
    expect(refused((await signInAs(service, 'agent')).answer)).toEqual([
      403,
      'forbidden',
      'This user is of another organization.',
    ])
  })

  it('whoever comes without a good code, or with one that was used, or for another client', async () => {
    const { service } = await started()
    const person = personAt(service)
    const redirectUri = `${service.url}/sign-in`
    const authorizeUrl = `${service.emulator.url}/oauth/authorize`
    const given = await codeFrom(authorizeUrl, { clientId: org.page.id, redirectUri })
    const anothers = await codeFrom(authorizeUrl, { clientId: org.client.id, redirectUri })
    const elsewhere = await codeFrom(authorizeUrl, { clientId: org.page.id, redirectUri: 'http://127.0.0.1:9/sign-in' })
    const { codeVerifier } = given
    const post = async (body: object) => refused(await person.ask('POST', '/v1/session', { body }))
    const no = [401, 'unauthorized', 'Genesys Cloud does not take this sign-in. Begin again.']
    for (const { code, codeVerifier } of [anothers, elsewhere, { ...given, codeVerifier: 'v'.repeat(43) }])
      expect(await post({ code, codeVerifier })).toEqual(no)
    // A code that was tried with a wrong verifier is spent.
    expect(await post({ code: given.code, codeVerifier })).toEqual(no)
    const [status, code] = await post({ code: given.code })
    expect([status, code]).toEqual([400, 'bad_request'])
    service.emulator.setSwitches({ signIn: 'denied' })
    const denied = await codeFrom(authorizeUrl, { clientId: org.page.id, redirectUri })
    expect([denied.code, denied.error]).toEqual([null, 'access_denied'])
    expect((await post({ code: 'made-up', codeVerifier })).slice(0, 2)).toEqual([401, 'unauthorized'])
  })

  it('anybody by Genesys Cloud, where that is not set up', async () => {
    const service = await startTestService()
    const person = personAt(service)
    expect((await person.ask('GET', '/v1/sign-in')).body).toEqual({
      genesys: null,
      local: false,
      session: null,
      known: true,
    })
    const body = { code: 'made-up', codeVerifier: 'v'.repeat(43) }
    expect(refused(await person.ask('POST', '/v1/session', { body })).slice(0, 2)).toEqual([403, 'forbidden'])
  })
})

describe('a session ends', () => {
  const session = async (person: Person) => {
    const { status, body } = await person.ask('GET', '/v1/session')
    return [status, body.code]
  }
  const over = [401, 'unauthorized']

  it('when it was not used for an hour, and not while it is', async () => {
    const { service, later } = await started()
    const agent = await signInAs(service, 'agent')
    for (const minutes of [59, 59]) {
      later(minutes)
      expect((await session(agent))[0]).toBe(200)
    }
    later(60)
    expect(await session(agent)).toEqual(over)
  })

  it('when a page only watched for an hour, which is no use of it', async () => {
    // Of those who watch, each is looked at again every 30 s: here sooner.
    const wait: Clock['wait'] = (ms, signal) => systemClock.wait(ms === 15_000 ? 20 : ms, signal)
    const { service, later, fileOf } = await started({}, { ...systemClock, wait })
    const { conversationId } = await fileOf(org.agent.id)
    const agent = await signInAs(service, 'agent')
    const asked = () => service.emulator.requests().filter(({ path }) => path === '/api/v2/users/me').length
    const path = `${service.url}/v1/events?conversationId=${conversationId}`
    const watching = await fetch(path, { headers: { cookie: agent.cookie()! } })
    expect(watching.status).toBe(200)
    const watched = async (minutes: number) => {
      const before = asked()
      later(minutes)
      await eventually(asked, (times) => times > before)
    }
    await watched(59)
    expect((await session(agent))[0]).toBe(200)
    await watched(30)
    await watched(29)
    later(1)
    await watching.text()
    expect(await session(agent)).toEqual(over)
  })

  it('after its whole life, however much it is used, and no later than its token', async () => {
    const { service, later } = await started({ SESSION_MINUTES: '100' })
    const agent = await signInAs(service, 'agent')
    service.emulator.setSwitches({ tokenLifetimeSeconds: 600 })
    const short = await signInAs(service, 'agent')
    later(10)
    expect([await session(short), (await session(agent))[0]]).toEqual([over, 200])
    later(50)
    expect((await session(agent))[0]).toBe(200)
    later(40)
    expect(await session(agent)).toEqual(over)
    await service.service.sweep()
    later(-100)
    // The sweep has forgotten it: no clock that is set back brings it back.
    expect(await session(agent)).toEqual(over)
  })

  it('by signing out, at once, here and wherever the cookie was copied to', async () => {
    const { service, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const agent = await signInAs(service, 'agent')
    const thief = personAt(service, agent.cookie())
    const other = await signInAs(service, 'agent')
    expect(await looks(thief, file)).toEqual(all)
    const out = await agent.ask('DELETE', '/v1/session')
    expect([out.status, out.headers.get('set-cookie')]).toEqual([
      204,
      '__Host-clipgate=; Path=/; Secure; HttpOnly; SameSite=None; Partitioned; Max-Age=0',
    ])
    expect(await session(thief)).toEqual(over)
    expect((await thief.ask('GET', `/v1/attachments/${file.id}`)).status).toBe(401)
    expect((await session(other))[0]).toBe(200)
    expect((await agent.ask('DELETE', '/v1/session')).status).toBe(204)
  })

  it('by signing in anew in the same browser', async () => {
    const { service } = await started()
    const agent = await signInAs(service, 'agent')
    const before = personAt(service, agent.cookie())
    const { code, codeVerifier } = await codeFrom(`${service.emulator.url}/oauth/authorize`, {
      clientId: org.page.id,
      redirectUri: `${service.url}/sign-in`,
    })
    expect((await agent.ask('POST', '/v1/session', { body: { code, codeVerifier } })).status).toBe(201)
    expect([await session(before), (await session(agent))[0]]).toEqual([over, 200])
  })

  it.each([
    ['its token is revoked', ({ emulator }: TestService) => emulator.revokeTokens()],
    ['its user is not active any more', ({ emulator }: TestService) => emulator.setSwitches({ userState: 'inactive' })],
    ['somebody takes its user’s place', ({ emulator }: TestService) => emulator.setSwitches({ clonedUser: true })],
  ])('within a minute when %s, and for good', async (_, happens) => {
    const { service, later } = await started()
    const agent = await signInAs(service, 'agent')
    expect((await session(agent))[0]).toBe(200)
    happens(service)
    later(1)
    expect(await session(agent)).toEqual(over)
    service.emulator.setSwitches({ userState: 'active', clonedUser: false })
    expect(await session(agent)).toEqual(over)
  })

  it('for nobody who makes one up, or brings one along with a key', async () => {
    const { service } = await started()
    const agent = await signInAs(service, 'agent')
    const [name] = agent.cookie()!.split('=')
    expect(await session(personAt(service, `${name}=${'x'.repeat(43)}`))).toEqual(over)
    expect(await session(personAt(service, `${name}=`))).toEqual(over)
    // With an Authorization header the cookie does not count.
    const wrong = { headers: { authorization: 'Bearer wrong-wrong-wrong-wrong' } }
    expect((await agent.ask('GET', '/v1/session', wrong)).status).toBe(401)
    const key = { headers: { authorization: `Bearer ${keys.read}` } }
    expect((await agent.ask('GET', '/v1/attachments', key)).status).toBe(200)
  })
})

describe('while Genesys Cloud is out of reach', () => {
  it('nobody is shown anything on an old answer, nobody is signed out for it, and all goes on when it is back', async () => {
    const { service, later, fileOf } = await started()
    const file = await fileOf(org.agent.id)
    const agent = await signInAs(service, 'agent')
    expect(await looks(agent, file)).toEqual(all)
    later(1)
    for (const fault of [{ status: 503 }, { cut: true }, { status: 429, retryAfter: 7 }]) {
      service.emulator.setFaults([{ route: 'GET /api/v2/*', times: 1000, ...fault }])
      const ways = (await agent.ask('GET', '/v1/sign-in')).body
      expect([ways.session, ways.known]).toEqual([null, false])
      expect(await looks(agent, file)).toEqual({ list: 503, one: 503, preview: 503 })
      const { status, body } = await agent.ask('GET', '/v1/session')
      expect([status, body.code]).toEqual([503, 'unavailable'])
    }
    expect((await agent.ask('GET', '/v1/session')).headers.get('retry-after')).toBe('7')
    service.emulator.setFaults([])
    expect(await looks(agent, file)).toEqual(all)
  })

  it('nobody signs in, and everybody may sign out', async () => {
    const { service, later } = await started()
    const agent = await signInAs(service, 'agent')
    service.emulator.setFaults([{ route: 'POST /oauth/token', status: 503, times: 1 }])
    expect((await signInAs(service, 'agent')).answer.status).toBe(503)
    service.emulator.setFaults([{ route: 'GET /api/v2/tokens/me', status: 500, times: 100 }])
    expect((await signInAs(service, 'agent')).answer.status).toBe(503)
    later(1)
    expect((await agent.ask('DELETE', '/v1/session')).status).toBe(204)
    service.emulator.setFaults([])
    expect((await agent.ask('GET', '/v1/session')).status).toBe(401)
  })
})

describe('what a page of another site has a browser ask for', () => {
  it('changes nothing, whatever it says, and what our own pages ask for does', async () => {
    const { service, fileOf } = await started()
    const [first, second] = [await fileOf(org.agent.id), await fileOf(org.agent.id)]
    const admin = await signInAs(service, 'supervisor')
    const cookie = admin.cookie()!
    const erase = async (id: string, headers: Record<string, string>) => {
      const init = { method: 'DELETE', headers: { cookie, ...headers } }
      const answer = await fetch(`${service.url}/v1/attachments/${id}`, init)
      return [answer.status, ((await answer.json()) as { code?: string }).code]
    }
    for (const headers of [
      {},
      { origin: 'null' },
      { origin: 'https://evil.example' },
      { origin: `${service.url}.evil.example` },
      { origin: service.emulator.url },
      { origin: 'https://evil.example', 'sec-fetch-site': 'same-origin' },
      { 'sec-fetch-site': 'same-site' },
      { 'sec-fetch-site': 'cross-site' },
      { 'sec-fetch-site': 'none' },
      { referer: service.url },
    ])
      expect(await erase(first.id, headers)).toEqual([403, 'forbidden'])
    expect((await service.get<{ state: string }>(`/v1/attachments/${first.id}`)).body.state).toBe('accepted')
    expect((await erase(first.id, { origin: service.url }))[0]).toBe(200)
    expect((await erase(second.id, { 'sec-fetch-site': 'same-origin' }))[0]).toBe(200)
    const out = await fetch(`${service.url}/v1/session`, { method: 'DELETE', headers: { cookie } })
    expect(out.status).toBe(403)
    expect((await admin.ask('GET', '/v1/session')).status).toBe(200)
  })

  it('signs nobody in, and is told nothing', async () => {
    const { service } = await started({ CORS_ORIGINS: 'https://shop.example' })
    const body = JSON.stringify({ name: 'rita', password: 'a long password' })
    const json = { 'content-type': 'application/json' }
    for (const headers of [
      { ...json, origin: 'https://shop.example' },
      { ...json, 'sec-fetch-site': 'cross-site' },
    ]) {
      const answer = await fetch(`${service.url}/v1/session`, { method: 'POST', headers, body })
      expect(answer.status).toBe(403)
      expect(answer.headers.get('access-control-allow-origin')).toBeNull()
    }
    const form = await fetch(`${service.url}/v1/session`, {
      method: 'POST',
      body: new URLSearchParams({ name: 'rita' }),
    })
    expect(form.status).toBe(400)
    // A program that is no page has neither header.
    const program = await fetch(`${service.url}/v1/session`, { method: 'POST', headers: json, body })
    expect(program.status).toBe(401)
  })
})

describe('a person with a password of ours', () => {
  const password = 'correct horse battery'

  async function withAccounts() {
    const { service, later, fileOf } = await started()
    const clipgate = async (args: string[], input?: string) => {
      const program = run(['accounts', ...args], testEnvironment(service.dataDir, 'http://127.0.0.1:9'), [], input)
      return { code: await program.ended, out: program.stdout(), err: program.stderr() }
    }
    const add = (name: string, role: string) => clipgate(['add', name, '--role', role], `${password}\n`)
    const signIn = async (name: string, given = password, headers: Record<string, string> = {}) => {
      const person = personAt(service)
      const answer = await person.ask('POST', '/v1/session', { body: { name, password: given }, headers })
      return { ...person, answer, status: answer.status }
    }
    const goesOn = async (person: Person) => (await person.ask('GET', '/v1/session')).status === 200
    return { service, later, fileOf, clipgate, add, signIn, goesOn }
  }

  it('sees all as a reader, and changes all as an admin', async () => {
    const { service, fileOf, add, signIn } = await withAccounts()
    const file = await fileOf(org.agent.id)
    const ways = async () => (await personAt(service).ask('GET', '/v1/sign-in')).body
    expect(await ways()).toMatchObject({ genesys: { clientId: org.page.id }, local: false })
    expect(await add('rita', 'reader')).toMatchObject({ code: 0, out: 'rita can sign in as reader.\n', err: '' })
    expect((await add('adam', 'admin')).code).toBe(0)
    expect(await ways()).toMatchObject({ local: true })
    const [rita, adam] = [await signIn('Rita'), await signIn('adam')]
    expect(rita.answer.body).toMatchObject({
      who: { id: 'account:rita', name: 'rita' },
      role: 'reader',
      seesAll: true,
      mayOriginals: false,
    })
    expect(adam.answer.body).toMatchObject({ role: 'admin', seesAll: true, mayOriginals: true })
    expect(await looks(rita, file)).toEqual(all)
    expect((await rita.ask('GET', '/v1/attachments')).status).toBe(200)
    expect((await rita.ask('DELETE', `/v1/attachments/${file.id}`)).status).toBe(403)
    expect((await adam.ask('DELETE', `/v1/attachments/${file.id}`)).status).toBe(200)
  })

  it('is signed out by another password, and by the removal of the account', async () => {
    const { add, signIn, clipgate, goesOn } = await withAccounts()
    await add('rita', 'reader')
    await add('adam', 'admin')
    const [rita, adam] = [await signIn('rita'), await signIn('adam')]
    expect(await clipgate(['password', 'rita'], 'another long password\n')).toMatchObject({ code: 0 })
    expect([await goesOn(rita), await goesOn(adam)]).toEqual([false, true])
    expect([(await signIn('rita')).status, (await signIn('rita', 'another long password')).status]).toEqual([401, 201])
    expect((await clipgate(['remove', 'adam'])).code).toBe(0)
    expect([await goesOn(adam), (await signIn('adam')).status]).toEqual([false, 401])
    const listed = await clipgate(['list'])
    expect(listed.out).toMatch(/^rita {2}reader {2}since \S+ {2}password of \S+\n$/)
    expect(listed.out).not.toContain('argon2')
  })

  it('is told the same, whether the name or the password is wrong', async () => {
    const { add, signIn } = await withAccounts()
    await add('rita', 'reader')
    const [wrong, unknown] = [await signIn('rita', 'wrong'), await signIn('nobody', 'wrong')]
    const told = ({ answer: { status, body, headers } }: typeof wrong) => [
      status,
      { ...body, requestId: null },
      headers.get('set-cookie'),
    ]
    expect(told(wrong)).toEqual(told(unknown))
    expect(told(wrong)[0]).toBe(401)
    expect(wrong.answer.body.detail).toBe('The name or the password is wrong.')
  })

  it('may be wrong five times in a quarter of an hour, also at once, and then must wait even when right', async () => {
    const { add, signIn, later } = await withAccounts()
    await add('rita', 'reader')
    const statuses = (await Promise.all(Array.from({ length: 9 }, () => signIn('rita', 'wrong')))).map(
      ({ status }) => status,
    )
    expect(statuses.sort()).toEqual([401, 401, 401, 401, 401, 429, 429, 429, 429])
    const refused = await signIn('rita')
    expect([refused.status, refused.answer.body.code]).toEqual([429, 'rate_limited'])
    const wait = Number(refused.answer.headers.get('retry-after'))
    expect(wait).toBeGreaterThan(800)
    expect(wait).toBeLessThanOrEqual(900)
    // Another name is not held up by it.
    expect((await signIn('nobody', 'wrong')).status).toBe(401)
    later(15)
    expect((await signIn('rita')).status).toBe(201)
  })

  it('who tries many names is stopped by the address', async () => {
    const { add, signIn } = await withAccounts()
    await add('rita', 'reader')
    for (let i = 0; i < 30; i++) expect((await signIn(`name-${i}`, 'wrong')).status).toBe(401)
    expect([(await signIn('name-30', 'wrong')).status, (await signIn('rita')).status]).toEqual([429, 429])
  })

  it('has one that is long enough, is not the name, and comes in by no argument', async () => {
    const { clipgate, add } = await withAccounts()
    const wrong = async (args: string[], input?: string) => {
      const { code, err } = await clipgate(args, input)
      return [code, err]
    }
    const role = ['--role', 'reader']
    expect(await wrong(['add', 'rita', ...role], 'eleven char\n')).toEqual([
      2,
      'A password has 12 to 200 characters; this one has 11.\n',
    ])
    expect((await wrong(['add', 'rita', ...role], `${'x'.repeat(201)}\n`))[0]).toBe(2)
    expect(await wrong(['add', 'rita', ...role], 'my name is Rita\n')).toEqual([
      2,
      'A password must not have the name in it.\n',
    ])
    expect(await wrong(['add', 'rita', ...role])).toEqual([2, 'No password came: type one, or pipe one in.\n'])
    expect((await wrong(['add', 'Rita', ...role], `${password}\n`))[0]).toBe(2)
    expect((await wrong(['add', 'rita'], `${password}\n`))[0]).toBe(2)
    expect((await wrong(['add', 'rita', '--role', 'agent'], `${password}\n`))[0]).toBe(2)
    await add('rita', 'reader')
    expect(await wrong(['add', 'rita', ...role], `${password}\n`)).toEqual([1, 'There is an account rita already.\n'])
    expect(await wrong(['remove', 'adam'])).toEqual([1, 'There is no such account.\n'])
    expect(await wrong(['password', 'adam'], `${password}\n`)).toEqual([1, 'There is no such account.\n'])
  })

  it('is in the audit trail with all that was done for it, and nothing of the password is anywhere', async () => {
    const { service, add, signIn, clipgate } = await withAccounts()
    await add('rita', 'reader')
    const rita = await signIn('rita')
    await rita.ask('DELETE', '/v1/session')
    await signIn('rita', 'wrong horse battery')
    await clipgate(['remove', 'rita'])
    await service.service.stop()
    const exported = run(['audit', 'export'], testEnvironment(service.dataDir, 'http://127.0.0.1:9'))
    await exported.ended
    const rows = exported
      .stdout()
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line))
      .filter(({ what }) => /sign|account|credential/.test(what))
      .map(({ who, what, object, outcome }) => [who, what, object, outcome])
    const session = expect.stringMatching(/^ses_[0-9a-f]{30}$/)
    // Each process has a chain of its own where there may be several.
    const expected = [
      ['cli', 'account_change', 'rita', 'added as reader'],
      ['account:rita', 'sign_in', session, 'reader'],
      ['account:rita', 'sign_out', session, 'signed out'],
      ['(unknown)', 'credential_refuse', null, 'unauthorized'],
      ['cli', 'account_change', 'rita', 'removed'],
    ]
    expect(rows).toHaveLength(expected.length)
    expect(rows).toEqual(expect.arrayContaining(expected))
    const written = JSON.stringify(service.logged) + exported.stdout()
    for (const secret of [password, 'wrong horse', rita.cookie() ?? 'no cookie']) expect(written).not.toContain(secret)
  })
})
