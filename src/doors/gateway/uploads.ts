import { randomBytes, randomUUID, timingSafeEqual } from 'node:crypto'
import type { Clock } from '../../clock.ts'
import { BadRequest, Conflict, NotFound, Refused } from '../../errors.ts'
import type { GuestUpload } from '../../genesys/guest/upload.ts'
import type { Intake } from '../../intake/intake.ts'
import { checkAnnounced, type Policy, policyFor } from '../../intake/policy.ts'
import { canonicalType, isOneType } from '../../intake/types.ts'
import { gatewayDelivery } from '../../records/questions/gatewayLeft.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import { type ServerFrame, withId } from './frames.ts'
import { codes, type Outcomes } from './outcomes.ts'
import type { GuestSession, Sessions, Upload } from './sessions.ts'

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
  outcomes: Outcomes
  intake: Intake
  policy: Policy
  guest: Pick<GuestUpload, 'targetOf'>
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
  /** Its client has deleted it. */
  deleted(session: GuestSession, sourceId: string): void
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
}

const linkMs = 10 * 60_000
/** Announced and not decided on, at once in one session. */
const mostOpen = 20

const nameInvalid = 4004

export function createUploads(parts: UploadsParts): Uploads {
  const { records, sessions, outcomes, policy, guest, clock, events } = parts
  const byToken = new Map<string, Upload>()

  const now = () => clock.now().getTime()
  const byPlatformId = (session: GuestSession, id: string) =>
    [...session.uploads.values()].find(({ platformId }) => platformId === id)

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
      const upload = sessions.begin({
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
        endsAt: now() + 2 * linkMs,
      })
      // No answer came, or no bytes did.
      void clock.wait(2 * linkMs, upload.ended.signal).then(() => {
        if (upload.state === 'asked' || upload.state === 'linked') sessions.end(upload)
      })
      return upload
    },

    link(session, body) {
      const upload = session.uploads.get(String(body.attachmentId))
      if (upload?.state !== 'asked') return null
      const target = guest.targetOf(body)
      if (!target) {
        events.gatewayTargetRefused(String(body.url))
        sessions.end(upload)
        return null
      }
      const link = {
        token: randomBytes(24).toString('base64url'),
        secret: randomBytes(24).toString('base64url'),
        until: now() + linkMs,
      }
      Object.assign(upload, { target, link, state: 'linked' })
      byToken.set(link.token, upload)
      upload.ended.signal.addEventListener('abort', () => byToken.delete(link.token))
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
      sessions.end(upload)
      const key = { session: session.digest, sourceId: upload.sourceId }
      await records.moveFile({ ...key, from: ['announced'], to: 'failed', at: clock.now() })
    },

    succeeded(session, platformId, frame, text) {
      const upload = byPlatformId(session, platformId)
      if (!upload) return
      const told = withId(frame, text, upload.sourceId)
      if (upload.state === 'cleared') outcomes.hear(upload, told)
      else if (upload.state === 'kept') upload.success = told
    },

    deleted(session, sourceId) {
      const upload = session.uploads.get(sourceId)
      if (upload) sessions.end(upload)
    },

    async failed(session, platformId, frame, text) {
      const upload = byPlatformId(session, platformId)
      // Of an address that was given up for another.
      if (!upload) return session.uploads.has(platformId)
      const { sourceId } = upload
      const key = { session: session.digest, sourceId }
      await records.moveFile({ ...key, from: ['announced', 'cleared'], to: 'failed', at: clock.now() })
      outcomes.hear(upload, withId(frame, text, sourceId))
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
      const fits = given === canonicalType(fileType) || given === 'application/octet-stream'
      if (contentType !== null && (!fits || !isOneType(contentType)))
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
            atMost: fileSize,
            bytes: exactly(bytes, fileSize),
          },
          { who: '(customer)', requestId },
        )
        byToken.delete(token)
        upload.link = null
        upload.state = 'kept'
        return { told: () => outcomes.judged(upload, attachment, contentType) }
      } catch (error) {
        if (upload.state === 'coming') upload.state = 'linked'
        if (upload.endsAt !== null && upload.endsAt <= now()) sessions.end(upload)
        throw error
      }
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
