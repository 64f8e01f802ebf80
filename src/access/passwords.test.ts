import { describe, expect, it } from 'vitest'
import { Unavailable } from '../errors.ts'
import { createPasswords, hashPassword } from './passwords.ts'

describe('a password', () => {
  it('is kept as a hash of its own, with costs that are told in it', async () => {
    const [first, second] = await Promise.all([hashPassword('correct horse'), hashPassword('correct horse')])
    expect(first).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
    expect(first).not.toBe(second)
  })

  it('matches its hash alone, however its characters were typed, and nothing where there is no account', async () => {
    const { match } = createPasswords()
    const hash = await hashPassword('Zürich bahnhof')
    expect(await match('Zürich bahnhof', hash)).toBe(true)
    expect(await match('Zu\u0308rich bahnhof', hash)).toBe(true)
    for (const wrong of ['zürich bahnhof', 'Zürich bahnhof ', '', 'Zürich'])
      expect(await match(wrong, hash)).toBe(false)
    expect(await match('nobody has this password', null)).toBe(false)
  })

  it('is not compared when too many wait already, and later it is', async () => {
    const { match } = createPasswords()
    const hash = await hashPassword('correct horse')
    const all = await Promise.allSettled(Array.from({ length: 40 }, () => match('correct horse', hash)))
    const refused = all.filter(({ status }) => status === 'rejected') as PromiseRejectedResult[]
    expect(refused).toHaveLength(6)
    for (const { reason } of refused) expect(reason).toBeInstanceOf(Unavailable)
    expect(await match('correct horse', hash)).toBe(true)
  })
})
