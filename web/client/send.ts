/** What the service, or something before it, said. */
export interface Answer {
  status: number
  /** Null: it is no JSON object, so it is not the service's. */
  body: Record<string, unknown> | null
  retryAfterSeconds: number | null
  repeated: boolean
  requestId: string | null
}

interface Sending {
  method: 'POST' | 'PUT'
  url: string
  headers: Record<string, string>
  body: Blob
  /** Ends the try at this time, in ms since the epoch. */
  endsAt: number
  signal: AbortSignal | undefined
  /** Of the body, as the browser has handed them to the network. */
  onSent(bytes: number): void
  /** All bytes are sent. */
  onAllSent(): void
}

/** Nothing leaves for so long: the connection is dead, and only nobody has said so. */
const silenceMs = 60_000
/** From the last byte to the answer; engines take their time. */
const answerMs = 120_000

/**
 * One try. Null: the connection broke, or was silent for too long. Rejects with the signal's reason when it is cancelled.
 *
 * By XMLHttpRequest, since `fetch` does not tell how much of a body is sent: a stream as its body would, but only Chromium sends
 * one, only over HTTP/2, and it counts what was read from the disk and not what has left.
 */
export function send(sending: Sending): Promise<Answer | null> {
  const { method, url, headers, body, endsAt, signal, onSent, onAllSent } = sending
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    let timer: ReturnType<typeof setTimeout>
    const endAfter = (ms: number) => {
      clearTimeout(timer)
      timer = setTimeout(() => request.abort(), Math.max(0, Math.min(ms, endsAt - Date.now())))
    }
    const cancel = () => request.abort()
    const end = (answer: Answer | null) => {
      clearTimeout(timer)
      signal?.removeEventListener('abort', cancel)
      if (signal?.aborted) reject(signal.reason)
      else resolve(answer)
    }
    request.upload.onprogress = ({ loaded }) => {
      endAfter(silenceMs)
      onSent(loaded)
    }
    request.upload.onload = () => {
      endAfter(answerMs)
      onAllSent()
    }
    request.onload = () => end(answerOf(request))
    request.onerror = () => end(null)
    request.onabort = () => end(null)
    signal?.addEventListener('abort', cancel)
    endAfter(silenceMs)
    request.open(method, url)
    for (const [name, value] of Object.entries(headers)) request.setRequestHeader(name, value)
    request.send(body)
  })
}

function answerOf(request: XMLHttpRequest): Answer {
  return {
    status: request.status,
    body: objectIn(request.responseText),
    retryAfterSeconds: secondsIn(request.getResponseHeader('Retry-After')),
    repeated: request.getResponseHeader('Idempotent-Replayed') === 'true',
    requestId: request.getResponseHeader('X-Request-Id'),
  }
}

function objectIn(text: string): Record<string, unknown> | null {
  try {
    const value: unknown = JSON.parse(text)
    return typeof value === 'object' && value !== null ? (value as Record<string, unknown>) : null
  } catch {
    return null
  }
}

/** Seconds, or a date, as proxies say it. */
function secondsIn(header: string | null): number | null {
  if (header === null) return null
  const seconds = /^\d+$/.test(header) ? Number(header) : (Date.parse(header) - Date.now()) / 1000
  return Number.isFinite(seconds) ? Math.max(0, Math.ceil(seconds)) : null
}
