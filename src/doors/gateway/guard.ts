import { randomBytes } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import type { Policy } from '../../intake/policy.ts'
import { isSendable } from '../../records/questions/gateway.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import {
  type Asked,
  attachmentsIn,
  type ClientFrame,
  isRecord,
  messageUnder,
  readClientFrame,
  readServerFrame,
  refusal,
  type ServerFrame,
  sentUnder,
  uploadFailure,
  withId,
} from './frames.ts'
import type { Outcomes } from './outcomes.ts'
import type { Connection, GuestSession, Sessions } from './sessions.ts'
import type { Uploads } from './uploads.ts'

export interface GuardParts {
  sessions: Sessions
  uploads: Uploads
  outcomes: Outcomes
  records: Pick<Records, 'gatewayFile' | 'beginSending' | 'moveFile' | 'fileSent' | 'noteMessage'>
  /** Files of agents and bots that pass. */
  agentFiles: Policy['agentFiles']
  /** A file is in a conversation that is to be found. */
  sent(): void
  clock: Clock
  events: Events
}

export interface GuardOptions {
  deploymentId: string
  /** Of the customer, as the browser says it. */
  language: string | null
  /** Passes a frame of the other side on. */
  toClient(text: string): void
  toPlatform(text: string): void
  /** Says something of ours. False: the client is not there any more. */
  tell(text: string): boolean
  /** False: the platform is not there any more. */
  say(text: string): boolean
}

/** What of one connection's frames passes, and how: all that is not about files byte for byte. */
export interface Guard {
  fromClient(text: string): Promise<void>
  fromPlatform(text: string): Promise<void>
  /** The connection is over. */
  closed(): void
}

/** Requests of a connection whose answers are watched for. */
const mostWatched = 100

/** The platform answers at once or not at all. */
const answerMs = 30_000

const refusals = ['string', 'Error', 'ErrorMessage', 'GenerateUrlError', 'TooManyRequestsErrorMessage']

