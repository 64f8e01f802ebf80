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
  const fail = (error: Error) => {
    failure ??= error
    wakeUp()
  }
  const gone = () => {
    if (!request.complete) fail(new SenderGone('the sender went away'))
    else wakeUp()
  }
  const total = setTimeout(() => fail(new TooSlow('the upload takes too long')), totalMs)
  const onError = () => gone()
  request.on('readable', wakeUp)
  request.on('end', wakeUp)
  request.on('close', gone)
  request.on('error', onError)
  try {
    for (;;) {
      const chunk = request.read() as Buffer | null
      if (chunk) {
        yield chunk
        continue
      }
      if (failure) throw failure
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
