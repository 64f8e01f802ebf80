// What the service answers to admins, as far as the console reads it; tests/pages/pages.test.ts holds it against the service's own types.

import type { Attachment } from '../shared/shapes.ts'

export interface Page<Item> {
  items: Item[]
  next: string | null
}

export interface FilesOfDay {
  day: string
  door: Attachment['door']
  state: Attachment['state']
  files: number
  bytes: number
}

export interface EngineState {
  engine: string
  signatures: string | null
  signaturesAt: string | null
  ok: boolean
  cause?: string | undefined
}

export interface Overview {
  from: string
  to: string
  byDay: FilesOfDay[]
  totals: { files: number; bytes: number; held: number; owed: number; parked: number }
  engines: EngineState[]
  seconds: Record<'intake' | 'preview', { p50: number; p99: number } | null>
  storage: { files: number; bytes: number }
}

export const auditKinds = [
  'take',
  'list',
  'see',
  'read',
  'release',
  'release_ask',
  'hold',
  'destroy',
  'judge_late',
  'recall',
  'erase',
  'outbox_retry',
  'outbox_drop',
  'ticket_issue',
  'link_make',
  'link_revoke',
  'pull_retry',
  'pull_backfill',
  'policy_push',
  'sign_in',
  'sign_out',
  'account_change',
  'user_sign_in',
  'user_sign_out',
  'request_refuse',
  'credential_refuse',
  'key_make',
  'key_use',
  'key_announce',
  'key_rewrap',
  'key_retire',
  'key_export',
  'backup',
  'restore',
  'move_storage',
  'move_database',
  'scrub_find',
  'service_start',
  'service_stop',
] as const

export interface AuditRow {
  node: string
  seq: number
  at: string
  who: string
  what: (typeof auditKinds)[number]
  object: string | null
  outcome: string
  requestId: string | null
  detail: string | null
}

export interface Story {
  attachment: Attachment
  /** The oldest first. */
  rows: AuditRow[]
}

export interface Held {
  attachment: Attachment
  waitsFor: 'person' | 'engine'
  since: string
  until: string
  asked: { by: string; at: string } | null
}

export interface Owed {
  attachmentId: string
  conversationId: string
  state: 'pending' | 'delivered' | 'parked' | 'dropped'
  way: 'message' | 'agentless' | 'attributes' | null
  attempts: number
  nextAt: string
  reason: string | null
  createdAt: string
}

export interface LinkState {
  id: string
  of: 'safe_copy' | 'original'
  who: string
  madeAt: string
  expiresAt: string
}

export interface FileRules {
  maxFileBytes: number
  allowedTypes: string[]
  types: { type: string; endings: string[]; inspected: boolean }[]
  trailingData: 'refuse' | 'cut'
  limits: Record<string, number>
}

export interface Policy extends FileRules {
  scan: 'required' | 'off'
  keep: 'original' | 'safe_copy'
  quarantine: { codes: string[]; engineDown: boolean; days: number; secondPerson: boolean }
  rescanDays: number
  agentFiles: 'ignore' | 'record'
  deployments: Record<string, FileRules>
}

export interface Difference {
  kind: 'only_there' | 'only_here' | 'larger_there' | 'smaller_there' | 'off_there'
  where: string
  says: string
}

export interface MasterKey {
  id: string
  state: 'waiting' | 'current' | 'old' | 'retired'
  files: number
  since: string
  retiredAt: string | null
}

export interface Readiness {
  ready: boolean
  checks: Record<string, { ok: boolean; cause?: string | undefined; note?: string | undefined }>
}
