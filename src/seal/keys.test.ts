import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { Damaged, Unavailable } from '../errors.ts'
import { keyRing } from './keys.ts'

const id = 'att_0123456789abcdefghjkmnpqrs'

describe('a data key', () => {
  it('comes back from its wrapping under the same attachment id', () => {
    const ring = keyRing([randomBytes(32)])
    const dataKey = ring.newDataKey()
    expect(dataKey.length).toBe(32)
    expect(ring.unwrap(ring.wrap(dataKey, id), id).equals(dataKey)).toBe(true)
  })

  it('is wrapped anew each time and is not in its wrapping', () => {
    const ring = keyRing([randomBytes(32)])
    const dataKey = ring.newDataKey()
    const [one, other] = [ring.wrap(dataKey, id), ring.wrap(dataKey, id)]
    expect(Buffer.from(one.wrapped).equals(other.wrapped)).toBe(false)
    expect(Buffer.from(one.wrapped).includes(dataKey)).toBe(false)
  })

  it('does not come back under another attachment id', () => {
    const ring = keyRing([randomBytes(32)])
    const wrapped = ring.wrap(ring.newDataKey(), id)
    expect(() => ring.unwrap(wrapped, 'att_zzzzzzzzzzzzzzzzzzzzzzzzzz')).toThrow(Damaged)
  })

  it('does not come back when any byte of its wrapping, its version too, is changed, missing or added', () => {
    const ring = keyRing([randomBytes(32)])
    const { masterKeyId, wrapped } = ring.wrap(ring.newDataKey(), id)
    for (let at = 0; at < wrapped.length; at++) {
      const changed = Buffer.from(wrapped)
      changed[at]! ^= 1
      expect(() => ring.unwrap({ masterKeyId, wrapped: changed }, id)).toThrow(Damaged)
      expect(() => ring.unwrap({ masterKeyId, wrapped: wrapped.subarray(0, at) }, id)).toThrow(Damaged)
    }
    expect(() => ring.unwrap({ masterKeyId, wrapped: Buffer.concat([wrapped, Buffer.alloc(1)]) }, id)).toThrow(Damaged)
  })

  it('does not come back under the name of another master key', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)]
    const ring = keyRing([older, newer])
    const { wrapped } = keyRing([older]).wrap(ring.newDataKey(), id)
    expect(() => ring.unwrap({ masterKeyId: ring.currentId, wrapped }, id)).toThrow(Damaged)
  })

  it('waits for its master key when that one is not here', () => {
    const wrapped = keyRing([randomBytes(32)]).wrap(randomBytes(32), id)
    expect(() => keyRing([randomBytes(32)]).unwrap(wrapped, id)).toThrow(Unavailable)
  })
})

describe('a key ring of several keys', () => {
  it('wraps with the last and opens what any of them wrapped', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)]
    const before = keyRing([older])
    const ring = keyRing([older, newer])
    const dataKey = before.newDataKey()
    expect(ring.ids).toEqual([before.currentId, ring.currentId])
    expect(ring.wrap(dataKey, id).masterKeyId).toBe(ring.currentId)
    expect(ring.unwrap(before.wrap(dataKey, id), id).equals(dataKey)).toBe(true)
  })

  it('names its keys without telling anything of them', () => {
    const key = randomBytes(32)
    const { currentId } = keyRing([key])
    expect(currentId).toMatch(/^mk_[0-9a-f]{16}$/)
    expect(currentId).toBe(keyRing([Buffer.from(key)]).currentId)
    expect(key.toString('hex')).not.toContain(currentId.slice(3))
  })

  it('may learn more while it is in use, and goes on with its current one until it is told', () => {
    const [older, newer] = [randomBytes(32), randomBytes(32)]
    const ring = keyRing([older])
    const [first, second] = [keyRing([older]).currentId, keyRing([newer]).currentId]
    const token = ring.digests('token')
    expect(() => ring.use(second)).toThrow(second)
    ring.learn([newer, older])
    expect([ring.currentId, ring.ids]).toEqual([first, [first, second]])
    expect(ring.unwrap(keyRing([newer]).wrap(older, id), id).equals(older)).toBe(true)
    ring.use(second)
    expect(ring.wrap(older, id).masterKeyId).toBe(second)
    expect(ring.digests('token')).toEqual([...keyRing([newer]).digests('token'), ...token])
  })
})
