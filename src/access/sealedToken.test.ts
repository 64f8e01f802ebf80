import { randomBytes } from 'node:crypto'
import { expect, it } from 'vitest'
import { Damaged, Unavailable } from '../errors.ts'
import { keyRing } from '../seal/keys.ts'
import { sealToken, unsealToken } from './sealedToken.ts'

const [older, newer] = [randomBytes(32), randomBytes(32)]
const token = 'a token of some user, ü'

it('a sealed token opens for its owner alone, unchanged, by the master key that it was sealed under', () => {
  const ring = keyRing([older])
  const { masterKeyId, sealed } = sealToken(token, 'ses_1', ring)
  expect(sealed.includes(token)).toBe(false)
  expect(unsealToken(sealed, masterKeyId, 'ses_1', keyRing([older, newer]))).toBe(token)
  expect(() => unsealToken(sealed, masterKeyId, 'ses_2', ring)).toThrow(Damaged)
  expect(() => unsealToken(sealed, masterKeyId, 'ses_1', keyRing([newer]))).toThrow(Unavailable)
  for (let at = 0; at < sealed.length; at++) {
    const changed = Buffer.from(sealed)
    changed[at]! ^= 1
    expect(() => unsealToken(changed, masterKeyId, 'ses_1', ring)).toThrow(Damaged)
  }
  for (let length = 0; length < sealed.length; length++)
    expect(() => unsealToken(sealed.subarray(0, length), masterKeyId, 'ses_1', ring)).toThrow(Damaged)
})

it('the same token is never sealed to the same bytes', () => {
  const ring = keyRing([older])
  expect(sealToken(token, 'ses_1', ring).sealed).not.toEqual(sealToken(token, 'ses_1', ring).sealed)
})
