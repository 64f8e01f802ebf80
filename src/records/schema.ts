/** The tables, as the migrations make them. Times are milliseconds since 1970, UTC. */
export interface Schema {
  attachments: AttachmentRow
  attachment_words: { word: string; received_at: number; attachment_id: string }
  data_keys: { attachment_id: string; master_key_id: string; wrapped: Uint8Array }
  master_keys: { id: string; first_used_at: number; waits: number | null; retired_at: number | null }
  key_holders: { process: string; holds: string; wraps_with: string; seen_at: number }
  deliveries: DeliveryRow
  confirmations: ConfirmationRow
  tickets: {
    digest: string
    conversation_id: string
    message_id: string | null
    language: string | null
    files_left: number
    issued_by: string
    issued_at: number
    expires_at: number
  }
  links: LinkRow
  files_by_day: {
    day: number
    door: string
    state: string
    /** Who counts: what is true of a day is the sum of all. */
    part: number
    files: number
    bytes: number
    stored_files: number
    stored_bytes: number
  }
  conversation_usage: { conversation_id: string; day: string; files: number; bytes: number }
  sessions: SessionRow
  accounts: { name: string; role: string; hash: string; made_at: number; set_at: number }
  used_signatures: { digest: string; until: number }
  lookups: LookupRow
  fetches: FetchRow
  fetch_names: { attachment_id: string; filename: string; declared_type: string }
  alerts: AlertRow
  quarantine: QuarantineRow
  verdicts: {
    digest: string
    engine: string
    signatures: string
    verdict: string
    detail: string | null
    at: number
    attachment_id: string
  }
  rescan: {
    one: number
    signatures: string
    began_at: number
    ended_at: number | null
    reached_at: number | null
    reached_id: string | null
    lease: string | null
    leased_until: number
  }
  scrub: {
    one: number
    began_at: number
    ended_at: number | null
    total: number
    done: number
    reached_at: number | null
    reached_id: string | null
    lease: string | null
    leased_until: number
  }
  gateway_files: GatewayFileRow
  gateway_messages: { message_id: string; attempts: number; next_at: number | null; at: number }
  seen_events: { id: string; at: number }
  /** Who writes a chain of audit rows. */
  audit_nodes: { node: string }
  audit: AuditRow
}

export interface AttachmentRow {
  id: string
  state: string
  code: string | null
  detail: string | null
  door: string
  conversation_id: string | null
  message_id: string | null
  filename: string | null
  type: string | null
  declared_type: string | null
  size: number | null
  sha256: string | null
  scan: string
  verdicts: string
  received_at: number
  erased_at: number | null
  record_digest: string | null
  stored: number
  sent_by: string | null
}

export interface LinkRow {
  digest: string
  id: string
  attachment_id: string
  gives: string
  who: string
  session_id: string | null
  made_at: number
  expires_at: number
}

export interface DeliveryRow {
  scope: string
  key: string
  fingerprint: string | null
  attachment_id: string
  answer: string | null
  at: number
}

export interface ConfirmationRow {
  attachment_id: string
  conversation_id: string
  language: string
  state: string
  way: string | null
  attempts: number
  next_at: number
  lease: string | null
  uncertain: number
  possibly_repeated: number
  reason: string | null
  created_at: number
  settled_at: number | null
  round: number
}

export interface SessionRow {
  id: string
  digest: string
  kind: string
  subject: string
  name: string
  role: string
  master_key_id: string
  token: Uint8Array | null
  began_at: number
  expires_at: number
  live_until: number
}

export interface GatewayFileRow {
  session: string
  source_id: string
  deployment_id: string
  state: string
  attachment_id: string | null
  language: string | null
  message_id: string | null
  attempts: number
  next_at: number | null
  reason: string | null
  at: number
  platform_id: string | null
}

export interface QuarantineRow {
  attachment_id: string
  waits_for: string
  since: number
  until: number
  next_at: number
  asked_by: string | null
  asked_at: number | null
}

export interface LookupRow {
  conversation_id: string
  message_id: string
  language: string | null
  backfill: string | null
  asks: number
  state: string
  attempts: number
  next_at: number
  lease: string | null
  reason: string | null
  asked_at: number
}

export interface FetchRow {
  attachment_id: string
  conversation_id: string
  message_id: string
  source_id: string
  language: string | null
  backfill: string | null
  scan: string
  state: string
  became: string | null
  attempts: number
  next_at: number
  lease: string | null
  reason: string | null
  learned_at: number
  settled_at: number | null
  sent_by: string | null
}

export interface AlertRow {
  id: string
  attachment_id: string
  kind: string
  state: string
  attempts: number
  next_at: number
  lease: string | null
  reason: string | null
  created_at: number
  settled_at: number | null
}

export interface AuditRow {
  node: string
  /** Its place in the chain of its node: from 1, without gaps. */
  seq: number
  at: number
  who: string
  what: string
  object: string | null
  outcome: string
  request_id: string | null
  detail: string | null
  /** The digest of the row before; of the first, 64 zeros. */
  previous: string
  digest: string
}
