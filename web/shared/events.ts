import { addressOf } from './page.ts'
import type { Attachment } from './shapes.ts'

/** How it stands with the live connection. `refused`: with this status, and it is not tried again. */
export type Liveness = { state: 'connecting' | 'live' | 'lost' } | { state: 'refused'; status: number }

export interface Listener {
  /** A file that is new or has changed. */
  attachment(attachment: Attachment): void
  /** What was on its way under one id is here under another, of which `attachment` tells. */
  became(id: string, became: string): void
  liveness(liveness: Liveness): void
}

const firstRetryMs = 2000
const longestRetryMs = 60_000

/**
 * Hears of files as they come and change, until told to stop. A browser reconnects by itself when the network fails, and
 * gives up without a reason when it is answered with a status: then we ask once for the reason. What may pass is tried again.
 */
export function listen(query: Record<string, string>, listener: Listener): { stop(): void } {
  const url = addressOf(`/v1/events?${new URLSearchParams(query)}`)
  const stopped = new AbortController()
  let source: EventSource
  let retryMs = firstRetryMs
  let timer: ReturnType<typeof setTimeout> | undefined

  const open = () => {
    listener.liveness({ state: 'connecting' })
    source = new EventSource(url)
    source.addEventListener('attachment', ({ data }) => listener.attachment(JSON.parse(data)))
    source.addEventListener('became', ({ data }) => {
      const { id, became } = JSON.parse(data)
      listener.became(id, became)
    })
    source.addEventListener('ready', () => {
      retryMs = firstRetryMs
      listener.liveness({ state: 'live' })
    })
    source.addEventListener('error', () => {
      listener.liveness({ state: 'lost' })
      if (source.readyState === EventSource.CLOSED) void askWhy()
    })
  }

  const askWhy = async () => {
    const status = await statusOf(url, stopped.signal)
    if (stopped.signal.aborted) return
    if (status === null || status === 200 || status === 429 || status >= 500) {
      timer = setTimeout(open, status === 200 ? 0 : retryMs)
      retryMs = Math.min(2 * retryMs, longestRetryMs)
    } else listener.liveness({ state: 'refused', status })
  }

  open()
  return {
    stop() {
      stopped.abort()
      clearTimeout(timer)
      source.close()
    },
  }
}

/** Null: nobody answers. */
async function statusOf(url: string, stopped: AbortSignal): Promise<number | null> {
  const enough = new AbortController()
  const giveUp = () => enough.abort()
  stopped.addEventListener('abort', giveUp)
  try {
    const { status } = await fetch(url, { headers: { accept: 'text/event-stream' }, signal: enough.signal })
    return status
  } catch {
    return null
  } finally {
    stopped.removeEventListener('abort', giveUp)
    enough.abort()
  }
}
