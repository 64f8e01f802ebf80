import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Attachment, type AttachmentState, newAttachmentId } from '../attachment.ts'
import { attributesOf } from './attributes.ts'

const now = new Date('2026-10-02T09:15:00.000Z')

const file = (state: AttachmentState, filename = 'scan.pdf'): Attachment => ({
  id: newAttachmentId(),
  state,
  code: state === 'refused' ? 'malware' : null,
  detail: null,
  door: 'push',
  conversationId: 'c',
  messageId: null,
  filename,
  type: 'application/pdf',
  declaredType: 'application/pdf',
  size: 1,
  sha256: '',
  scan: 'required',
  verdicts: [],
  confirmation: null,
  receivedAt: '2026-10-02T09:14:07.512Z',
})

interface Listed {
  id: string
  name: string
}
const listed = (attributes: Record<string, string>) => JSON.parse(attributes.clipgate_files!) as Listed[]

describe('the attributes of a conversation', () => {
  it('name each file with its state, code and time', () => {
    const one = file('refused')
    expect(attributesOf([one], now)).toEqual({
      clipgate_state: 'refused',
      clipgate_files: JSON.stringify([
        { id: one.id, name: 'scan.pdf', state: 'refused', code: 'malware', at: '2026-10-02T09:14:07.512Z' },
      ]),
      clipgate_updated: '2026-10-02T09:15:00.000Z',
    })
  })

  it.each<[AttachmentState, AttachmentState[]]>([
    ['accepted', ['accepted', 'accepted']],
    ['refused', ['accepted', 'refused', 'accepted']],
    ['fetching', ['accepted', 'fetching']],
    ['refused', ['fetching', 'refused']],
    ['unfetched', ['unfetched', 'refused', 'accepted']],
    ['quarantined', ['refused', 'quarantined', 'unfetched', 'accepted']],
    ['recalled', ['quarantined', 'refused', 'recalled', 'accepted']],
  ])('have the state %s when the files are %j', (worst, states) => {
    expect(
      attributesOf(
        states.map((state) => file(state)),
        now,
      ).clipgate_state,
    ).toBe(worst)
  })

  it('have the worst state of all files, though only the newest ten are listed', () => {
    const files = [...Array.from({ length: 10 }, () => file('accepted')), file('quarantined')]
    const attributes = attributesOf(files, now)
    expect(listed(attributes)).toHaveLength(10)
    expect(attributes.clipgate_state).toBe('quarantined')
  })

  it('are empty when every file was erased', () => {
    expect(attributesOf([], now)).toMatchObject({ clipgate_state: '', clipgate_files: '[]' })
  })

  it('list the newest that fit into 2,000 characters, whatever the names', () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: 'binary', maxLength: 150 }), { maxLength: 15 }), (names) => {
        const files = names.map((name) => file('accepted', name))
        const attributes = attributesOf(files, now)
        expect(attributes.clipgate_files!.length).toBeLessThanOrEqual(2000)
        const ids = listed(attributes).map(({ id }) => id)
        expect(ids).toEqual(files.slice(0, ids.length).map(({ id }) => id))
        if (files.length > 0) expect(ids.length).toBeGreaterThan(0)
      }),
    )
  })
})
