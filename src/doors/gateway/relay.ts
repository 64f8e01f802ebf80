import { randomBytes } from 'node:crypto'
import type { RawData, WebSocket } from 'ws'
import type { Clock } from '../../clock.ts'
import type { GatewayState } from '../../records/questions/gateway.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import {
  type Asked,
  attachmentsIn,
  type ClientFrame,
  isRecord,
  readClientFrame,
  readServerFrame,
  refusal,
  type ServerFrame,
  uploadFailure,
  uploadSuccess,
} from './frames.ts'
import { createPace } from './pace.ts'
import type { Connection, GuestSession, Sessions } from './sessions.ts'
import type { Uploads } from './uploads.ts'

export interface RelayParts {
  sessions: Sessions
  uploads: Uploads
  records: Pick<Records, 'gatewayFile' | 'moveFile' | 'fileSent'>
  /** A file is in a conversation that is to be found. */
  sent(): void
  clock: Clock
  events: Events
}

export interface RelayOptions {
  client: WebSocket
  upstream: WebSocket
  deploymentId: string
  /** Of the customer, as the browser says it. */
  language: string | null
}

export interface Relay {
  /** Without a close frame: clients come back from that (FACTS 1.6). */
  drop(): void
  /** Resolves when both sides are closed. */
  closed: Promise<void>
  /** Asks both sides whether they are there; drops when one did not answer the last time. */
  beat(): void
}

/** Bytes that wait for one side, above which nothing more is read from the other. */
const mostWaiting = 64 * 1024
/** Frames of one side that are not handled yet, above which nothing more is read from it. */
const mostQueued = 16
/** The platform has the bytes. */
const handedOn: GatewayState[] = ['cleared', 'sending', 'sent', 'completed']

/** Requests of a connection whose answers are watched for. */
const mostWatched = 100

