import type { IncomingMessage } from 'node:http'
import { BadRequest } from '../../errors.ts'
import type { Arrival } from '../../intake/arrival.ts'
import type { Caller, Intake, Outcome } from '../../intake/intake.ts'
import { canonicalType, typeOfName } from '../../intake/types.ts'
import { type BodyTimes, bodyOf } from './body.ts'
import { boundaryOf, fileOf } from './multipart.ts'

/** What a push says beside its body. The ids are as the sender gave them; null when it gave none. */
export interface PushRequest {
  conversationId: string | null
  messageId: string | null
  language: string | null
  idempotencyKey: string | undefined
  contentType: string | undefined
}

/**
 * The push door: one file in a multipart form. The sender has been judged already; its body has not been read.
 * Throws `BadRequest`, `MissingFile`, `TooSlow`, `SenderGone`, and what intake throws.
 */
export async function push(
  { conversationId, messageId, language, idempotencyKey, contentType }: PushRequest,
  request: IncomingMessage,
  caller: Caller,
  { intake, times }: { intake: Intake; times: BodyTimes },
): Promise<Outcome> {
  const key = idempotencyKey === undefined ? null : parseIdempotencyKey(idempotencyKey)
  const boundary = boundaryOf(contentType)
  const body = bodyOf(request, times)
  try {
    const { filename, declaredType, bytes } = await fileOf(body, boundary, 'file')
    const arrival: Arrival = {
      door: 'push',
      conversationId,
      messageId,
      language,
      filename,
      declaredType: declaredType ? canonicalType(declaredType).slice(0, 255) : typeOfName(filename),
      delivery: key === null ? null : { scope: `key:${caller.who}`, key },
      bytes,
    }
    return await intake(arrival, caller)
  } finally {
    // Lets go of a request that was not read to its end, so that the rest can be thrown away.
    await body.return(undefined)
  }
}

function parseIdempotencyKey(text: string): string {
  if (!/^[\x21-\x7e]{1,255}$/.test(text))
    throw new BadRequest('bad_request', 'Idempotency-Key must be 1 to 255 visible ASCII characters.')
  return text
}
