import { describe, expect, it } from 'vitest'
import { epoch, settlement } from '../../tests/fixtures/settlements.ts'
import { newAttachmentId } from '../attachment.ts'
import { Conflict, Gone } from '../errors.ts'
import { messageScope } from '../records/questions/settle.ts'
import { deliveryOf, type Named, sameAnswer } from './deliveries.ts'
import type { Spooled } from './spool/spool.ts'

async function* none(): AsyncGenerator<Buffer> {}

const arrival: Named = {
  conversationId: 'c1',
  messageId: 'm1',
  filename: 'photo.jpg',
  declaredType: 'image/jpeg',
  delivery: null,
}

const whole = (sha256: string): Spooled => ({
  tooLarge: false,
  examined: null,
  letGo: () => {},
  id: newAttachmentId(),
  dataKey: Buffer.alloc(32),
  path: '/nowhere',
  size: 1,
  sealedSize: 33,
  sha256,
  type: 'image/jpeg',
  open: none,
  discard: async () => {},
})
const cut: Spooled = {
  tooLarge: true,
  id: newAttachmentId(),
  size: null,
  sha256: null,
  type: null,
  discard: async () => {},
}
const key = { scope: 'key:shop', key: 'order-1' }

describe('a delivery', () => {
  it('without a key and without a message is new each time', () => {
    expect(deliveryOf({ ...arrival, messageId: null }, whole('a'))).toBeNull()
    expect(deliveryOf({ ...arrival, conversationId: null }, whole('a'))).toBeNull()
  })

  it('is known by its sender’s key, whatever it holds; what it holds is its fingerprint', () => {
    const one = deliveryOf({ ...arrival, delivery: key }, whole('a'))
    expect(one).toMatchObject(key)
    expect(deliveryOf({ ...arrival, delivery: key }, whole('a'))).toEqual(one)
    const others = [
      deliveryOf({ ...arrival, delivery: key }, whole('b')),
      deliveryOf({ ...arrival, delivery: key }, cut),
      deliveryOf({ ...arrival, delivery: key, filename: 'other.jpg' }, whole('a')),
      deliveryOf({ ...arrival, delivery: key, declaredType: 'image/png' }, whole('a')),
      deliveryOf({ ...arrival, delivery: key, conversationId: 'c2' }, whole('a')),
      deliveryOf({ ...arrival, delivery: key, messageId: null }, whole('a')),
    ]
    for (const other of others) expect(other).toMatchObject(key)
    expect(new Set([one, ...others].map((delivery) => delivery?.fingerprint)).size).toBe(others.length + 1)
  })

  it('is known by its message and content when its sender named none', () => {
    const one = deliveryOf(arrival, whole('a'))
    expect(one?.scope).toBe(messageScope)
    expect(deliveryOf({ ...arrival, filename: 'other.jpg' }, whole('a'))?.key).toBe(one?.key)
    for (const other of [
      deliveryOf(arrival, whole('b')),
      deliveryOf({ ...arrival, messageId: 'm2' }, whole('a')),
      deliveryOf({ ...arrival, conversationId: 'c2' }, whole('a')),
    ])
      expect(other?.key).not.toBe(one?.key)
  })

  it('that was cut off at the limit is known by its name and type instead of its content', () => {
    const one = deliveryOf(arrival, cut)
    expect(deliveryOf(arrival, cut)).toEqual(one)
    expect(deliveryOf({ ...arrival, filename: 'other.jpg' }, cut)?.key).not.toBe(one?.key)
    expect(deliveryOf({ ...arrival, declaredType: 'image/png' }, cut)?.key).not.toBe(one?.key)
  })

  it('is not mistaken for another whose parts only join to the same text', () => {
    const one = deliveryOf({ ...arrival, conversationId: 'a', messageId: 'bc' }, whole('a'))
    expect(deliveryOf({ ...arrival, conversationId: 'ab', messageId: 'c' }, whole('a'))?.key).not.toBe(one?.key)
    expect(deliveryOf({ ...arrival, conversationId: 'a","b', messageId: 'c' }, whole('a'))?.key).not.toBe(one?.key)
  })
})

describe('a delivery that was here before', () => {
  const { attachment } = settlement()
  const delivery = { ...key, fingerprint: 'f' }
  const pushed = { fetch: null }

  it('gets the first answer again', () => {
    expect(sameAnswer(delivery, { fingerprint: 'f', answer: attachment }, pushed)).toBe(attachment)
  })

  it('with another file is a conflict', () => {
    expect(() => sameAnswer(delivery, { fingerprint: 'other', answer: attachment }, pushed)).toThrow(Conflict)
  })

  it('that we fetched ourselves is the same file under whatever name it was pushed', () => {
    const fetch = { attachmentId: attachment.id, lease: 'l', learnedAt: epoch }
    expect(sameAnswer(delivery, { fingerprint: 'other', answer: attachment }, { fetch })).toBe(attachment)
  })

  it('and whose file was erased is gone, and does not come back', () => {
    expect(() => sameAnswer(delivery, { fingerprint: null, answer: null }, pushed)).toThrow(Gone)
  })
})
