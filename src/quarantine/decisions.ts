import type { Attachment, AttachmentId, Verdict } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Conflict, NotFound, type RefusalCode } from '../errors.ts'
import type { NewAlert } from '../records/questions/alerts.ts'
import type { AuditKind } from '../records/questions/audit.ts'
import type { Decision } from '../records/questions/quarantine.ts'
import type { Records } from '../records/records.ts'
import type { Storage } from '../storage/storage.ts'
import type { Events } from '../telemetry/events.ts'

export interface DecisionParts {
  records: Records
  storage: Storage
  /** Days until what is held is destroyed, and whether two persons must agree before it is released. */
  policy: { days: number; secondPerson: boolean }
  /** What the operator's webhook is to be told of a file. */
  alertOf(attachment: Pick<Attachment, 'state' | 'agentMayHaveSeen'>): NewAlert | null
  /** Something is owed. */
  wake(): void
  clock: Clock
  events: Events
}

/** Who decides, under which request, and why: the reason is kept in the audit trail. */
export interface Decider {
  who: string
  requestId: string | null
  reason: string
}

const dayMs = 24 * 60 * 60 * 1000

export interface Decisions {
  /**
   * Lets a held file through; where two persons must agree, the first call is on record as `asked`, and another's releases it. Throws
   * `NotFound`, or `Conflict` when it does not wait for a person.
   */
  release(id: AttachmentId, by: Decider): Promise<{ status: 'released' | 'asked'; attachment: Attachment }>
  /** Takes an accepted file back, until somebody decides. Throws `NotFound`, or `Conflict` when it is not accepted. */
  hold(id: AttachmentId, by: Decider): Promise<Attachment>
  /** Refuses a held file for good: first the key, then the bytes. Throws `NotFound`, or `Conflict` when it is not held. */
  destroy(id: AttachmentId, by: Decider): Promise<Attachment>
  /** What an engine says of a file that waited for it. */
  judged(attachment: Attachment, outcome: Late): Promise<void>
  /** A finding in a file that was accepted: it is called back. */
  recall(attachment: Attachment, finding: Late & { code: RefusalCode }): Promise<void>
}

/** What becomes of a file by verdicts that came late. */
export interface Late {
  /** Null: it is clean. */
  code: RefusalCode | null
  detail: string | null
  verdicts: Verdict[]
  /** Whether the policy keeps what is refused for this. */
  keep: boolean
}

export function createDecisions(parts: DecisionParts): Decisions {
  const { records, policy, clock, events } = parts
  const service = { who: '(service)', requestId: null }

  const until = () => new Date(clock.now().getTime() + policy.days * dayMs)
  const byPerson = () => ({ waitsFor: 'person' as const, until: until() })

  async function found(id: AttachmentId): Promise<Attachment> {
    const attachment = await records.attachment(id)
    if (!attachment) throw new NotFound('attachment')
    return attachment
  }

  /** Null: meanwhile it became something else. */
  async function decide(
    what: AuditKind,
    attachment: Attachment,
    decision: Pick<Decision, 'from' | 'become' | 'code' | 'detail' | 'verdicts' | 'hold' | 'tell'>,
    { who, requestId, reason }: { who: string; requestId: string | null; reason: string | null },
  ): Promise<Attachment | null> {
    const at = clock.now()
    const { id, agentMayHaveSeen } = attachment
    const { become } = decision
    const decided = await records.decide({
      id,
      at,
      ...decision,
      alert: parts.alertOf({ state: become, ...(agentMayHaveSeen && { agentMayHaveSeen }) }),
      audit: { at, who, what, object: id, outcome: decision.code ?? become, requestId, detail: reason },
    })
    if (!decided) return null
    events.fileDecided(decided, who)
    parts.wake()
    if (become === 'refused') {
      await records.truncateLog()
      await parts.storage.remove(id)
      await records.bytesRemoved(id)
    }
    return decided
  }

  const changed = () => new Conflict('conflict', 'The file became something else meanwhile.')
  const stateOf = ({ state }: Attachment) => (state === 'accepted' ? 'is accepted' : `is ${state}`)

  return {
    async release(id, by) {
      const attachment = await found(id)
      const held = await records.heldOne(attachment.id)
      if (held?.waitsFor !== 'person')
        throw new Conflict(
          'conflict',
          held
            ? 'The file waits for an engine, which nobody can stand in for.'
            : `The file ${stateOf(attachment)}, so there is nothing to release.`,
        )
      if (policy.secondPerson) {
        const at = clock.now()
        const { who, requestId, reason } = by
        const entry = { at, who, what: 'release_ask' as const, object: attachment.id, outcome: 'asked', requestId }
        const asked = await records.askRelease({ id: attachment.id, by: who, at, audit: { ...entry, detail: reason } })
        if (asked === null) throw changed()
        if (asked === 'asked') return { status: 'asked', attachment }
      }
      const released = await decide(
        'release',
        attachment,
        {
          from: ['quarantined', 'recalled'],
          become: 'accepted',
          code: null,
          detail: `released by ${by.who}; was ${attachment.code ?? 'held'}: ${attachment.detail ?? ''}`.slice(0, 500),
          verdicts: null,
          hold: null,
          tell: true,
        },
        by,
      )
      if (!released) throw changed()
      return { status: 'released', attachment: released }
    },

    async hold(id, by) {
      const attachment = await found(id)
      const held = await decide(
        'hold',
        attachment,
        {
          from: ['accepted'],
          become: 'quarantined',
          code: null,
          detail: `held by ${by.who}`,
          verdicts: null,
          hold: byPerson(),
          tell: true,
        },
        by,
      )
      if (!held) throw new Conflict('conflict', `The file ${stateOf(attachment)}, so it cannot be held.`)
      return held
    },

    async destroy(id, by) {
      const attachment = await found(id)
      const { code, detail } = attachment
      const destroyed = await decide(
        'destroy',
        attachment,
        {
          from: ['quarantined', 'recalled'],
          become: 'refused',
          code: code ?? 'unscannable',
          detail: `destroyed by ${by.who}; ${detail ?? ''}`.slice(0, 500),
          verdicts: null,
          hold: null,
          // Of a file that was called back nothing new is to be said.
          tell: attachment.state === 'quarantined',
        },
        by,
      )
      if (!destroyed) throw new Conflict('conflict', `The file ${stateOf(attachment)}, so it cannot be destroyed.`)
      return destroyed
    },

    async judged(attachment, { code, detail, verdicts, keep }) {
      const hold = code !== null && keep ? byPerson() : null
      const become = code === null ? 'accepted' : hold ? 'quarantined' : 'refused'
      await decide(
        'judge_late',
        attachment,
        // Who was told that it is held need not be told again.
        { from: ['quarantined'], become, code, detail, verdicts, hold, tell: hold === null },
        { ...service, reason: detail },
      )
    },

    async recall(attachment, { code, detail, verdicts }) {
      await decide(
        'recall',
        attachment,
        { from: ['accepted'], become: 'recalled', code, detail, verdicts, hold: byPerson(), tell: true },
        { ...service, reason: detail },
      )
    },
  }
}
