import type { Sender } from '../../access/senders.ts'
import { BadRequest, Forbidden } from '../../errors.ts'
import type { Arrival } from '../../intake/arrival.ts'
import type { Intake, Outcome } from '../../intake/intake.ts'
import { canonicalType, typeOfName } from '../../intake/types.ts'
import { boundaryOf, fileOf } from './multipart.ts'
import { readToItsEnd, signedBody } from './signedBody.ts'

/** What a push says beside its body. The ids are as the sender gave them; null when it gave none. */
export interface PushRequest {
  conversationId: string | null
  messageId: string | null
  language: string | null
  idempotencyKey: string | undefined
  contentType: string | undefined
  /** Of the body, as it says. */
  contentLength: number | null
  requestId: string
  /** Aborts when the sender is gone. */
  gone: AbortSignal
}

/**
 * The push door: one file in a multipart form. The sender has been identified; its body is opened once all that can be
 * judged without it is judged.
 * Throws `BadRequest`, `Forbidden`, `MissingFile`, `TooSlow`, `SenderGone`, `Unauthorized` and `TooLarge` (a signature that
 * does not hold, or cannot be checked), and what intake throws.
 *
 * `language`: in which the sender, or its ticket, wants to be told of it.
 */
export async function push(
  asked: PushRequest,
  sender: Sender,
  openBody: () => AsyncGenerator<Buffer>,
  intake: Intake,
): Promise<Outcome & { language: string | null }> {
  const key = asked.idempotencyKey === undefined ? null : parseIdempotencyKey(asked.idempotencyKey)
  const about = withinTicket(asked, sender)
  const boundary = boundaryOf(asked.contentType)
  const raw = openBody()
  const body = sender.signed ? signedBody(raw, sender.signed) : raw
  try {
    const { filename, declaredType, bytes } = await fileOf(body, boundary, 'file')
    const arrival: Arrival = {
      ...about,
      door: 'push',
      countsFor: about.conversationId,
      deploymentId: null,
      filename,
      declaredType: declaredType ? canonicalType(declaredType).slice(0, 255) : typeOfName(filename),
      sentBy: null,
      delivery: key === null ? null : { scope: scopeOf(sender), key },
      fetch: null,
      spend: sender.spend,
      unproven: sender.signed !== null,
      proved: async () => {
        if (sender.signed) await readToItsEnd(body)
      },
      gone: asked.gone,
      atMost: asked.contentLength,
      bytes,
    }
    const outcome = await intake(arrival, { who: sender.who, requestId: asked.requestId })
    return { ...outcome, language: about.language }
  } finally {
    // Lets go of a request that was not read to its end, so that the rest can be thrown away.
    await body.return(undefined)
    await raw.return(undefined)
  }
}

/**
 * Who names deliveries together. A page that gets another ticket after a broken connection sends the same file under the
 * same key, so tickets of one conversation do.
 */
function scopeOf({ who, ticket }: Sender): string {
  return ticket ? `ticket:${ticket.conversationId}` : `key:${who}`
}

/** A ticket says which conversation, and may say which message: the request may say the same, and nothing else. */
function withinTicket(
  { conversationId, messageId, language }: PushRequest,
  { ticket }: Sender,
): Pick<Arrival, 'conversationId' | 'messageId' | 'language'> {
  if (!ticket) return { conversationId, messageId, language }
  if (conversationId !== null && conversationId !== ticket.conversationId)
    throw new Forbidden('The ticket is for another conversation.')
  if (messageId !== null && ticket.messageId !== null && messageId !== ticket.messageId)
    throw new Forbidden('The ticket is for another message.')
  return {
    conversationId: ticket.conversationId,
    messageId: ticket.messageId ?? messageId,
    language: language ?? ticket.language,
  }
}

function parseIdempotencyKey(text: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(text))
    throw new BadRequest('bad_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters.')
  return text
}
