import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { SenderGone, TooSlow } from '../../errors.ts'

export interface BodyTimes {
  /** Longest silence of the sender while we wait for it. */
  idleMs: number
  /** Bytes that a sender must have sent for each second that we wait for it, beyond one such silence. */
  leastBytesPerSecond: number
  /** Longest time from the first wait to the last byte. */
  totalMs: number
}

/**
 * The request's body as it comes. Reading stops when nobody asks for more, so a sender waits for a slow disk and memory
 * stays bounded. The request is never destroyed here: it must still get an answer.
 * Throws `TooSlow` when the sender stalls or trickles, `SenderGone` when it went away.
 */
export async function* bodyOf(request: IncomingMessage, times: BodyTimes): AsyncGenerator<Buffer> {
  const { idleMs, leastBytesPerSecond, totalMs } = times
  let bytes = 0
  let waitedMs = 0
  let failure: Error | null = null
  let wake: (() => void) | null = null
  const wakeUp = () => {
    wake?.()
    wake = null
  }
  /** Of a request that has come whole, nothing of the sender's can fail any more. */
  const fail = (error: () => Error) => {
    if (!request.complete) failure ??= error()
    wakeUp()
  }
  const gone = () => fail(() => new SenderGone('the sender went away'))
  const total = setTimeout(() => fail(() => new TooSlow('the upload takes too long')), totalMs)
  const onError = () => gone()
  request.on('readable', wakeUp)
  request.on('end', wakeUp)
  request.on('close', gone)
  request.on('error', onError)
  try {
    for (;;) {
      // Before what has come: a sender that always has a little more is held to the total time too.
      if (failure) throw failure
      const chunk = request.read() as Buffer | null
      if (chunk) {
        bytes += chunk.length
        yield chunk
        continue
      }
      if (request.readableEnded) return
      if (request.destroyed) throw new SenderGone('the sender went away')
      const began = performance.now()
      const patienceMs = Math.min(idleMs, idleMs + (bytes / leastBytesPerSecond) * 1000 - waitedMs)
      let idle: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        wake = resolve
        idle = setTimeout(() => fail(() => new TooSlow('the sender stalls')), Math.max(0, patienceMs))
      })
      clearTimeout(idle)
      // Time in which we were busy ourselves is not the sender's.
      waitedMs += performance.now() - began
    }
  } finally {
    clearTimeout(total)
    request.off('readable', wakeUp)
    request.off('end', wakeUp)
    request.off('close', gone)
    // The error listener stays: a request that breaks after it was given up must not be an unhandled error.
  }
}

/** What a request says of its body's length, in bytes. Null: nothing, as when it comes in chunks. */
export function lengthOf(headers: IncomingHttpHeaders): number | null {
  const length = Number(headers['content-length'] ?? Number.NaN)
  return Number.isSafeInteger(length) ? length : null
}
