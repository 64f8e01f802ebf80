import { randomUUID } from 'node:crypto'
import type { Attachment } from '../../attachment.ts'
import type { Clock } from '../../clock.ts'
import { GenesysRefused, GenesysUnavailable } from '../../genesys/errors.ts'
import type { GuestUpload, PresignedTarget } from '../../genesys/guest/upload.ts'
import { canonicalType, couldBe, namedAs } from '../../intake/types.ts'
import { isRecord } from './frames.ts'
import type { Sessions, Upload } from './sessions.ts'

export interface HandOnParts {
  sessions: Pick<Sessions, 'ready'>
  guest: GuestUpload
  /** The stored bytes of an accepted file. */
  open(attachment: Attachment): Promise<AsyncIterable<Buffer>>
  clock: Clock
  signal: AbortSignal
}

/** Puts the stored bytes of an accepted file to the platform. */
export type HandOn = (upload: Upload, attachment: Attachment, contentType: string | null) => Promise<void>

/** A client that is away may come back within this time (FACTS 1.6: five minutes). */
export const awayMs = 10 * 60_000
/** Answers to an announcement that said to ask later, or never came. */
const mostAnnouncements = 5
const pauseMs = 2000
const longestPauseMs = 60_000

/**
 * What is kept goes where the platform wants it. Where that is another size or type than the client announced, or where the address is
 * no good any more, it is announced anew, under an id of ours: a new one is safe, the same one is unconfirmed (FACTS 1.10). Throws
 * `GenesysRefused` and `GenesysUnavailable`.
 */
export function createHandOn({ sessions, guest, open, clock, signal }: HandOnParts): HandOn {
  const put = (target: PresignedTarget, contentType: string, attachment: Attachment) =>
    guest.put(target, { contentType, size: attachment.size!, open: () => open(attachment) })

  async function anew(upload: Upload, about: Announcement): Promise<PresignedTarget> {
    for (let asked = 0; asked < mostAnnouncements; asked++) {
      const connection = await sessions.ready(upload.session, awayMs, signal)
      if (!connection) break
      upload.platformId = randomUUID()
      const request = { action: 'onAttachment', attachmentId: upload.platformId, ...about, errorsAsJson: true }
      const answer = await connection.ask(request)
      const body = isRecord(answer?.body) ? answer.body : {}
      if (answer?.class === 'PresignedUrlResponse') {
        const target = guest.targetOf(body)
        if (target) return target
        throw new GenesysRefused('onAttachment', { status: 400, message: 'the address leads nowhere that we go' })
      }
      if (answer && answer.class !== 'TooManyRequestsErrorMessage') throw refusalOf(answer.code, answer.body)
      const seconds = typeof body.retryAfter === 'number' ? body.retryAfter : 0
      await clock.wait(Math.min(Math.max(seconds * 1000, pauseMs), longestPauseMs), signal)
    }
    throw new GenesysUnavailable('the file could not be announced anew')
  }

  return async (upload, attachment, contentType) => {
    const about = announcementOf(upload, attachment)
    const { target } = upload
    if (target && about.fileSize === upload.fileSize && about.fileType === canonicalType(upload.fileType))
      try {
        return await put(target, contentType ?? upload.fileType, attachment)
      } catch (error) {
        // As a store answers to an address whose time is over.
        if (!(error instanceof GenesysRefused && error.status === 403)) throw error
      }
    await put(await anew(upload, about), about.fileType, attachment)
  }
}

interface Announcement {
  fileName: string
  fileType: string
  fileSize: number
}

/** What is accepted has a size. */
function announcementOf({ fileName, fileType }: Upload, { type, size }: Attachment): Announcement {
  const declared = canonicalType(fileType)
  // A reading may be finer than what the customer said, which the platform was told. A copy of another type is what we made.
  const now = type === null || couldBe(type, declared) ? declared : type
  return { fileName: namedAs(fileName, now), fileType: now, fileSize: size! }
}

function refusalOf(code: unknown, body: unknown): GenesysRefused {
  const { errorCode, errorMessage } = isRecord(body) ? body : { errorCode: code, errorMessage: body }
  const status = typeof errorCode === 'number' ? errorCode : 400
  return new GenesysRefused('onAttachment', {
    status,
    ...(typeof errorMessage === 'string' && { message: errorMessage }),
  })
}
