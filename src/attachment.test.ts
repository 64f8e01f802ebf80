import { describe, expect, it } from 'vitest'
import { naughtyNames } from '../tests/fixtures/names.ts'
import { newAttachmentId, parseAttachmentId, reference } from './attachment.ts'
import { NotFound } from './errors.ts'
import { storageKey } from './storage/storage.ts'

describe('an attachment id', () => {
  it('is att_ and 26 characters of base32, never the same, and may be a storage key', () => {
    const ids = Array.from({ length: 1000 }, newAttachmentId)
    expect(new Set(ids).size).toBe(1000)
    for (const id of ids) {
      expect(parseAttachmentId(id)).toBe(id)
      expect(id).toMatch(storageKey)
    }
    // All 32 characters come up: 5 random bits each, 130 in all.
    expect(new Set(ids.flatMap((id) => [...id.slice(4)])).size).toBe(32)
  })

  it.each([
    ...naughtyNames,
    'att_',
    `att_${'0'.repeat(25)}`,
    `att_${'0'.repeat(27)}`,
    `att_${'i'.repeat(26)}`,
    `ATT_${'0'.repeat(26)}`,
    `att_${'0'.repeat(26)}\n`,
    ` att_${'0'.repeat(26)}`,
  ])('is not %j: that names nothing', (text) => {
    expect(() => parseAttachmentId(text)).toThrow(NotFound)
  })
})

describe('a reference', () => {
  it('is # and 8 characters, the same each time, and tells nothing of the id', () => {
    const id = parseAttachmentId('att_0123456789abcdefghjkmnpqrs')
    expect(reference(id)).toMatch(/^#[0-9A-HJKMNP-TV-Z]{8}$/)
    expect(reference(id)).toBe(reference(id))
    expect(id).not.toContain(reference(id).slice(1).toLowerCase())
    expect(new Set(Array.from({ length: 1000 }, () => reference(newAttachmentId()))).size).toBe(1000)
  })
})
