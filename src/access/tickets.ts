import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Unauthorized } from '../errors.ts'
import type { FoundTicket } from '../records/questions/tickets.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'

/** What a ticket allows: files of one conversation, sent without a secret. */
export interface TicketTerms {
  conversationId: string
  messageId: string | null
  language: string | null
  maxFiles: number
  expiresInSeconds: number
}

export interface Tickets {
  /** The ticket itself is not kept: only a digest of it under a key of ours. */
  issue(terms: TicketTerms, issuer: { who: string; requestId: string }): Promise<{ ticket: string; expiresAt: Date }>
  /** Throws `Unauthorized` when it is unknown, spent or expired. It is spent when a record commits, not here. */
  find(ticket: string): Promise<FoundTicket>
}

export function createTickets({ records, keys, clock }: { records: Records; keys: KeyRing; clock: Clock }): Tickets {
  return {
    async issue({ expiresInSeconds, ...terms }, { who, requestId }) {
      const ticket = `tkt_${randomBytes(24).toString('base64url')}`
      const now = clock.now()
      const expiresAt = new Date(now.getTime() + expiresInSeconds * 1000)
      const { conversationId, maxFiles } = terms
      await records.keepTicket({
        digest: keys.digests(ticket)[0]!,
        ...terms,
        issuedBy: who,
        issuedAt: now,
        expiresAt,
        audit: {
          at: now,
          who,
          what: 'ticket_issue',
          object: null,
          outcome: `${maxFiles} files until ${expiresAt.toISOString()}`,
          requestId,
          detail: JSON.stringify({ conversationId }),
        },
      })
      return { ticket, expiresAt }
    },
    async find(ticket) {
      if (!/^tkt_[A-Za-z0-9_-]{32}$/.test(ticket)) throw new Unauthorized('The ticket is malformed.')
      const found = await records.ticket({ digests: keys.digests(ticket), now: clock.now() })
      if (!found) throw new Unauthorized('The ticket is unknown, spent or expired.')
      return found
    },
  }
}
