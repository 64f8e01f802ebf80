import type { IncomingMessage } from 'node:http'
import { SenderGone, TooSlow } from '../../errors.ts'

export interface BodyTimes {
  /** Longest silence of the sender while we wait for it. */
  idleMs: number
  /** Longest time from the first wait to the last byte. */
  totalMs: number
}

/**
 * The request's body as it comes. Reading stops when nobody asks for more, so a sender waits for a slow disk and memory
 * stays bounded. The request is never destroyed here: it must still get an answer.
 * Throws `TooSlow` when the sender stalls, `SenderGone` when it went away.
 */
export async function* bodyOf(request: IncomingMessage, { idleMs, totalMs }: BodyTimes): AsyncGenerator<Buffer> {
  let failure: Error | null = null
  let wake: (() => void) | null = null
  const wakeUp = () => {
    wake?.()
    wake = null
  }
  /** Of a request that has come whole, nothing of the sender's can fail any more. */
  const fail = (error: Error) => {
    if (!request.complete) failure ??= error
    wakeUp()
  }
  const gone = () => fail(new SenderGone('the sender went away'))
  const total = setTimeout(() => fail(new TooSlow('the upload takes too long')), totalMs)
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
        yield chunk
        continue
      }
      if (request.readableEnded) return
      if (request.destroyed) throw new SenderGone('the sender went away')
      let idle: NodeJS.Timeout | undefined
      await new Promise<void>((resolve) => {
        wake = resolve
        idle = setTimeout(() => fail(new TooSlow('the sender stalls')), idleMs)
      })
      clearTimeout(idle)
    }
  } finally {
    clearTimeout(total)
    request.off('readable', wakeUp)
    request.off('end', wakeUp)
    request.off('close', gone)
    // The error listener stays: a request that breaks after it was given up must not be an unhandled error.
  }
}
