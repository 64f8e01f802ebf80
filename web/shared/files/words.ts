import { shownName } from '../../../src/outbox/names.ts'
import type { Formats } from '../format.ts'
import type { Attachment, Verdict } from '../shapes.ts'
import type { FileTexts } from './texts.ts'

/** How a file is told of. */
export interface Words {
  texts: FileTexts
  formats: Formats
}

export type Kind = 'pdf' | 'image' | 'text' | 'other'

/** By what its bytes are, whatever its name says. */
export function kindOf({ type }: Attachment): Kind {
  if (type === 'application/pdf') return 'pdf'
  if (type?.startsWith('image/')) return 'image'
  return type === 'text/plain' || type === 'text/csv' ? 'text' : 'other'
}

/** Never empty, and without what would change how the text around it is shown. */
export function nameOf({ filename, state }: Attachment, { texts }: Words): string {
  if (filename === null) return texts.say(state === 'erased' ? 'nameless' : 'unnamed')
  return shownName(filename)
}

export const stateOf = ({ state }: Attachment, { texts }: Words): string => texts.say(`state_${state}`)

/** How much is to be worried about. */
export function toneOf({ state }: Attachment): 'good' | 'warning' | 'bad' | '' {
  if (state === 'accepted') return 'good'
  if (state === 'refused' || state === 'recalled') return 'bad'
  return state === 'quarantined' || state === 'unfetched' ? 'warning' : ''
}

/** Why it is in its state; null where that says itself. */
export function whyOf({ state, code }: Attachment, { texts }: Words): string | null {
  return texts.find(state === 'refused' ? `code_${code}` : `why_${state}`)
}

/** What each engine said of it, and when. */
export function verdictsOf({ verdicts, scan, state }: Attachment, { texts, formats }: Words): string[] {
  if (verdicts.length === 0 && scan === 'off' && state === 'accepted') return [texts.say('unscanned')]
  return verdicts.map(({ engine, verdict, at }: Verdict) =>
    texts.say(`verdict_${verdict}`, { engine: shownName(engine), when: formats.when(at) }),
  )
}

/** What the agent may send to the customer; null while there is nothing to tell. */
export function sentenceFor(attachment: Attachment, words: Words): string | null {
  if (attachment.sentBy) return null
  const values = { name: nameOf(attachment, words), why: whyOf(attachment, words) ?? '' }
  return words.texts.find(`tell_${attachment.state}`, values)?.trim() ?? null
}
