import type { IncomingHttpHeaders } from 'node:http'
import type { Clock } from '../clock.ts'
import { Unauthorized } from '../errors.ts'
import type { FoundTicket, Spend } from '../records/questions/tickets.ts'
import type { Records } from '../records/records.ts'
import { sourceOf } from './attempts.ts'
import type { Credentials } from './credentials.ts'
import type { RateLimit } from './rate.ts'
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

/** A request to push, before its body. */
export interface SenderRequest {
  method: string
  /** Path with query, as it came. */
  url: string
  headers: IncomingHttpHeaders
  /** Of the sender, or of the proxy in front of it that we do not know. */
  address: string
}

export interface Senders {
  /** Throws `Unauthorized`, `Forbidden`, or `Throttled` for one that asks too often. */
  identify(request: SenderRequest): Promise<Sender>
}

export function createSenders(parts: {
  credentials: Credentials
  tickets: Tickets
  signingSecrets: string[]
  records: Pick<Records, 'signatureUsed'>
  rate: RateLimit
  clock: Clock
}): Senders {
  const { credentials, tickets, signingSecrets, records, rate, clock } = parts

  async function byTicket(text: string): Promise<Sender> {
    const ticket = await tickets.find(text)
    rate.count(`ticket ${ticket.digest}`)
    return { who: '(ticket)', spend: { kind: 'ticket', digest: ticket.digest, now: clock.now() }, signed: null, ticket }
  }

  async function bySignature(header: string, { method, url, address }: SenderRequest): Promise<Sender> {
    const signed = signedRequest(header, { method, url }, signingSecrets, clock.now())
    // By address: who only claims to have signed must not use up what those who have may ask.
    rate.count(`signed ${sourceOf(address)}`)
    if (await records.signatureUsed(signed.digest)) throw new Unauthorized('The signature was used before.')
    // Twice the tolerance: our clock may be set back meanwhile, by as much as a signature may be off.
    const until = new Date(signed.expiresAt.getTime() + signatureToleranceSeconds * 1000)
    return { who: '(signed)', spend: { kind: 'signature', digest: signed.digest, until }, signed, ticket: null }
  }

  return {
    async identify(request) {
      const { authorization, 'x-clipgate-signature': signature } = request.headers
      const ticket = /^Ticket (\S+)$/i.exec(authorization ?? '')?.[1]
      if (ticket !== undefined) return byTicket(ticket)
      if (authorization === undefined && typeof signature === 'string' && signingSecrets.length > 0)
        return bySignature(signature, request)
      const who = credentials.require(authorization, 'push')
      rate.count(`key ${who}`)
      return { who, spend: null, signed: null, ticket: null }
    },
  }
}
