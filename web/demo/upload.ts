import { pause } from '../client/pause.ts'
import { send } from '../client/send.ts'
import type { Frame, Message } from './frames.ts'

/**
 * `announced`: its address is asked for. `judging`: it is there and is being checked. `posting`: it was cleared, and goes into
 * the conversation. The last four are ends.
 */
export type UploadState = 'announced' | 'sending' | 'judging' | 'posting' | 'sent' | 'refused' | 'failed' | 'cancelled'

export interface Upload {
  readonly id: string
  readonly file: File
  readonly state: UploadState
  readonly sentBytes: number
  /** Why it was refused: the platform's or the gateway's code, and the gateway's own sentence. */
  readonly refusal: { code: number; sentence: string | null } | null
  /** True: it was about this file. */
  hear(frame: Frame): boolean
  /** One of the conversation's own: true when it has this file. */
  isIn(message: Message): boolean
  /** The connection is back, and nothing of the conversation has this file. */
  cameBack(): void
  cancel(): void
}

export interface UploadParts {
  file: File
  type: string
  /** False: there is no connection now. */
  send(frame: Record<string, unknown> & { tracingId: string }): boolean
  changed(): void
}

const tries = 4
/** The address that the gateway gives is good for so long. */
const linkMs = 10 * 60_000
const tooManyRequests = [429, 4029]

/** One file on its way through the Guest API: announced, put, judged, posted. It begins at once. */
export function beginUpload({ file, type, send: say, changed }: UploadParts): Upload {
  const cancelling = new AbortController()
  let attachmentId = ''
  /** Of what was asked last. */
  let tracingId = ''
  let state: UploadState = 'announced'
  let sentBytes = 0
  let refusal: Upload['refusal'] = null
  const isEnded = () => ['sent', 'refused', 'failed', 'cancelled'].includes(state)

  function go(to: UploadState): void {
    if (isEnded()) return
    state = to
    changed()
  }

  /** Under a new id each time: the old one may be used up. */
  function announce(): void {
    attachmentId = crypto.randomUUID()
    tracingId = crypto.randomUUID()
    sentBytes = 0
    go('announced')
    const about = { fileName: file.name, fileType: type, fileSize: file.size, errorsAsJson: true }
    say({ action: 'onAttachment', tracingId, attachmentId, ...about })
  }

  async function put(url: string, headers: Record<string, string>): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      go('sending')
      const answer = await send({
        method: 'PUT',
        url,
        headers: { 'Content-Type': type, ...headers },
        body: file,
        endsAt: Date.now() + linkMs,
        signal: cancelling.signal,
        onSent(bytes) {
          sentBytes = bytes
          changed()
        },
        onAllSent: () => go('judging'),
      })
      // Through the gateway, 200 means judged; from a bucket, stored. The outcome comes on the socket.
      if (answer?.status === 200) return go('judging')
      // The link went with the process that gave it.
      if (answer?.status === 404 && attempt < tries) return announce()
      const mayTry = answer === null || answer.status === 503 || answer.status === 409
      if (!mayTry || attempt >= tries) return go('failed')
      const seconds = answer?.retryAfterSeconds ?? 2 ** (attempt - 1)
      await pause(seconds * 1000, { signal: cancelling.signal, orOnline: answer === null })
    }
  }

  function post(): void {
    tracingId = crypto.randomUUID()
    go('posting')
    const content = [{ contentType: 'Attachment', attachment: { id: attachmentId } }]
    say({ action: 'onMessage', tracingId, message: { type: 'Text', content } })
  }

  function refused(code: number, sentence: string | null): void {
    refusal = { code, sentence }
    go('refused')
  }

  async function againLater(seconds: number): Promise<void> {
    await pause(seconds * 1000, { signal: cancelling.signal, orOnline: false })
    if (state === 'announced') announce()
    else if (state === 'posting') post()
  }

  function hear({ class: kind, body, code, tracingId: answers }: Frame): boolean {
    const isOurs = body.attachmentId === attachmentId || (answers !== null && answers === tracingId)
    if (!isOurs || isEnded()) return isOurs
    const told = typeof body.errorCode === 'number' ? body.errorCode : (code ?? 5000)
    switch (kind) {
      case 'PresignedUrlResponse':
        if (state === 'announced')
          put(String(body.url), body.headers as Record<string, string>).catch(() => go('failed'))
        return true
      case 'UploadSuccessEvent':
        if (state !== 'posting') post()
        return true
      case 'UploadFailureEvent':
        refused(told, typeof body.errorMessage === 'string' ? body.errorMessage : null)
        return true
      case 'StructuredMessage':
      case 'AttachmentDeletedResponse':
        return false
      default:
        if (tooManyRequests.includes(told)) againLater(Number(body.retryAfter ?? 2)).catch(() => {})
        // What is said of an announcement is for developers, and in English.
        else refused(told, null)
        return true
    }
  }

  announce()
  return {
    id: attachmentId,
    file,
    get state() {
      return state
    },
    get sentBytes() {
      return sentBytes
    },
    get refusal() {
      return refusal
    },
    hear,
    isIn(message) {
      const has = message.files.some(({ id }) => id === attachmentId)
      if (has) go('sent')
      return has
    },
    cameBack() {
      if (state === 'announced') announce()
      else if (state === 'posting') post()
    },
    cancel() {
      if (isEnded() || state === 'posting') return
      const isThere = state !== 'announced'
      go('cancelled')
      cancelling.abort()
      if (isThere) say({ action: 'deleteAttachment', tracingId: crypto.randomUUID(), attachmentId })
    },
  }
}
