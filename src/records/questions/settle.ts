import { type Kysely, sql } from 'kysely'
import type { Attachment } from '../../attachment.ts'
import type { WrappedKey } from '../../seal/keys.ts'
import type { Schema } from '../schema.ts'
import { type NewAlert, oweAlert } from './alerts.ts'
import { type AuditEntry, audit } from './audit.ts'
import { insertRow } from './compiled.ts'
import { endFetch, type HeldFetch } from './fetches.ts'
import { oweConfirmation } from './outbox.ts'
import { type Hold, hold } from './quarantine.ts'
import { type QuotaUse, useQuota } from './quota.ts'
import { isRetired } from './rotation.ts'
import { type Spend, spend } from './tickets.ts'
import { together } from './together.ts'
import { Undo } from './undo.ts'
import { keepVerdicts, type NewVerdicts } from './verdicts.ts'
import { keepWords } from './words.ts'

/** The scope of deliveries that are known by the message that they came with. */
export const messageScope = 'message'

/** How a delivery is known again: who calls it what, and what it held. */
export interface Delivery {
  scope: string
  key: string
  fingerprint: string
}

/** All that becomes true of a file at once: it is settled in one transaction. */
export interface Settlement {
  attachment: Attachment
  /** For accepted files: the key under which the storage's bytes open. */
  key: WrappedKey | null
  /** Whether the conversation is owed a confirmation, and in which language. */
  confirmation: { language: string } | null
  delivery: Delivery | null
  /** What the sender's credentials lose by it. */
  spend: Spend | null
  /** What the conversation's quota loses by it. Null: there is none. */
  quotaUse: QuotaUse | null
  /** The fetch that it ends. Null: it came by itself. */
  fetch: HeldFetch | null
  /** How it is kept, where it is neither served nor thrown away. */
  hold: Hold | null
  /** What engines said of its bytes and may be asked for again. */
  verdicts: NewVerdicts | null
  /** What the operator's webhook is told of it. */
  alert: NewAlert | null
  audit: AuditEntry
}

/** What a delivery's first arrival was answered. */
export interface EarlierDelivery {
  /** Null once the attachment was erased. */
  fingerprint: string | null
  /** The attachment as that answer showed it; null once it was erased. */
  answer: Attachment | null
}

/**
 * `already`: another arrival of this delivery has won; nothing of this one is kept.
 * `spent`, `over_quota`: the sender's credentials, or the conversation's quota, are used up, so nothing was changed.
 * `not_held`: somebody else fetches this file, or it was erased meanwhile, so nothing was changed.
 * `key_retired`: its key is wrapped with a master key that is needed no more, so nothing was changed.
 */
export type Settled =
  | { kind: 'settled' }
  | { kind: 'already'; earlier: EarlierDelivery }
  | { kind: 'spent' }
  | { kind: 'over_quota' }
  | { kind: 'not_held' }
  | { kind: 'key_retired' }

export async function settle(db: Kysely<Schema>, settlement: Settlement): Promise<Settled> {
  const { attachment, key, confirmation, delivery } = settlement
  const receivedAt = Date.parse(attachment.receivedAt)
  const at = settlement.audit.at
  if (settlement.spend && !(await spend(db, settlement.spend))) return { kind: 'spent' }
  if (delivery) {
    const { numInsertedOrUpdatedRows } = await db
      .insertInto('deliveries')
      .values({ ...delivery, attachment_id: attachment.id, answer: JSON.stringify(attachment), at: at.getTime() })
      .onConflict((conflict) => conflict.columns(['scope', 'key']).doNothing())
      .executeTakeFirstOrThrow()
    if (!numInsertedOrUpdatedRows) {
      const earlier = await earlierDelivery(db, delivery)
      if (!earlier) throw new Error('a delivery that conflicts and is not there')
      // Another file under this name is refused, so it costs nothing.
      if (earlier.fingerprint !== delivery.fingerprint) throw new Undo<Settled>({ kind: 'already', earlier })
      return { kind: 'already', earlier }
    }
  }
  if (settlement.fetch && !(await endFetch(db, { fetch: settlement.fetch, became: attachment.id, at })))
    throw new Undo<Settled>({ kind: 'not_held' })
  if (settlement.quotaUse && !(await useQuota(db, settlement.quotaUse))) throw new Undo<Settled>({ kind: 'over_quota' })
  const retired = key ? isRetired(db, key.masterKeyId) : Promise.resolve(false)
  await together(
    retired,
    insertRow(db, 'attachments', {
      id: attachment.id,
      state: attachment.state,
      code: attachment.code,
      detail: attachment.detail,
      door: attachment.door,
      conversation_id: attachment.conversationId,
      message_id: attachment.messageId,
      filename: attachment.filename,
      type: attachment.type,
      declared_type: attachment.declaredType,
      size: attachment.size,
      sha256: attachment.sha256,
      scan: attachment.scan,
      verdicts: JSON.stringify(attachment.verdicts),
      received_at: receivedAt,
      erased_at: null,
      record_digest: null,
      stored: key ? 1 : 0,
      sent_by: attachment.sentBy ?? null,
    }),
    keepWords(db, { id: attachment.id, filename: attachment.filename ?? '', receivedAt }),
    key &&
      insertRow(db, 'data_keys', {
        attachment_id: attachment.id,
        master_key_id: key.masterKeyId,
        wrapped: key.wrapped,
      }),
    confirmation && attachment.conversationId !== null
      ? oweConfirmation(db, {
          attachmentId: attachment.id,
          conversationId: attachment.conversationId,
          language: confirmation.language,
          at,
        })
      : null,
    settlement.hold && hold(db, { id: attachment.id, hold: settlement.hold, at }),
    settlement.verdicts && keepVerdicts(db, { ...settlement.verdicts, attachmentId: attachment.id }),
    settlement.alert && oweAlert(db, { alert: settlement.alert, attachmentId: attachment.id, at }),
    audit(db, settlement.audit),
  )
  if (await retired) throw new Undo<Settled>({ kind: 'key_retired' })
  return { kind: 'settled' }
}

/** Null: this delivery is new. */
export async function earlierDelivery(
  db: Kysely<Schema>,
  { scope, key }: { scope: string; key: string },
): Promise<EarlierDelivery | null> {
  const row = await db
    .selectFrom('deliveries')
    .select(['fingerprint', 'answer'])
    .where('scope', '=', scope)
    .where('key', '=', key)
    .executeTakeFirst()
  return row ? { fingerprint: row.fingerprint, answer: row.answer === null ? null : JSON.parse(row.answer) } : null
}

/** Forgets the deliveries that senders named themselves before `before`; the others go with their attachment. */
export async function forgetDeliveries(db: Kysely<Schema>, { before }: { before: Date }): Promise<void> {
  await db
    .deleteFrom('deliveries')
    .where('at', '<', before.getTime())
    // As it stands in the index: by a parameter it would not be used.
    .where(sql<boolean>`scope <> 'message'`)
    .execute()
}