/** Relays one connection: frames pass byte for byte, except around files. */
export function createRelay({ client, upstream, deploymentId, language }: RelayOptions, parts: RelayParts): Relay {
  const { sessions, uploads, records, clock, events } = parts
  const over = new AbortController()
  const pace = createPace(clock)
  /** Of the session that was configured last on this connection. */
  let session: GuestSession | null = null
  let lastToken: string | null = null
  /** Files in messages that were passed on, by the tracing id of the frame. */
  const sends = new Map<string, string>()
  /** Downloads that were asked for, by the platform's id. */
  const gets = new Map<string, number>()
  /** Ours: whether the platform has a file whose success was lost. */
  const ours = new Map<string, string>()

  const connection: Connection = {
    tell(frame) {
      if (client.readyState !== client.OPEN) return false
      client.send(frame)
      return true
    },
    confirm(sourceId) {
      if (upstream.readyState !== upstream.OPEN) return
      const tracingId = `clipgate-${randomBytes(16).toString('hex')}`
      ours.set(tracingId, sourceId)
      upstream.send(JSON.stringify({ action: 'getAttachment', token: lastToken, attachmentId: sourceId, tracingId }))
    },
  }

  /** The connection is this session's from now on, and what was asked in another is nobody's. */
  function configure(token: string): void {
    if (token === lastToken) return
    if (session) sessions.disconnect(session, connection)
    session = sessions.ofToken(token)
    lastToken = token
    sessions.connect(session, connection)
    for (const asked of [gets, sends, ours]) asked.clear()
  }

  /** Why a side is not read: too much waits for the other one, or too many of its own frames are not handled yet. */
  const held = { client: new Set<'target' | 'queue'>(), upstream: new Set<'target' | 'queue'>() }
  const holdBack = (source: WebSocket, why: 'target' | 'queue', is: boolean) => {
    const reasons = source === client ? held.client : held.upstream
    if (is) reasons.add(why)
    else reasons.delete(why)
    if (reasons.size > 0) source.pause()
    else source.resume()
  }

  const pass = (target: WebSocket, source: WebSocket, text: string) => {
    if (target.readyState !== target.OPEN) return
    target.send(text, () => {
      if (target.bufferedAmount <= mostWaiting / 2) holdBack(source, 'target', false)
    })
    if (target.bufferedAmount > mostWaiting) holdBack(source, 'target', true)
  }

  /** One frame after the other, in the order in which they came. */
  function inOrder(source: WebSocket, handle: (text: string) => Promise<void>) {
    let tail = Promise.resolve()
    let queued = 0
    source.on('message', (data: RawData, isBinary: boolean) => {
      if (isBinary) {
        source.close(1003)
        return
      }
      if (++queued > mostQueued) holdBack(source, 'queue', true)
      tail = tail
        .then(() => handle(String(data)))
        .catch((error: unknown) => {
          events.gatewayFailed(error)
          drop()
        })
        .finally(() => {
          if (--queued <= mostQueued / 2) holdBack(source, 'queue', false)
        })
    })
  }

  const answer = (
    asked: { code: number; says: string },
    { tracingId }: ClientFrame,
    attachmentId: string | null = null,
  ) => connection.tell(refusal({ ...asked, tracingId }, attachmentId))

  async function fromClient(text: string): Promise<void> {
    const wait = pace.wait()
    if (wait > 0) {
      if (pace.floods()) {
        events.gatewayFlooded(deploymentId)
        client.close(1008)
        return
      }
      await clock.wait(wait, over.signal)
    }
    const read = readClientFrame(text)
    const { asked, token } = read
    if (asked.kind === 'refused') return void answer(asked, read)
    if (token === null && asked.kind !== 'pass') return void answer({ code: 4020, says: 'token is missing' }, read)
    switch (asked.kind) {
      case 'pass':
        return pass(upstream, client, text)
      case 'configure':
        // The policy is the deployment's, and the platform's door is one that was let in.
        if (read.frame.deploymentId !== undefined && read.frame.deploymentId !== deploymentId)
          return void answer({ code: 404, says: 'deployment not found' }, read)
        configure(token!)
        return pass(upstream, client, text)
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
    pass(
      upstream,
      client,
      asked.attachmentId === null ? JSON.stringify({ ...read.frame, attachmentId: upload.sourceId }) : text,
    )
  }

  async function about(
    of: GuestSession,
    asked: Asked & { kind: 'get' | 'delete' | 'send' },
    read: ClientFrame,
    text: string,
  ): Promise<void> {
    const { attachmentId: sourceId } = asked
    const key = { session: of.digest, sourceId }
    of.outcomes.delete(sourceId)
    const known = await records.gatewayFile(key)
    // Cleared once, and not called back, held or erased since.
    const mayBeSent = known !== null && handedOn.includes(known.state) && known.attachmentState === 'accepted'
    if (asked.kind === 'send') {
      if (!mayBeSent)
        return void answer(
          known === null
            ? { code: 4009, says: 'Attachment not found' }
            : { code: 4010, says: 'Attachment was not uploaded successfully' },
          read,
        )
      // On record before the platform hears it: an echo that is lost leaves a file that may be in the conversation.
      await records.moveFile({ ...key, from: ['cleared', 'sending'], to: 'sending', at: clock.now() })
    }
    if (asked.kind === 'get') {
      // Files of others in the conversation may be asked for anew; one of ours that was not cleared is not there.
      if (known !== null && !mayBeSent) return void answer({ code: 4009, says: 'Attachment not found' }, read)
      if (gets.size >= mostWatched) gets.delete(gets.keys().next().value!)
      gets.set(sourceId, (gets.get(sourceId) ?? 0) + 1)
    }
    if (read.tracingId !== null && asked.kind === 'send') {
      if (sends.size >= mostWatched) sends.delete(sends.keys().next().value!)
      sends.set(read.tracingId, sourceId)
    }
    pass(upstream, client, text)
  }

  async function fromUpstream(text: string): Promise<void> {
    const frame = readServerFrame(text)
    const handled = frame && (await ofFiles(frame, text))
    if (!handled) pass(client, upstream, text)
  }

  /** True: the client gets something else, or nothing. */
  async function ofFiles(frame: ServerFrame, text: string): Promise<boolean> {
    const body = isRecord(frame.body) ? frame.body : {}
    const id = typeof body.attachmentId === 'string' ? body.attachmentId : null
    const tracingId = typeof frame.tracingId === 'string' ? frame.tracingId : null
    if (tracingId !== null && ours.has(tracingId)) return heard(tracingId, body)
    switch (frame.class) {
      case 'PresignedUrlResponse':
        return address(frame, body, id)
      case 'UploadSuccessEvent':
        if (session && id !== null) uploads.succeeded(session, id, text)
        return true
      case 'UploadFailureEvent':
        if (session && id !== null) await uploads.failed(session, id)
        return false
      case 'AttachmentDeletedResponse':
        if (session && id !== null) {
          const key = { session: session.digest, sourceId: id }
          await records.moveFile({ ...key, from: ['announced', 'cleared'], to: 'deleted', at: clock.now() })
        }
        return false
      case 'SessionResponse':
        if (body.connected === true) comeBack(text)
        return body.connected === true
      case 'StructuredMessage':
        if (session && isRecord(body) && body.direction === 'Inbound' && typeof body.id === 'string')
          await echoed(session, frame, body.id)
        return false
      default:
        if (session) await refusedBy(frame, session, tracingId, id)
        return false
    }
  }

  /** An address of the platform's never reaches a client, unless it leads to a download that it asked for. */
  function address(frame: ServerFrame, body: Record<string, unknown>, id: string | null): boolean {
    const linked = session && id !== null ? uploads.link(session, body) : null
    if (linked) {
      connection.tell(JSON.stringify({ ...frame, body: linked }))
      return true
    }
    const asked = id === null ? 0 : (gets.get(id) ?? 0)
    const isDownload = isRecord(body.headers) && Object.keys(body.headers).length === 0 && body.fileSize !== undefined
    if (id !== null && asked > 0 && isDownload && !session?.uploads.has(id)) {
      if (asked > 1) gets.set(id, asked - 1)
      else gets.delete(id)
      return false
    }
    // Who announced it must not wait for ever.
    if (id !== null) connection.tell(uploadFailure(id, 5000, 'No address was given for the file.', clock.now()))
    events.gatewayAddressHeldBack(deploymentId)
    return true
  }

  /** First that it is back, then what it has missed. */
  function comeBack(text: string): void {
    pass(client, upstream, text)
    if (!session) return
    for (const { frame } of session.outcomes.values()) connection.tell(frame)
    for (const { sourceId } of uploads.unheard(session)) connection.confirm(sourceId)
  }

  /** Whether the platform has a file that was on its way while the client was not there. */
  function heard(tracingId: string, body: Record<string, unknown>): boolean {
    const sourceId = ours.get(tracingId)!
    ours.delete(tracingId)
    if (!session) return true
    const { url } = body
    if (typeof url === 'string') uploads.succeeded(session, sourceId, uploadSuccess(sourceId, url, clock.now()))
    return true
  }

  async function echoed({ digest }: GuestSession, frame: ServerFrame, messageId: string): Promise<void> {
    for (const sourceId of attachmentsIn(frame))
      if (await records.fileSent({ session: digest, sourceId, messageId, at: clock.now() })) parts.sent()
  }

  /** What the platform refuses by the tracing id of what was asked. */
  async function refusedBy(
    { class: name }: ServerFrame,
    of: GuestSession,
    tracingId: string | null,
    attachmentId: string | null,
  ): Promise<void> {
    if (!['string', 'Error', 'ErrorMessage', 'GenerateUrlError', 'TooManyRequestsErrorMessage'].includes(String(name)))
      return
    const sourceId = tracingId === null ? undefined : sends.get(tracingId)
    if (sourceId !== undefined) {
      sends.delete(tracingId!)
      const key = { session: of.digest, sourceId }
      await records.moveFile({ ...key, from: ['sending'], to: 'cleared', at: clock.now() })
    }
    await uploads.refused(of, { tracingId, attachmentId })
  }

  function drop(): void {
    client.terminate()
    upstream.terminate()
  }

  let answered = { client: true, upstream: true }
  client.on('pong', () => {
    answered.client = true
  })
  upstream.on('pong', () => {
    answered.upstream = true
  })
  inOrder(client, fromClient)
  inOrder(upstream, fromUpstream)
  const closing = (source: WebSocket, target: WebSocket) =>
    new Promise<void>((resolve) => {
      source.on('error', () => source.terminate())
      source.on('close', (code, reason) => {
        over.abort()
        endAs(target, code, reason)
        resolve()
      })
    })
  const closed = Promise.all([closing(client, upstream), closing(upstream, client)]).then(() => {
    if (session) sessions.disconnect(session, connection)
  })

  return {
    drop,
    closed,
    beat() {
      if (!answered.client || !answered.upstream) return drop()
      answered = { client: false, upstream: false }
      for (const socket of [client, upstream]) if (socket.readyState === socket.OPEN) socket.ping()
    },
  }
}

/** As the other side ended: with the same code, or without a close frame. */
function endAs(socket: WebSocket, code: number, reason: Buffer): void {
  // One that waits would never read that the other side closes too.
  socket.resume()
  if (code === 1006) {
    socket.terminate()
    return
  }
  if (code === 1005) {
    socket.close()
    return
  }
  const mayBeSent =
    (code >= 1000 && code <= 1014 && ![1004, 1005, 1006].includes(code)) || (code >= 3000 && code <= 4999)
  socket.close(mayBeSent ? code : 1011, mayBeSent ? reason : undefined)
}
