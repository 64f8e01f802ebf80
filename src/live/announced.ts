import type { Records } from '../records/records.ts'
import type { Hub } from './hub.ts'

/** The same records, of which each change to an attachment that stands is told to who watches. */
export function announced(records: Records, hub: Pick<Hub, 'changed' | 'wake'>): Records {
  /** After the change; `idOf` names the attachment, or null when it is not known or there is none. */
  const telling =
    <Asked, Answer>(change: (asked: Asked) => Promise<Answer>, idOf: (asked: Asked, answer: Answer) => string | null) =>
    async (asked: Asked): Promise<Answer> => {
      const answer = await change(asked)
      const id = idOf(asked, answer)
      if (id === null) hub.wake()
      else hub.changed(id)
      return answer
    }
  return {
    ...records,
    // One that was fetched was known under another id.
    settle: telling(records.settle, ({ attachment, fetch }) => fetch?.attachmentId ?? attachment.id),
    decide: telling(records.decide, ({ id }) => id),
    erase: telling(records.erase, ({ id }, erased) => erased?.id ?? id),
    settleConfirmation: telling(records.settleConfirmation, ({ attachmentId }) => attachmentId),
    retryConfirmations: telling(records.retryConfirmations, ({ attachmentId }) => attachmentId),
    dropConfirmations: telling(records.dropConfirmations, ({ attachmentId }) => attachmentId),
    settleLookup: telling(records.settleLookup, () => null),
    settleFetch: telling(records.settleFetch, ({ fetch }) => fetch.attachmentId),
    retryFetches: telling(records.retryFetches, ({ attachmentId }) => attachmentId),
    completeFile: telling(records.completeFile, ({ attachmentId }) => attachmentId),
    settleRescan: telling(records.settleRescan, ({ reached }) => reached.id),
  }
}
