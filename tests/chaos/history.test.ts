import { describe, expect, it } from 'vitest'
import { type Attachment, reference } from '../../src/attachment.ts'
import { settlement } from '../fixtures/settlements.ts'
import { brokenPromises, type Found, type Sent } from './history.ts'

/** Two files that went as they should: one taken, one refused. */
function history() {
  const clean = { engine: 'clamd', verdict: 'clean' as const, at: '2026-10-02T09:14:07.512Z' }
  const make = (changed: Partial<Attachment>) => settlement({ conversationId: 'c', ...changed }).attachment
  const taken = make({ filename: 'a.txt', sha256: 'a', verdicts: [clean] })
  const refused = make({ filename: 'b.txt', sha256: 'b', state: 'refused', code: 'malware' })
  const sent: [Sent, Sent] = [
    {
      key: 'a',
      filename: 'a.txt',
      sha256: 'a',
      conversationId: 'c',
      dangerous: false,
      answers: [{ status: 200, id: taken.id }],
    },
    {
      key: 'b',
      filename: 'b.txt',
      sha256: 'b',
      conversationId: 'c',
      dangerous: true,
      answers: [{ status: 422, id: refused.id }],
    },
  ]
  const found: Found = {
    attachments: [taken, refused],
    served: new Map([
      [taken.id, 'a'],
      [refused.id, null],
    ]),
    said: new Map([['c', [`Taken ${reference(taken.id)}`, `Refused ${reference(refused.id)}`]]]),
    pending: 0,
    parked: 0,
  }
  return { taken, refused, sent, found }
}
type History = ReturnType<typeof history>

describe('what is examined after the chaos', () => {
  it('is whole when every promise was kept', () => {
    const { sent, found } = history()
    expect(brokenPromises(sent, found)).toEqual([])
  })

  const cases: [string, (history: History) => void, string][] = [
    ['a file that was acknowledged and is gone', ({ found }) => found.attachments.shift(), 'is not there'],
    [
      'one that is not accepted any more',
      ({ taken }) => Object.assign(taken, { state: 'refused' }),
      'another digest or state',
    ],
    ['one with another content', ({ taken, found }) => found.served.set(taken.id, 'x'), 'not served as it was sent'],
    ['one without content', ({ taken, found }) => found.served.set(taken.id, null), 'not served as it was sent'],
    [
      'two answers to one delivery',
      ({ sent }) => sent[0].answers.push({ status: 200, id: 'att_other' }),
      '2 attachments',
    ],
    [
      'two records of one delivery',
      ({ found, taken }) => found.attachments.push({ ...taken, id: `att_${'z'.repeat(26)}` as never }),
      'has 2 records',
    ],
    ['a record of what nobody sent', ({ taken }) => Object.assign(taken, { filename: 'c.txt' }), 'sent by nobody'],
    ['a sender without an answer', ({ sent }) => sent[0].answers.splice(0), 'never had an answer'],
    [
      'a dangerous file that was taken',
      ({ sent, taken }) => sent[1].answers.push({ status: 200, id: taken.id }),
      'was taken',
    ],
    [
      'a dangerous file that is served',
      ({ found, refused }) => found.served.set(refused.id, 'b'),
      'served and dangerous',
    ],
    ['a file that nobody judged', ({ taken }) => Object.assign(taken, { verdicts: [] }), 'never judged clean'],
    ['a confirmation that never came', ({ found }) => found.said.set('c', []), 'never confirmed'],
    ['one that came twice', ({ found }) => found.said.get('c')!.push(...found.said.get('c')!), 'says nothing of it'],
    ['what is still owed', ({ found }) => Object.assign(found, { pending: 1 }), 'still owed'],
    ['what was given up', ({ found }) => Object.assign(found, { parked: 1 }), 'given up'],
  ]
  it.each(cases)('tells %s', (_, change, told) => {
    const changed = history()
    change(changed)
    expect(brokenPromises(changed.sent, changed.found).join('\n')).toContain(told)
  })

  it('lets a confirmation come twice where its record says that the platform’s answer was lost', () => {
    const { sent, found, taken } = history()
    Object.assign(taken, { confirmation: { ...taken.confirmation, possiblyRepeated: true } })
    found.said.get('c')!.push(`Taken ${reference(taken.id)}`)
    expect(brokenPromises(sent, found)).toEqual([])
  })
})
