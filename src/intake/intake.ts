import { type Attachment, newAttachmentId, sentAndSeen } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Gone, OutcomeUnknown, Unauthorized, Unavailable } from '../errors.ts'
import type { NewAlert } from '../records/questions/alerts.ts'
import type { Records } from '../records/records.ts'
import type { Storage } from '../storage/storage.ts'
import type { Events } from '../telemetry/events.ts'
import type { Admission } from './admission.ts'
import type { Arrival } from './arrival.ts'
import { deliveryOf, sameAnswer } from './deliveries.ts'
import { isReadAsItComes } from './inspect/inspect.ts'
import { quickBytes } from './inspect/limits.ts'
import { type Judgement, type JudgeParts, judge } from './judge.ts'
import { policyFor } from './policy.ts'
import type { Quotas } from './quota.ts'
import type { Spooled } from './spool/spool.ts'

export interface IntakeParts extends JudgeParts {
  admission: Admission
  quotas: Quotas
  storage: Storage
  records: Records
  /** Null: nothing is confirmed. Else the language for arrivals that name none that we have. */
  confirm: { languageOf(asked: string | null): string } | null
  /** What the operator's webhook is to be told of a file. */
  alertOf(attachment: Attachment): NewAlert | null
  clock: Clock
  events: Events
}

/** What a form may have beside its file. */
const formBytes = 16 * 1024

/** Who sent it and under which request, for the audit trail. */
export interface Caller {
  who: string
  requestId: string
}

/** `repeated`: this delivery was here before, and this is what it was answered. */
export interface Outcome {
  attachment: Attachment
  repeated: boolean
}

export type Intake = (arrival: Arrival, caller: Caller) => Promise<Outcome>

/**
 * Takes one file along the whole path. A judgement on the file is an `Outcome`; a throw means that nothing is kept and
 * nothing was said: `Unavailable` (send it again), `Conflict`, `Gone`, or what reading the arrival threw.
 */
export async function intake(arrival: Arrival, caller: Caller, parts: IntakeParts): Promise<Outcome> {
  // What may be known already must be answered as it was, quota or not; and who has proved nothing is told nothing.
  const mayBeKnown = arrival.delivery !== null || arrival.messageId !== null || arrival.unproven
  if (!mayBeKnown) await parts.quotas.foresee(arrival.countsFor)
  const leave = await parts.admission.enter(arrival.delivery, arrival)
  try {
    // Also of what was known under another: two who fetch the same file never write over, or remove, each other's bytes.
    const id = newAttachmentId()
    const { maxFileBytes: maxBytes, strictness, allowedTypes } = policyFor(parts.policy, arrival.deploymentId)
    const { declaredType: asked } = arrival
    // A large one would be kept in memory until it is seen to be large.
    const maybeSmall = arrival.atMost === null || arrival.atMost <= quickBytes + formBytes
    const inspection =
      maybeSmall && allowedTypes.includes(asked) && !isReadAsItComes(asked) ? { asked, strictness } : null
    const options = { id, dataKey: parts.keys.newDataKey(), maxBytes, inspection }
    const file = await parts.spool.spool(arrival.bytes, options)
    /** What lies in the spool and is not taken over. */
    const left = new Set<Spooled>([file])
    try {
      if (file.tooLarge) await arrival.proved()
      const delivery = deliveryOf(arrival, file)
      const earlier = delivery && (await parts.records.earlierDelivery(delivery))
      if (delivery && earlier) {
        const attachment = sameAnswer(delivery, earlier, arrival)
        if (arrival.spend && !(await parts.records.spend(arrival.spend))) throw new Unauthorized(usedUp)
        return { attachment, repeated: true }
      }
      if (mayBeKnown) await parts.quotas.foresee(arrival.countsFor)
      const judgement = await judge(arrival, file, parts, (copy) => left.add(copy))
      if (judgement.state !== 'refused') {
        await parts.storage.adopt(id, judgement.file)
        judgement.file.letGo()
        left.delete(judgement.file)
      }
      return await settle(arrival, caller, file, judgement, parts)
    } finally {
      // The answer is known: what is left of a file is sealed, nobody has its key, and the next start removes it.
      for (const one of left) await one.discard().catch((error: unknown) => parts.events.spoolNotCleared(error))
    }
  } finally {
    leave()
  }
}

