import { setMaxListeners } from 'node:events'
import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import type { RefusalCode } from '../../errors.ts'
import type { GuestUpload } from '../../genesys/guest/upload.ts'
import { type Policy, policyFor } from '../../intake/policy.ts'
import type { Texts } from '../../outbox/texts.ts'
import type { Records } from '../../records/records.ts'
import type { Events } from '../../telemetry/events.ts'
import { isRecord, uploadFailure, uploadSuccess } from './frames.ts'
import { awayMs, createHandOn } from './handOn.ts'
import { type Connection, type GuestSession, rememberedMs, type Sessions, type Upload } from './sessions.ts'

export interface OutcomesParts {
  records: Pick<Records, 'moveFile' | 'untoldFiles'>
  sessions: Sessions
  policy: Policy
  texts: Pick<Texts, 'sentence' | 'languageOf'>
  /** The stored bytes of an accepted file. */
  open(attachment: Attachment): Promise<AsyncIterable<Buffer>>
  guest: GuestUpload
  clock: Clock
  events: Events
}

/** What becomes of a file once it is judged, until its client has heard that. */
export interface Outcomes {
  /** Goes on with it: to the platform, or to a refusal. */
  judged(upload: Upload, attachment: Attachment, contentType: string | null): void
  /** The client hears this of it, and nothing more comes. */
  hear(upload: Upload, frame: string): void
  /** A client has come back: it hears what it has missed, and of files whose success was lost the platform is asked. */
  cameBack(session: GuestSession, connection: Connection): void
  /** Resolves when what goes on has ended, or after a bound: what was not handed on is taken up by the next process. */
  stop(): Promise<void>
}

/** The platform tells its success at once. Where that was lost, or does not come, it is asked, for two minutes in all. */
const askPausesMs = [2000, 4000, 8000, 16_000, 32_000, 60_000]
const stopMs = 10_000

/** What the platform calls our reasons (FACTS 1.7). */
export const codes: Partial<Record<RefusalCode, number>> = {
  too_large: 4002,
  type_not_allowed: 4001,
  empty: 4102,
}
const contentInvalid = 4003
const unexpected = 5000

export function createOutcomes(parts: OutcomesParts): Outcomes {
  const { records, sessions, policy, texts, guest, clock, events } = parts
  const running = new Set<Promise<void>>()
  const stopping = new AbortController()
  // As many as there are uploads wait for a moment.
  setMaxListeners(0, stopping.signal)
  const handOn = createHandOn({ sessions, guest, open: parts.open, clock, signal: stopping.signal })

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
  function ended(upload: Upload, code: number, says: string): void {
    hear(upload, uploadFailure(upload.sourceId, code, says, clock.now()))
  }

  const lost = (upload: Upload) => ended(upload, unexpected, 'The file could not be handed on.')

  /** In the customer's words; what is held waits for a person, and the conversation does not get it. */
  function refusedFor(upload: Upload, attachment: Attachment): void {
    const limits = policyFor(policy, upload.deploymentId)
    const code = (attachment.code && codes[attachment.code]) ?? contentInvalid
    ended(upload, code, texts.sentence(attachment, texts.languageOf(upload.language), limits))
  }

  async function goOn(upload: Upload, attachment: Attachment, contentType: string | null): Promise<void> {
    // Where it was deleted meanwhile, no move is made: the client has heard that, and nothing can send it.
    if (attachment.state !== 'accepted')
      return (await move(upload, 'refused')) ? refusedFor(upload, attachment) : sessions.end(upload)
    if (upload.ended.signal.aborted) return
    try {
      await handOn(upload, attachment, contentType)
    } catch (error) {
      // The next process takes it up where we end.
      if (stopping.signal.aborted) return
      events.gatewayUploadFailed(attachment.id, error)
      return (await move(upload, 'failed', attachment)) ? lost(upload) : sessions.end(upload)
    }
    if (!(await move(upload, 'cleared', attachment))) return sessions.end(upload)
    upload.state = 'cleared'
    if (upload.success !== null) return hear(upload, upload.success)
    await untilHeard(upload)
  }

  async function untilHeard(upload: Upload): Promise<void> {
    for (const pause of askPausesMs) {
      await clock.wait(pause, AbortSignal.any([upload.ended.signal, stopping.signal]))
      if (!waits(upload)) return
      const connection = await sessions.ready(upload.session, awayMs, stopping.signal)
      // Nobody is there who could send it.
      if (!connection) return sessions.end(upload)
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

  function run(upload: Upload, attachment: Attachment, going: Promise<void>): void {
    const work = going
      .catch((error: unknown) => {
        events.gatewayUploadFailed(attachment.id, error)
        lost(upload)
      })
      .finally(() => running.delete(work))
    running.add(work)
  }

  /** What a process that ended has judged and not told, or not handed on: a client that has its 200 waits for the outcome. */
  async function recall(session: GuestSession): Promise<void> {
    if (session.recalled) return
    session.recalled = true
    const since = new Date(clock.now().getTime() - rememberedMs)
    for (const file of await records.untoldFiles({ session: session.digest, since })) {
      const { sourceId, state, attachment } = file
      if (session.uploads.has(sourceId) || session.outcomes.has(sourceId)) continue
      if (!['accepted', 'refused', 'quarantined'].includes(attachment.state)) continue
      const upload = sessions.begin({
        ...file,
        session,
        fileName: attachment.filename ?? '',
        fileType: attachment.declaredType ?? '',
        fileSize: attachment.size ?? 0,
        tracingId: null,
        state: state === 'cleared' ? 'cleared' : 'kept',
        endsAt: null,
      })
      if (state === 'failed') lost(upload)
      else if (state === 'refused') refusedFor(upload, attachment)
      else run(upload, attachment, state === 'cleared' ? untilHeard(upload) : goOn(upload, attachment, null))
    }
  }

  /** The platform has taken the bytes, and does not know the file. */
  async function failedAfterAll(upload: Upload): Promise<void> {
    const key = { session: upload.session.digest, sourceId: upload.sourceId }
    await records.moveFile({ ...key, from: ['cleared'], to: 'failed', at: clock.now() })
    events.gatewayUploadLost(upload.deploymentId)
    lost(upload)
  }

  function hear(upload: Upload, frame: string): void {
    // First that there is something to come back to: a session with nothing left is forgotten.
    sessions.tellOutcome(upload.session, upload.sourceId, frame)
    sessions.end(upload)
  }

  return {
    judged: (upload, attachment, contentType) => run(upload, attachment, goOn(upload, attachment, contentType)),
    hear,
    cameBack(session, connection) {
      for (const { frame } of session.outcomes.values()) connection.tell(frame)
      sessions.cameBack(session, connection)
      const failed = (error: unknown) => events.gatewayFailed(error)
      for (const upload of session.uploads.values()) confirm(upload, connection).catch(failed)
      recall(session).catch(failed)
    },
    async stop() {
      stopping.abort()
      await Promise.race([Promise.allSettled([...running]), clock.wait(stopMs)])
    },
  }
}
