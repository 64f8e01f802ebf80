import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../clock.ts'
import { Unauthorized } from '../errors.ts'
import type { FoundTicket, Spend } from '../records/questions/tickets.ts'
import type { Records } from '../records/records.ts'
import type { Credentials } from './credentials.ts'
import { type SignedRequest, signatureToleranceSeconds, signedRequest } from './signatures.ts'
import type { Tickets } from './tickets.ts'

/** Who pushes, as far as it can be known before the body is read. */
export interface Sender {
  /** An API key's name; in brackets what is no key. */
  who: string
  /** Used up when the record commits; null: it may be used again and again. */
  spend: Spend | null
  /** A signature over the body, which holds, or not, at its end. */
  signed: SignedRequest | null
  /** What it was issued for. */
  ticket: FoundTicket | null
}

export interface Senders {
  /** Throws `Unauthorized` or `Forbidden`. */
  identify(request: { method: string; url: string; headers: IncomingHttpHeaders }): Promise<Sender>
}

export function createSenders(parts: {
  credentials: Credentials
  tickets: Tickets
  signingSecrets: string[]
  records: Records
  clock: Clock
}): Senders {
  const { credentials, tickets, signingSecrets, records, clock } = parts
  return {
    async identify({ method, url, headers }) {
      const { authorization } = headers
      const signature = headers['x-clipgate-signature']
      const ticket = /^Ticket (\S+)$/i.exec(authorization ?? '')?.[1]
      if (ticket !== undefined) {
        const found = await tickets.find(ticket)
        const spend: Spend = { kind: 'ticket', digest: found.digest, now: clock.now() }
        return { who: '(ticket)', spend, signed: null, ticket: found }
      }
      if (authorization === undefined && typeof signature === 'string' && signingSecrets.length > 0) {
        const signed = signedRequest(signature, { method, url }, signingSecrets, clock.now())
        if (await records.signatureUsed(signed.digest)) throw new Unauthorized('The signature was used before.')
        // Twice the tolerance: our clock may be set back meanwhile, by as much as a signature may be off.
        const until = new Date(signed.expiresAt.getTime() + signatureToleranceSeconds * 1000)
        return { who: '(signed)', spend: { kind: 'signature', digest: signed.digest, until }, signed, ticket: null }
      }
      return { who: credentials.require(authorization, 'push'), spend: null, signed: null, ticket: null }
    },
  }
}
