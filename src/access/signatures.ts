import { createHash, createHmac, type Hmac, timingSafeEqual } from 'node:crypto'
import { Unauthorized } from '../errors.ts'

/** How far a signature's time may be from ours, either way, in seconds (CONTRACT 3). */
export const signatureToleranceSeconds = 300

/** A signed request whose body has still to come. */
export interface SignedRequest {
  /** Names this signature in the store of those that were used. */
  digest: string
  /** After this it is refused for its age alone. */
  expiresAt: Date
  update(chunk: Uint8Array): void
  /** After the last chunk. Throws `Unauthorized` when no secret of ours made this signature for these bytes. */
  verify(): void
}

/**
 * Reads `t=<unix seconds>,v1=<hex>`, where v1 is HMAC-SHA256(secret, t + "." + METHOD + " " + path-with-query + "\n" + body).
 * Throws `Unauthorized` when it is malformed or too far from `now`. Every secret is tried: there are several in rotation.
 */
export function signedRequest(
  header: string,
  { method, url }: { method: string; url: string },
  secrets: string[],
  now: Date,
): SignedRequest {
  const [, time, signature] = /^t=(\d{1,12}),\s*v1=([0-9a-f]{64})$/.exec(header.trim()) ?? []
  if (time === undefined || signature === undefined) throw new Unauthorized('X-Clipgate-Signature is malformed.')
  if (Math.abs(now.getTime() / 1000 - Number(time)) > signatureToleranceSeconds)
    throw new Unauthorized('The signature is too old, or its time is not ours.')
  const given = Buffer.from(signature, 'hex')
  const running: Hmac[] = secrets.map((secret) => createHmac('sha256', secret).update(`${time}.${method} ${url}\n`))
  return {
    digest: createHash('sha256').update(`${time}.`).update(given).digest('hex'),
    expiresAt: new Date((Number(time) + signatureToleranceSeconds) * 1000),
    update(chunk) {
      for (const hmac of running) hmac.update(chunk)
    },
    verify() {
      const matches = running.filter((hmac) => timingSafeEqual(hmac.digest(), given))
      if (matches.length === 0) throw new Unauthorized('The signature does not hold.')
    },
  }
}
