import { serviceUrl } from './address.ts'
import { read, type Trouble } from './answer.ts'
import { AttachError } from './errors.ts'
import { formOf, randomHex } from './form.ts'
import type { Outcome } from './outcome.ts'
import { pause } from './pause.ts'
import { fetchPolicy, type Policy, refusedBy } from './policy.ts'
import type { Progress } from './progress.ts'
import { send } from './send.ts'

export interface AttachOptions {
  /** Where Clipgate is: its `PUBLIC_URL`. */
  url: string
  /**
   * A ticket, or how to get one from your backend. Better the latter: it is asked again when a ticket may have been spent by a try
   * whose answer was lost, or has expired meanwhile. What it throws, `attach` throws.
   */
  ticket: string | (() => string | Promise<string>)
  /** Called often: at each step, and as bytes leave. */
  onProgress?: (progress: Progress) => void
  /** Cancels: `attach` then throws the signal's reason. What had arrived by then stays. */
  signal?: AbortSignal
  /** Of the sentences: BCP 47, such as `pt-BR`. Else the ticket's. */
  language?: string
  /** Of the message that the file belongs to, where the ticket names none. */
  messageId?: string
  /** Instead of the file's own; needed for a Blob. */
  name?: string
  /**
   * Look at size and ending first, so that the customer learns at once: true asks the service for its policy, one that you have
   * saves that. A policy that cannot be had is no reason not to send.
   */
  checkFirst?: boolean | Policy
  /** At most so many, at least 1. Default 5. */
  tries?: number
  /** For all of it, waits too. Default 300. */
  maxSeconds?: number
  /** To go on with a file after a reload of the page: that of the `AttachError`. By default a new one. */
  idempotencyKey?: string
}

/**
 * Sends one file through the push door and tells what became of it. An answer on the file, a refusal too, is an `Outcome`; no
 * answer is an `AttachError`; a cancel is the signal's reason.
 *
 * All tries go under one `Idempotency-Key`, so that however often it is sent it is one file.
 */
export async function attach(file: Blob, options: AttachOptions): Promise<Outcome> {
  const { signal, onProgress, tries = 5, maxSeconds = 300 } = options
  const name = options.name ?? (file instanceof File ? file.name : '')
  if (name === '') throw new TypeError('A Blob needs a name.')
  signal?.throwIfAborted()
  const endsAt = Date.now() + maxSeconds * 1000
  let attempt = 1
  const tell = (state: Progress['state'], sentBytes = 0, waitSeconds: number | null = null) =>
    onProgress?.({ state, sentBytes, totalBytes: file.size, attempt, waitSeconds })

  const refusal = await foreseen({ name, size: file.size }, options, () => tell('checking'))
  if (refusal) return refusal

  const idempotencyKey = options.idempotencyKey ?? randomHex()
  const url = pushUrl(options)
  let ticket = await ticketFrom(options)
  let isTicketRefused = false
  let mayHaveArrived = false
  for (; ; attempt++) {
    signal?.throwIfAborted()
    tell('sending')
    const { body, contentType, headBytes } = formOf(file, name)
    const answer = await send({
      method: 'POST',
      url,
      headers: {
        Authorization: `Ticket ${ticket}`,
        'Idempotency-Key': idempotencyKey,
        'Content-Type': contentType,
        Accept: 'application/json, application/problem+json',
      },
      body,
      endsAt,
      signal,
      onSent: (bytes) => tell('sending', Math.max(0, Math.min(file.size, bytes - headBytes))),
      onAllSent: () => tell('judging', file.size),
    })
    const said = read(answer)
    if ('outcome' in said) return said.outcome
    const { trouble } = said
    mayHaveArrived ||= trouble.mayHaveArrived
    const fail = (told: Pick<Trouble, 'message' | 'reason'>) =>
      new AttachError(told.message, { ...trouble, reason: told.reason }, { mayHaveArrived, idempotencyKey })

    if (answer === null && !(await isReadable(file)))
      throw fail({ reason: 'unreadable', message: 'The file was changed, moved or deleted since it was chosen.' })
    const mayTryTicket: boolean = trouble.next === 'ticket' && typeof options.ticket === 'function' && !isTicketRefused
    // A fault of the service's own may have been a chance, once.
    const most = trouble.status === 500 ? Math.min(2, tries) : tries
    if (attempt >= most || !(trouble.next === 'again' || mayTryTicket)) throw fail(trouble)

    if (trouble.next === 'again') {
      const waitMs = waitOf(trouble, attempt, endsAt - Date.now())
      if (waitMs === null) throw fail(trouble)
      tell('waiting', 0, Math.ceil(waitMs / 1000))
      await pause(waitMs, { signal, orOnline: answer === null })
    }
    isTicketRefused = mayTryTicket
    if (mayTryTicket || answer === null) ticket = await ticketFrom(options)
  }
}

/** What the policy says, if it is asked for and can be had. */
async function foreseen(
  file: { name: string; size: number },
  { url, checkFirst = false, signal, language }: AttachOptions,
  begin: () => void,
): Promise<Outcome | null> {
  if (checkFirst === false) return null
  if (checkFirst !== true) return refusedBy(checkFirst, file, language)
  begin()
  const policy = await fetchPolicy(url, soonEnded(signal)).catch(() => null)
  signal?.throwIfAborted()
  return policy && refusedBy(policy, file, language)
}

/** A check that takes longer than this tells nobody anything at once. */
const checkMs = 5000

function soonEnded(signal: AbortSignal | undefined): AbortSignal {
  const ending = new AbortController()
  const end = () => ending.abort()
  setTimeout(end, checkMs)
  signal?.addEventListener('abort', end, { once: true })
  return ending.signal
}

function pushUrl({ url, language, messageId }: AttachOptions): string {
  const address = serviceUrl(url, 'webhook/file-upload')
  if (language !== undefined) address.searchParams.set('language', language)
  if (messageId !== undefined) address.searchParams.set('message_id', messageId)
  return address.href
}

async function ticketFrom({ ticket }: AttachOptions): Promise<string> {
  return typeof ticket === 'function' ? ticket() : ticket
}

/** A broken connection and a file that is gone are one and the same to a request. */
function isReadable(file: Blob): Promise<boolean> {
  return file
    .slice(0, 1)
    .arrayBuffer()
    .then(
      () => true,
      () => false,
    )
}

/**
 * How long to wait, in ms: as long as the service says, else longer each time; and a little at random, so that those who were cut
 * off together do not come back together. A device without a network waits for it. Null: the time is over before.
 */
function waitOf({ retryAfterSeconds, status }: Trouble, attempt: number, leftMs: number): number | null {
  if (status === null && !navigator.onLine) return leftMs > 0 ? leftMs : null
  const least = retryAfterSeconds === null ? 500 * 2 ** (attempt - 1) : retryAfterSeconds * 1000
  const waitMs = least + Math.random() * 1000
  return waitMs < leftMs ? waitMs : null
}