export function createGuard(options: GuardOptions, parts: GuardParts): Guard {
  const { deploymentId, language, toClient, toPlatform, tell, say } = options
  const { sessions, uploads, outcomes, records, clock, events } = parts
  /** Of the session that was configured last on this connection. */
  let session: GuestSession | null = null
  let lastToken: string | null = null
  let isOver = false
  /** Files in messages that were passed on, by the tracing id of the frame. */
  const sends = new Map<string, string>()
  /** Downloads that were asked for, by the platform's id. */
  const gets = new Map<string, number>()
  /** Requests of our own that wait for their answers, by their tracing ids. */
  const ours = new Map<string, (answer: ServerFrame | null) => void>()

  const connection: Connection = {
    tell,
    ask(request) {
      const tracingId = `clipgate-${randomBytes(16).toString('hex')}`
      return new Promise((resolve) => {
        const ended = new AbortController()
        // Stays for an answer that comes too late: it is none of the client's.
        const answered = (answer: ServerFrame | null) => {
          ended.abort()
          resolve(answer)
        }
        watch(ours, tracingId, answered)
        if (!say(JSON.stringify({ ...request, token: lastToken, tracingId }))) return answered(null)
        void clock.wait(answerMs, ended.signal).then(() => answered(null))
      })
    },
  }

  /** What was asked in a session is nobody's in another. */
  function forget(): void {
    if (session) sessions.disconnect(session, connection)
    for (const answered of ours.values()) answered(null)
    for (const asked of [gets, sends, ours]) asked.clear()
  }

  /** The connection is this session's from now on. */
  async function configure(token: string): Promise<void> {
    if (token === lastToken) return
    const found = await sessions.ofToken(token)
    if (isOver) return
    forget()
    session = found
    lastToken = token
    sessions.connect(session, connection)
  }

  const answer = (
    asked: { code: number; says: string },
    { tracingId }: ClientFrame,
    attachmentId: string | null = null,
  ) => tell(refusal({ ...asked, tracingId }, attachmentId))

  async function fromClient(text: string): Promise<void> {
    if (isOver) return
    const read = readClientFrame(text)
    const { asked, token, tracingId } = read
    // What is answered under this name may be the answer to either.
    if (tracingId !== null) sends.delete(tracingId)
    if (asked.kind === 'refused') return void answer(asked, read)
    if (token === null && asked.kind !== 'pass') return void answer({ code: 4020, says: 'token is missing' }, read)
    switch (asked.kind) {
      case 'pass':
        return toPlatform(text)
      case 'configure':
        // The policy is the deployment's, and the platform's door is one that was let in.
        if (read.frame.deploymentId !== undefined && read.frame.deploymentId !== deploymentId)
          return void answer({ code: 404, says: 'deployment not found' }, read)
        await configure(token!)
        return toPlatform(text)
      default:
        // As the platform says to a token that is not this connection's: what comes back could not be told apart.
        if (!session || token !== lastToken) return void answer({ code: 4007, says: 'session not found' }, read)
        return asked.kind === 'announce' ? announce(session, asked, read, text) : about(session, asked, read, text)
    }
  }

  async function announce(
    of: GuestSession,
    asked: Asked & { kind: 'announce' },
    read: ClientFrame,
    text: string,
  ): Promise<void> {
    const about = { deploymentId, language, tracingId: read.tracingId }
    const upload = await uploads.announce(of, asked, about)
    if ('says' in upload) return void answer(upload, read, asked.asJson ? (asked.attachmentId ?? '') : null)
    // An address for it is one to upload to, whatever it looks like.
    gets.delete(upload.sourceId)
    // The answer is known by the id, so that the file has one before it is asked for.
    toPlatform(asked.attachmentId === null ? JSON.stringify({ ...read.frame, attachmentId: upload.sourceId }) : text)
  }

  async function about(
    of: GuestSession,
    { kind, attachmentId: id }: Asked & { kind: 'get' | 'delete' | 'send' },
    read: ClientFrame,
    text: string,
  ): Promise<void> {
    const asked = { session: of.digest, id }
    // On record before the platform hears it: an echo that is lost leaves a file that may be in the conversation.
    const known = await (kind === 'send'
      ? records.beginSending({ ...asked, at: clock.now() })
      : records.gatewayFile(asked))
    const { sourceId, platformId } = known ?? { sourceId: id, platformId: id }
    of.outcomes.delete(sourceId)
    const mayBeSent = known !== null && isSendable(known)
    if (kind === 'send') {
      if (!mayBeSent)
        return void answer(
          known === null
            ? { code: 4009, says: 'Attachment not found' }
            : { code: 4010, says: 'Attachment was not uploaded successfully' },
          read,
        )
      if (read.tracingId !== null) watch(sends, read.tracingId, sourceId)
    }
    if (kind === 'get') {
      // Files of others in the conversation may be asked for anew; one of ours that was not cleared is not there.
      if (known !== null && !mayBeSent) return void answer({ code: 4009, says: 'Attachment not found' }, read)
      watch(gets, platformId, (gets.get(platformId) ?? 0) + 1)
    }
    if (platformId === id) return toPlatform(text)
    toPlatform(
      kind === 'send' ? sentUnder(read.frame, platformId) : JSON.stringify({ ...read.frame, attachmentId: platformId }),
    )
  }

  async function fromPlatform(text: string): Promise<void> {
    const frame = readServerFrame(text)
    if (!frame) return toClient(text)
    const body = isRecord(frame.body) ? frame.body : {}
    const id = typeof body.attachmentId === 'string' ? body.attachmentId : null
    const tracingId = typeof frame.tracingId === 'string' ? frame.tracingId : null
    const asked = tracingId === null ? undefined : ours.get(tracingId)
    if (asked) {
      ours.delete(tracingId!)
      return asked(frame)
    }
    switch (frame.class) {
      case 'PresignedUrlResponse':
        return address(frame, body, id, text)
      case 'UploadSuccessEvent':
        if (session && id !== null) uploads.succeeded(session, id, frame, text)
        return
      case 'UploadFailureEvent':
        return failed(frame, id, text)
      case 'AttachmentDeletedResponse':
        return session && id !== null ? deleted(session, frame, id, text) : toClient(text)
      case 'SessionResponse':
        toClient(text)
        if (session && body.connected === true && !isOver) outcomes.cameBack(session, connection)
        return
      case 'StructuredMessage':
        if (session && body.direction === 'Inbound' && typeof body.id === 'string')
          return echoed(session, frame, body.id, text)
        if (body.direction === 'Outbound' && typeof body.id === 'string') await outbound(frame, body.id)
        return toClient(text)
      default:
        return session && refusals.includes(String(frame.class)) ? refused(session, frame, text) : toClient(text)
    }
  }

  /** An address of the platform's never reaches a client, unless it leads to a download that it asked for. */
  async function address(
    frame: ServerFrame,
    body: Record<string, unknown>,
    id: string | null,
    text: string,
  ): Promise<void> {
    const linked = session && id !== null ? uploads.link(session, body) : null
    if (linked) return void tell(JSON.stringify({ ...frame, body: linked }))
    const asked = id === null ? 0 : (gets.get(id) ?? 0)
    const isDownload = isRecord(body.headers) && Object.keys(body.headers).length === 0 && body.fileSize !== undefined
    if (session && id !== null && asked > 0 && isDownload && !session.uploads.has(id)) {
      if (asked > 1) gets.set(id, asked - 1)
      else gets.delete(id)
      const known = await records.gatewayFile({ session: session.digest, id })
      return toClient(withId(frame, text, known?.sourceId ?? id))
    }
    // Who announced it must not wait for ever.
    if (id !== null) tell(uploadFailure(id, 5000, 'No address was given for the file.', clock.now()))
    events.gatewayAddressHeldBack(deploymentId)
  }

  async function failed(frame: ServerFrame, id: string | null, text: string): Promise<void> {
    if (session && id !== null) {
      if (await uploads.failed(session, id, frame, text)) return
      const known = await records.gatewayFile({ session: session.digest, id })
      // Of an address that was given up for another: the client's file is well.
      if (known && known.platformId !== id) return
      return toClient(withId(frame, text, known?.sourceId ?? id))
    }
    toClient(text)
  }

  async function deleted(of: GuestSession, frame: ServerFrame, id: string, text: string): Promise<void> {
    const { digest } = of
    const known = await records.gatewayFile({ session: digest, id })
    const { sourceId } = known ?? { sourceId: id }
    const key = { session: digest, sourceId }
    await records.moveFile({ ...key, from: ['announced', 'cleared'], to: 'deleted', at: clock.now() })
    uploads.deleted(of, sourceId)
    toClient(withId(frame, text, sourceId))
  }

  /** The customer's own message has come to the conversation. */
  async function echoed({ digest }: GuestSession, frame: ServerFrame, messageId: string, text: string): Promise<void> {
    /** Its files that the client knows by another id. */
    const others = new Map<string, string>()
    for (const id of attachmentsIn(frame)) {
      const known = await records.gatewayFile({ session: digest, id })
      if (!known) continue
      const { sourceId } = known
      if (sourceId !== id) others.set(id, sourceId)
      if (await records.fileSent({ session: digest, sourceId, messageId, at: clock.now() })) parts.sent()
    }
    toClient(others.size > 0 ? messageUnder(frame, others) : text)
  }

  /** Our side has sent something: where the policy wants it, its files are fetched and judged, and the customer does not wait for that. */
  async function outbound(frame: ServerFrame, messageId: string): Promise<void> {
    if (parts.agentFiles !== 'record' || attachmentsIn(frame).length === 0) return
    try {
      await records.noteMessage({ messageId, at: clock.now() })
      parts.sent()
    } catch (error) {
      events.gatewayFailed(error)
    }
  }

  /** What the platform refuses by the tracing id of what was asked. */
  async function refused(of: GuestSession, frame: ServerFrame, text: string): Promise<void> {
    const { attachmentId, errorCode = frame.code } = isRecord(frame.body) ? frame.body : {}
    const id = typeof attachmentId === 'string' ? attachmentId : null
    const tracingId = typeof frame.tracingId === 'string' ? frame.tracingId : null
    const sourceId = tracingId === null ? undefined : sends.get(tracingId)
    if (sourceId !== undefined) {
      sends.delete(tracingId!)
      const key = { session: of.digest, sourceId }
      // Else the message may be in the conversation all the same.
      if (isDefinite(errorCode)) await records.moveFile({ ...key, from: ['sending'], to: 'cleared', at: clock.now() })
    }
    await uploads.refused(of, { tracingId, attachmentId: id })
    if (id === null) return toClient(text)
    const known = await records.gatewayFile({ session: of.digest, id })
    toClient(withId(frame, text, known?.sourceId ?? id))
  }

  return {
    fromClient,
    fromPlatform,
    closed() {
      isOver = true
      forget()
    },
  }
}

/** A no that is one: not that it took too long, or that something went wrong. */
function isDefinite(code: unknown): boolean {
  return typeof code === 'number' && ((code >= 400 && code < 500 && code !== 408) || (code >= 4000 && code < 5000))
}

/** The oldest of many is watched no more. */
function watch<T>(watched: Map<string, T>, name: string, value: T): void {
  if (watched.size >= mostWatched && !watched.has(name)) watched.delete(watched.keys().next().value!)
  watched.set(name, value)
}
