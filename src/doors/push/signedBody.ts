import type { SignedRequest } from '../../access/signatures.ts'
import { TooLarge } from '../../errors.ts'

/** How much more than what was wanted of it is read of a body to see whether its signature holds, in bytes. */
const mostBeyond = 64 * 1024 * 1024

/**
 * A signed request's body. Its end comes only when the signature holds: whoever has read it to the end may believe it.
 * Throws `Unauthorized` there instead when it does not.
 */
export async function* signedBody(body: AsyncIterable<Buffer>, signed: SignedRequest): AsyncGenerator<Buffer> {
  for await (const chunk of body) {
    signed.update(chunk)
    yield chunk
  }
  signed.verify()
}

/** Reads a body to its end, for its signature's sake. Throws `TooLarge` when the end is too far. */
export async function readToItsEnd(body: AsyncIterator<Buffer>): Promise<void> {
  let bytes = 0
  for (let next = await body.next(); !next.done; next = await body.next()) {
    bytes += next.value.length
    if (bytes > mostBeyond) throw new TooLarge('The body is too large for its signature to be checked.')
  }
}
