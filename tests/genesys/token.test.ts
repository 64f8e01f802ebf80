import { describe, expect, it, onTestFinished } from 'vitest'
import { startEmulator } from '../../emulator/index.ts'
import { CredentialsRefused, GenesysUnavailable } from '../../src/genesys/errors.ts'
import { clientCredentials } from '../../src/genesys/grants.ts'
import { createTokens } from '../../src/genesys/token.ts'
import { manualClock, until } from './clock.ts'
import { watchedEvents } from './start.ts'

async function start(clientSecret = 'demo-secret', clientId = 'demo-client') {
  const clock = manualClock()
  const emulator = await startEmulator({ now: () => clock.now() })
  onTestFinished(() => emulator.close())
  const { events, lines } = watchedEvents()
  const tokens = createTokens({
    loginUrl: emulator.url,
    grant: clientCredentials(clientId, clientSecret),
    clock,
    events,
    tryMs: 10_000,
  })
  return { clock, emulator, tokens, lines, asked: () => emulator.requests().length }
}

describe('a token', () => {
  it('is given to a client id and secret in Basic form, form-encoded, at the login host', async () => {
    const { tokens, emulator } = await start()
    expect(await tokens.get()).toMatch(/^[\w-]{20,}$/)
    expect(emulator.requests()).toMatchObject([{ method: 'POST', path: '/oauth/token', status: 200 }])
    expect(tokens.given()).toBe(1)
  })

  it('is kept until five minutes before its end', async () => {
    const { clock, tokens, asked } = await start()
    const first = await tokens.get()
    await clock.pass((86_399 - 300) * 1000 - 1)
    expect(await tokens.get()).toBe(first)
    await clock.pass(1)
    expect(await tokens.get()).not.toBe(first)
    expect(asked()).toBe(2)
  })

  it('that lives less than ten minutes is kept for half its life', async () => {
    const { clock, emulator, tokens } = await start()
    emulator.setSwitches({ tokenLifetimeSeconds: 300 })
    const first = await tokens.get()
    await clock.pass(149_999)
    expect(await tokens.get()).toBe(first)
    await clock.pass(1)
    expect(await tokens.get()).not.toBe(first)
  })

  it('is renewed once, whoever asks while it is', async () => {
    const { tokens, asked } = await start()
    const given = await Promise.all(Array.from({ length: 50 }, () => tokens.get()))
    expect(new Set(given).size).toBe(1)
    expect(asked()).toBe(1)
  })

  it('that is dropped by many is renewed once, and the new one is not dropped with it', async () => {
    const { tokens, asked } = await start()
    const first = await tokens.get()
    tokens.drop(first)
    const second = await tokens.get()
    tokens.drop(first)
    expect(await tokens.get()).toBe(second)
    expect(asked()).toBe(2)
  })

  it('that cannot be renewed serves until its end', async () => {
    const { clock, emulator, tokens } = await start()
    const first = await tokens.get()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 503, times: 100 }])
    await clock.pass((86_399 - 10) * 1000)
    expect(await tokens.get()).toBe(first)
    await clock.pass(10_000)
    await expect(tokens.get()).rejects.toThrow(GenesysUnavailable)
  })
})

describe('a client that the login host does not know', () => {
  it.each([
    ['demo-client', 'wrong', 401],
    ['nobody', 'demo-secret', 400],
  ])('(%s, %s: status %d) is refused, and nobody asks again for half a minute', async (clientId, secret) => {
    const { clock, tokens, asked } = await start(secret, clientId)
    for (let i = 0; i < 3; i++) await expect(tokens.get()).rejects.toThrow(CredentialsRefused)
    expect(asked()).toBe(1)
    await clock.pass(30_000)
    await expect(tokens.get()).rejects.toThrow(CredentialsRefused)
    expect(asked()).toBe(2)
  })
})

describe('a login host', () => {
  it.each([429, 500, 503])('that answers %d is unavailable, which is no refusal', async (status) => {
    const { emulator, tokens } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', status, ...(status === 429 && { retryAfter: 4 }) }])
    await expect(tokens.get()).rejects.toMatchObject({
      constructor: GenesysUnavailable,
      retryAfterSeconds: status === 429 ? 4 : null,
    })
    expect(await tokens.get()).toMatch(/./)
  })

  it('that does not answer in time is unavailable', async () => {
    const { clock, emulator, tokens } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', delayMs: 3_600_000 }])
    const refused = expect(tokens.get()).rejects.toThrow(GenesysUnavailable)
    await until(() => clock.waits().includes(10_000))
    await clock.pass(10_000)
    await refused
  })

  it('that cuts the connection is unavailable', async () => {
    const { emulator, tokens } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', cut: true }])
    await expect(tokens.get()).rejects.toThrow(GenesysUnavailable)
  })
})
