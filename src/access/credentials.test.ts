import { describe, expect, it } from 'vitest'
import { readConfig } from '../config.ts'
import { Forbidden, Unauthorized } from '../errors.ts'
import { apiKeyCredentials } from './credentials.ts'

const pushes = 'secret-of-the-one-that-pushes'
const reads = 'secret-of-the-one-that-reads'
const { secrets } = readConfig({ CLIPGATE_API_KEYS: `shop:push:${pushes},desk:read+admin:${reads}` })
const credentials = apiKeyCredentials(secrets.apiKeys, false)
const open = apiKeyCredentials(secrets.apiKeys, true)

describe('who comes with a key', () => {
  it('is known by its name, where the key has the scope', () => {
    expect(credentials.require(`Bearer ${pushes}`, 'push')).toBe('shop')
    expect(credentials.require(`Bearer ${reads}`, 'read')).toBe('desk')
    expect(credentials.require(`bearer ${reads}`, 'admin')).toBe('desk')
  })

  it('may do nothing else', () => {
    expect(() => credentials.require(`Bearer ${pushes}`, 'read')).toThrow(Forbidden)
    expect(() => credentials.require(`Bearer ${reads}`, 'push')).toThrow(Forbidden)
    expect(() => open.require(`Bearer ${reads}`, 'push')).toThrow(Forbidden)
  })
})

describe('who comes without a key, or with a wrong one', () => {
  const wrong = [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    pushes,
    `Basic ${pushes}`,
    `Bearer ${pushes.slice(0, -1)}`,
    `Bearer ${pushes}x`,
    `Bearer ${pushes} `,
    ` Bearer ${pushes}`,
    `Bearer  ${pushes}`,
    `Bearer ${pushes}, Bearer ${reads}`,
    `Bearer ${pushes.toUpperCase()}`,
    `Bearer ${'x'.repeat(100_000)}`,
    'Bearer undefined-undefined-undefined',
  ]
  it.each(wrong)('is not let in: %.60s', (authorization) => {
    for (const scope of ['push', 'read', 'admin'] as const)
      expect(() => credentials.require(authorization, scope)).toThrow(Unauthorized)
  })

  it('may push where the door is open, and nothing else', () => {
    expect(open.require(undefined, 'push')).toBe('anyone')
    expect(() => open.require(undefined, 'read')).toThrow(Unauthorized)
  })

  it('is not let in with a wrong key even where the door is open', () => {
    for (const authorization of wrong.slice(1)) expect(() => open.require(authorization, 'push')).toThrow(Unauthorized)
    expect(open.require(`Bearer ${pushes}`, 'push')).toBe('shop')
  })

  it('is not let in where there are no keys', () => {
    expect(() => apiKeyCredentials([], false).require(`Bearer ${pushes}`, 'push')).toThrow(Unauthorized)
    expect(() => apiKeyCredentials([], false).require(undefined, 'push')).toThrow(Unauthorized)
  })

  it('learns nothing of the keys', () => {
    try {
      credentials.require('Bearer wrong-wrong-wrong-wrong', 'push')
    } catch (error) {
      expect((error as Error).message).toBe('A valid API key is needed.')
    }
  })
})
