import contentDisposition from 'content-disposition'
import type { Viewer } from '../access/viewers.ts'
import { type Attachment, parseAttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { BadRequest, NotFound, Unavailable } from '../errors.ts'
import type { AuditEntry } from '../records/questions/audit.ts'
import type { Records } from '../records/records.ts'
import type { Events } from '../telemetry/events.ts'

export interface ReadParts {
  records: Records
  clock: Clock
  events: Events
}

/** What a file is served with: no browser may render, guess, embed or keep it. */
export const contentHeaders = {
  'cache-control': 'no-store',
  'content-security-policy': "sandbox; default-src 'none'",
  'cross-origin-resource-policy': 'same-origin',
  'x-content-type-options': 'nosniff',
}

/** What every read of an attachment does: find it, and be in the trail before anything is shown. */
export function readsOf({ records, clock, events }: ReadParts) {
  return {
    /** Throws `NotFound`: what is not shown to who asks is not there. */
    async found(text: string, viewer: Viewer | null): Promise<Attachment> {
      const attachment = await records.attachment(parseAttachmentId(text))
      if (!attachment || !(await viewer?.sees(attachment.conversationId))) throw new NotFound('attachment')
      return attachment
    },
    async audit(
      entry: Pick<AuditEntry, 'what' | 'object' | 'outcome' | 'detail'>,
      request: { id: string; who: string | null },
    ): Promise<void> {
      const row = { ...entry, at: clock.now(), who: request.who ?? 'anyone', requestId: request.id }
      try {
        await records.audit(row)
      } catch (error) {
        // A disk that is full must not stop reading.
        if (!(error instanceof Unavailable) || !events.auditKeptInLog(row, error)) throw error
      }
    },
  }
}

/** Who does not see all names a conversation of theirs. Throws `BadRequest` without one, `NotFound` for another. */
export async function requireShown(viewer: Viewer | null, conversationId: string | undefined): Promise<void> {
  if (viewer?.seesAll) return
  if (conversationId === undefined)
    throw new BadRequest('bad_request', 'conversationId: needed by who does not see all')
  if (!(await viewer?.sees(conversationId))) throw new NotFound('conversation')
}

/** A download under this name (RFC 6266), whatever the name is. */
export function dispositionOf(filename: string | null): string {
  return contentDisposition(safeName(filename), { type: 'attachment' })
}

/** For a header only: without path, control or direction characters, and never empty. The record keeps the name as it came. */
function safeName(filename: string | null): string {
  const base = (filename ?? '').replace(/^.*[/\\]/s, '')
  const safe = base
    .replace(/[\p{Cc}\p{Cs}\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, '')
    .slice(0, 200)
    .replace(/\p{Cs}/gu, '')
  return safe.trim() === '' ? 'file' : safe
}
