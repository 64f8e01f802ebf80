import type { Clock } from '../clock.ts'
import { NotFound } from '../errors.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'

/** Who does it, under which request, and why: the reason is kept in the audit trail. */
export interface Operator {
  who: string
  requestId: string | null
  reason: string | null
}

interface OperatorParts {
  records: Pick<Records, 'retryConfirmations' | 'dropConfirmations'>
  clock: Clock
}

/**
 * Makes due again what is parked, about one attachment or, with null, about all. Tells how much, alerts too. Throws `NotFound` when
 * nothing is parked about the one.
 */
export async function retryOwed(
  attachmentId: string | null,
  by: Operator,
  { records, clock }: OperatorParts,
): Promise<number> {
  const at = clock.now()
  const audit = entryOf('outbox_retry', attachmentId, by, at)
  const count = await records.retryConfirmations({ attachmentId, at, audit })
  if (attachmentId !== null && count === 0) throw new NotFound('parked confirmation')
  return count
}

/** Gives up what is owed about one attachment, and tells how much. Throws `NotFound` when nothing is. */
export async function dropOwed(attachmentId: string, by: Operator, { records, clock }: OperatorParts): Promise<number> {
  const at = clock.now()
  const count = await records.dropConfirmations({
    attachmentId,
    at,
    audit: entryOf('outbox_drop', attachmentId, by, at),
  })
  if (count === 0) throw new NotFound('pending or parked confirmation')
  return count
}

function entryOf(what: AuditEntry['what'], object: string | null, by: Operator, at: Date): AuditEntry {
  return { at, who: by.who, what, object, outcome: '', requestId: by.requestId, detail: by.reason }
}
