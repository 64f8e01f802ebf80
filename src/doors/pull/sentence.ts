import type { Attachment } from '../../attachment.ts'
import type { Limits, Texts } from '../../outbox/texts.ts'

/** What the platform takes of one message, and a little less. */
const longest = 1990

/**
 * What a flow can say to the customer of these files, newest first: a sentence each, oldest first, as many of the newest
 * as one message holds. A file that is on its way has still to be examined; one that is not to be had could not be checked.
 */
export function sentenceOf(
  attachments: Attachment[],
  language: string,
  texts: Pick<Texts, 'sentence'>,
  limits: Limits,
) {
  const said: string[] = []
  let room = longest
  for (const { state, ...rest } of attachments) {
    if (state === 'erased') continue
    const shown = state === 'fetching' ? 'quarantined' : state === 'unfetched' ? 'refused' : state
    const sentence = texts.sentence({ ...rest, state: shown }, language, limits)
    room -= sentence.length + 1
    if (room < 0) break
    said.unshift(sentence)
  }
  return said.join(' ')
}
