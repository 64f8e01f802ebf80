import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import { setMaxListeners } from 'node:events'
import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { BadRequest, Conflict, NotFound, type RefusalCode, Refused } from '../../errors.ts'
import type { GuestUpload } from '../../genesys/guest/upload.ts'
import type { Intake } from '../../intake/intake.ts'
import { checkAnnounced, type Policy, policyFor } from '../../intake/policy.ts'
import { canonicalType } from '../../intake/types.ts'
import type { Texts } from '../../outbox/texts.ts'
import { gatewayDelivery } from '../../records/questions/gateway.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import { isRecord, type ServerFrame, uploadFailure, uploadSuccess, withId } from './frames.ts'
import { awayMs, createHandOn } from './handOn.ts'
import type { Connection, GuestSession, Sessions, Upload } from './sessions.ts'

export interface Announced {
  attachmentId: string | null
  fileName: string
  fileType: string
  fileSize: number
}

/** No: with the platform's code, and a sentence. */
export interface No {
  code: number
  says: string
}

export interface UploadsParts {
  records: Pick<Records, 'announceFile' | 'moveFile'>
  sessions: Sessions
  intake: Intake
  policy: Policy
  texts: Pick<Texts, 'sentence' | 'languageOf'>
  /** The stored bytes of an accepted file. */
  open(attachment: Attachment): Promise<AsyncIterable<Buffer>>
  guest: GuestUpload
  /** Where clients reach us: without a slash at its end. */
  publicUrl(): string
  clock: Clock
  events: Events
}

export interface Uploads {
  /** Judges an announcement before the platform hears of it. */
  announce(
    session: GuestSession,
    announced: Announced,
    about: { deploymentId: string; language: string | null; tracingId: string | null },
  ): Promise<Upload | No>
  /** The platform gave an address: what the client gets in place of it. Null: nobody asked for it, or it leads nowhere that we go. */
  link(session: GuestSession, body: Record<string, unknown>): Record<string, unknown> | null
  /** The platform has refused the announcement. */
  refused(session: GuestSession, match: { tracingId: string | null; attachmentId: string | null }): Promise<void>
  /** The platform says that it has the file: the client hears that once the file is cleared. */
  succeeded(session: GuestSession, platformId: string, frame: ServerFrame, text: string): void
  /** The platform says that an upload came to nothing: the client hears it of its own. False: nobody waits for this one. */
  failed(session: GuestSession, platformId: string, frame: ServerFrame, text: string): Promise<boolean>
  /**
   * Takes the bytes of a file that was announced. Resolves once it is judged; `told` is called when the answer is out, and then the
   * file goes on. Throws `NotFound` for a link that is unknown, used or over, and what intake throws: then it may be tried again.
   */
  take(
    link: { token: string; secret: string },
    put: {
      contentType: string | null
      length: number | null
      bytes: AsyncIterable<Uint8Array>
      gone: AbortSignal
      requestId: string
    },
  ): Promise<{ told(): void }>
  /** A client has come back: it hears what it has missed, and of files whose success was lost the platform is asked. */
  cameBack(session: GuestSession, connection: Connection): void
  /** Resolves when what goes on has ended, or after a bound: a client whose file was not handed on sends it again. */
  stop(): Promise<void>
}

const linkMs = 10 * 60_000
/** The platform tells its success at once. Where that was lost, or does not come, it is asked, for two minutes in all. */
const askPausesMs = [2000, 4000, 8000, 16_000, 32_000, 60_000]
const stopMs = 10_000
/** Announced and not decided on, at once in one session. */
const mostOpen = 20

/** What the platform calls our reasons (FACTS 1.7). */
const codes: Partial<Record<RefusalCode, number>> = {
  too_large: 4002,
  type_not_allowed: 4001,
  empty: 4102,
}
const nameInvalid = 4004
const contentInvalid = 4003
const unexpected = 5000