const dayMs = 24 * 60 * 60 * 1000

/** Two deliveries at once may use the same credentials: the commit decides. */
const usedUp = 'These credentials are used up.'

async function settle(
  arrival: Arrival,
  { who, requestId }: Caller,
  file: Spooled,
  judgement: Judgement,
  { policy, records, storage, keys, scanners, confirm, alertOf, quotas, clock, events }: IntakeParts,
): Promise<Outcome> {
  const now = clock.now()
  const { id } = file
  const { conversationId, messageId } = arrival
  // What our own side sent needs no confirmation.
  const owed =
    conversationId !== null && arrival.sentBy === null && confirm
      ? { language: confirm.languageOf(arrival.language) }
      : null
  const { state } = judgement
  const kept = state === 'refused' ? null : judgement.file
  const { code, detail } = state === 'accepted' ? { code: null, detail: null } : judgement
  const hold = state === 'quarantined' && {
    waitsFor: judgement.waitsFor,
    until: new Date(now.getTime() + policy.quarantine.days * dayMs),
  }
  const attachment: Attachment = {
    id,
    state,
    code,
    detail,
    door: arrival.door,
    conversationId,
    messageId,
    filename: arrival.filename,
    type: judgement.type,
    declaredType: arrival.declaredType,
    size: (kept ?? file).size,
    sha256: (kept ?? file).sha256,
    scan: scanners ? 'required' : 'off',
    verdicts: judgement.verdicts,
    confirmation: conversationId === null ? null : { state: owed ? 'pending' : 'off', way: null, at: null },
    receivedAt: (arrival.fetch?.learnedAt ?? now).toISOString(),
    ...sentAndSeen(arrival.door, arrival.sentBy),
  }
  const delivery = deliveryOf(arrival, file)
  try {
    const settled = await records.settle({
      attachment,
      key: kept && keys.wrap(kept.dataKey, id),
      confirmation: owed,
      delivery,
      spend: arrival.spend,
      quotaUse: quotas.useOf(arrival.countsFor, kept?.size ?? 0),
      fetch: arrival.fetch && { attachmentId: arrival.fetch.attachmentId, lease: arrival.fetch.lease },
      hold: hold || null,
      verdicts: judgement.remember,
      alert: alertOf(attachment),
      audit: {
        at: now,
        who,
        what: 'take',
        object: id,
        outcome: state === 'refused' ? code! : state,
        requestId,
        detail: null,
      },
    })
    // What cannot be removed now is an orphan, which the sweep removes: the answer is known.
    if (settled.kind !== 'settled' && kept) await storage.remove(id).catch(() => {})
    if (settled.kind === 'spent') throw new Unauthorized(usedUp)
    if (settled.kind === 'over_quota') throw quotas.exceeded()
    if (settled.kind === 'not_held') throw new Gone('The file was fetched or erased meanwhile.')
    // Sent again, it is sealed under the one that is current by then.
    if (settled.kind === 'key_retired') throw new Unavailable('the master key that it was sealed under is retired')
    if (settled.kind === 'already' && delivery) {
      return { attachment: sameAnswer(delivery, settled.earlier, arrival), repeated: true }
    }
  } catch (error) {
    // A commit that may stand leaves its bytes alone: the sweep asks the records again before it removes them.
    if (kept && !(error instanceof OutcomeUnknown)) await storage.remove(id).catch(() => {})
    throw error
  }
  events.fileJudged(attachment, requestId)
  return { attachment, repeated: false }
}