export function createUploads(parts: UploadsParts): Uploads {
  const { records, sessions, policy, texts, guest, clock, events } = parts
  const byToken = new Map<string, Upload>()
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  // As many as there are uploads wait for a moment.
  setMaxListeners(0, stopping.signal)
  const handOn = createHandOn({ sessions, guest, open: parts.open, clock, signal: stopping.signal })

  const now = () => clock.now().getTime()
  const end = (upload: Upload) => {
    upload.ended.abort()
    if (upload.link) byToken.delete(upload.link.token)
    upload.session.uploads.delete(upload.sourceId)
    sessions.uploadEnded(upload.session)
  }
  const move = (
    { session, sourceId, platformId }: Upload,
    to: 'cleared' | 'refused' | 'failed' | 'deleted',
    attachment?: Attachment,
  ) =>
    records.moveFile({
      session: session.digest,
      sourceId,
      from: ['announced'],
      to,
      at: clock.now(),
      platformId,
      ...(attachment && { attachmentId: attachment.id }),
    })
  const byPlatformId = (session: GuestSession, id: string) =>
    [...session.uploads.values()].find(({ platformId }) => platformId === id)

  function ended(upload: Upload, code: number, says: string): void {
    hear(upload, uploadFailure(upload.sourceId, code, says, clock.now()))
  }

  /** In the customer's words; what is held waits for a person, and the conversation does not get it. */
  function sentenceOf(upload: Upload, attachment: Attachment): string {
    return texts.sentence(attachment, texts.languageOf(upload.language), policyFor(policy, upload.deploymentId))
  }

  async function goOn(upload: Upload, attachment: Attachment, contentType: string | null): Promise<void> {
    if (attachment.state !== 'accepted') {
      await move(upload, 'refused')
      const code = (attachment.code && codes[attachment.code]) ?? contentInvalid
      return ended(upload, code, sentenceOf(upload, attachment))
    }
    try {
      await handOn(upload, attachment, contentType)
    } catch (error) {
      events.gatewayUploadFailed(attachment.id, error)
      await move(upload, 'failed', attachment)
      return ended(upload, unexpected, 'The file could not be handed on.')
    }
    // Deleted meanwhile: the client has heard that, and nothing can send it.
    if (!(await move(upload, 'cleared', attachment))) return end(upload)
    upload.state = 'cleared'
    if (upload.success !== null) return hear(upload, upload.success)
    for (const pause of askPausesMs) {
      await clock.wait(pause, AbortSignal.any([upload.ended.signal, stopping.signal]))
      if (!waits(upload)) return
      const connection = await sessions.ready(upload.session, awayMs, stopping.signal)
      // Nobody is there who could send it.
      if (!connection) return end(upload)
      await confirm(upload, connection)
    }
    if (waits(upload)) await failedAfterAll(upload)
  }

  const waits = (upload: Upload) =>
    upload.state === 'cleared' && !upload.ended.signal.aborted && !stopping.signal.aborted

  /** Whether the platform has a file that it has not told of, or not to anybody who was there. */
  async function confirm(upload: Upload, connection: Connection): Promise<void> {
    if (!waits(upload)) return
    const answer = await connection.ask({ action: 'getAttachment', attachmentId: upload.platformId })
    const url = isRecord(answer?.body) ? answer.body.url : null
    if (waits(upload) && typeof url === 'string') hear(upload, uploadSuccess(upload.sourceId, url, clock.now()))
  }

  /** The platform has taken the bytes, and does not know the file. */
  async function failedAfterAll(upload: Upload): Promise<void> {
    const key = { session: upload.session.digest, sourceId: upload.sourceId }
    await records.moveFile({ ...key, from: ['cleared'], to: 'failed', at: clock.now() })
    events.gatewayUploadLost(upload.deploymentId)
    ended(upload, unexpected, 'The file could not be handed on.')
  }

  function hear(upload: Upload, frame: string): void {
    // First that there is something to come back to: a session with nothing left is forgotten.
    sessions.tellOutcome(upload.session, upload.sourceId, frame)
    end(upload)
  }

  return {
    async announce(session, { attachmentId, fileName, fileType, fileSize }, { deploymentId, language, tracingId }) {
      const declaredType = canonicalType(fileType)
      try {
        checkAnnounced(policyFor(policy, deploymentId), { filename: fileName, declaredType, size: fileSize })
      } catch (error) {
        if (!(error instanceof Refused)) throw error
        return { code: codes[error.code] ?? nameInvalid, says: error.detail }
      }
      if (session.uploads.size >= mostOpen) return { code: 4029, says: 'Too many uploads at once' }
      const sourceId = attachmentId ?? randomUUID()
      const at = clock.now()
      const isNew = await records.announceFile({ session: session.digest, sourceId, deploymentId, language, at })
      if (!isNew) return { code: 400, says: 'attachmentId was used before' }
      const upload: Upload = {
        session,
        sourceId,
        platformId: sourceId,
        deploymentId,
        fileName,
        fileType,
        fileSize,
        language,
        tracingId,
        state: 'asked',
        target: null,
        link: null,
        success: null,
        ended: new AbortController(),
      }
      session.uploads.set(sourceId, upload)
      // No answer came, or no bytes did.
      void clock.wait(2 * linkMs, upload.ended.signal).then(() => {
        if (upload.state === 'asked' || upload.state === 'linked') end(upload)
      })
      return upload
    },

    link(session, body) {
      const upload = session.uploads.get(String(body.attachmentId))
      if (upload?.state !== 'asked') return null
      const target = guest.targetOf(body)
      if (!target) {
        events.gatewayTargetRefused(String(body.url))
        end(upload)
        return null
      }
      const link = {
        token: randomBytes(24).toString('base64url'),
        secret: randomBytes(24).toString('base64url'),
        until: now() + linkMs,
      }
      Object.assign(upload, { target, link, state: 'linked' })
      byToken.set(link.token, upload)
      const url = `${parts.publicUrl()}/gateway/uploads/${link.token}`
      return { ...body, url, headers: { [secretHeader]: link.secret } }
    },

    async refused(session, { tracingId, attachmentId }) {
      const upload = [...session.uploads.values()].find(
        (one) =>
          one.state === 'asked' &&
          (one.sourceId === attachmentId || (tracingId !== null && one.tracingId === tracingId)),
      )
      if (!upload) return
      end(upload)
      await move(upload, 'failed')
    },

    succeeded(session, platformId, frame, text) {
      const upload = byPlatformId(session, platformId)
      if (!upload) return
      const told = withId(frame, text, upload.sourceId)
      if (upload.state === 'cleared') hear(upload, told)
      else if (upload.state === 'kept') upload.success = told
    },

    async failed(session, platformId, frame, text) {
      const upload = byPlatformId(session, platformId)
      // Of an address that was given up for another.
      if (!upload) return session.uploads.has(platformId)
      const { sourceId } = upload
      const key = { session: session.digest, sourceId }
      await records.moveFile({ ...key, from: ['announced', 'cleared'], to: 'failed', at: clock.now() })
      hear(upload, withId(frame, text, sourceId))
      return true
    },

    async take({ token, secret }, { contentType, length, bytes, gone, requestId }) {
      const upload = byToken.get(token)
      if (!upload?.link || upload.link.until <= now() || !sameText(upload.link.secret, secret))
        throw new NotFound('upload')
      if (upload.state !== 'linked') throw new Conflict('in_progress', 'The file is being uploaded.')
      const { session, sourceId, fileName, fileType, fileSize, language } = upload
      if (length !== null && length !== fileSize)
        throw new BadRequest('bad_request', `The file was announced with ${fileSize} bytes.`)
      // The platform keeps the file under this type, and the agent's browser shows it as that: only what was judged.
      const given = contentType === null ? null : canonicalType(contentType)
      if (given !== null && given !== canonicalType(fileType) && given !== 'application/octet-stream')
        throw new BadRequest('bad_request', `The file was announced as ${fileType}.`)
      upload.state = 'coming'
      try {
        const { attachment } = await parts.intake(
          {
            door: 'gateway',
            deploymentId: upload.deploymentId,
            conversationId: null,
            countsFor: `session ${session.digest}`,
            messageId: null,
            language,
            filename: fileName,
            declaredType: canonicalType(fileType),
            sentBy: null,
            delivery: gatewayDelivery({ session: session.digest, sourceId }),
            fetch: null,
            spend: null,
            unproven: false,
            proved: async () => {},
            gone,
            bytes: exactly(bytes, fileSize),
          },
          { who: '(customer)', requestId },
        )
        byToken.delete(token)
        upload.link = null
        upload.state = 'kept'
        return {
          told() {
            const work = goOn(upload, attachment, contentType)
              .catch((error: unknown) => {
                events.gatewayUploadFailed(attachment.id, error)
                ended(upload, unexpected, 'The file could not be handed on.')
              })
              .finally(() => running.delete(work))
            running.add(work)
          },
        }
      } catch (error) {
        if (upload.state === 'coming') upload.state = 'linked'
        throw error
      }
    },

    cameBack(session, connection) {
      for (const { frame } of session.outcomes.values()) connection.tell(frame)
      sessions.cameBack(session, connection)
      for (const upload of session.uploads.values())
        confirm(upload, connection).catch((error: unknown) => events.gatewayFailed(error))
    },

    async stop() {
      stopping.abort()
      await Promise.race([Promise.allSettled([...running]), clock.wait(stopMs)])
    },
  }
}

export const secretHeader = 'x-clipgate-upload'

/** A file whose size is another than announced is not what was asked for. */
async function* exactly(bytes: AsyncIterable<Uint8Array>, size: number): AsyncGenerator<Uint8Array> {
  let seen = 0
  const differs = () => new BadRequest('bad_request', `The file was announced with ${size} bytes.`)
  for await (const piece of bytes) {
    seen += piece.length
    if (seen > size) throw differs()
    yield piece
  }
  if (seen !== size) throw differs()
}

function sameText(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)]
  return left.length === right.length && timingSafeEqual(left, right)
}
