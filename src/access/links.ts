import { randomBytes } from 'node:crypto'
import type { Attachment, AttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { Forbidden, NotFound } from '../errors.ts'
import type { Link, Linked } from '../records/questions/links.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'
import { requireReadable } from './download.ts'
import type { Viewer } from './viewers.ts'

/** Addresses by which a person fetches one file, for a while and without other credentials: a browser can send none along. */
export interface Links {
  /**
   * The secret itself is not kept: only a digest of it under a key of ours. Throws `Forbidden` for an original that the viewer
   * may not have, and as `openContent` when there is nothing to read.
   */
  make(attachment: Attachment, wanted: LinkWanted, by: LinkMaker): Promise<{ link: Link; secret: string }>
  /** Throws `NotFound` when it is unknown, over or revoked, or its session has ended. */
  find(secret: string): Promise<Link>
  /** Those of an attachment that hold, the newest first, at most 200. */
  of(attachmentId: AttachmentId): Promise<Link[]>
  /** Ends one before its time. Throws `NotFound` when there is none such. */
  revoke(link: Pick<Link, 'id' | 'attachmentId'>, by: { who: string; requestId: string }): Promise<void>
}

export interface LinkWanted {
  of: Linked
  expiresInSeconds: number
}

export interface LinkMaker {
  viewer: Viewer
  requestId: string
}

export interface LinkParts {
  records: Pick<Records, 'keepLink' | 'link' | 'linksOf' | 'endLink'>
  keys: Pick<KeyRing, 'digests'>
  /** Whether a session goes on: a link ends with the one that it was made in. Throws `Unavailable` when that is not known. */
  isLive(sessionId: string): Promise<boolean>
  clock: Clock
}

const mostListed = 200

export function createLinks({ records, keys, isLive, clock }: LinkParts): Links {
  return {
    async make(attachment, { of, expiresInSeconds }, { viewer, requestId }) {
      if (of === 'original' && !viewer.mayOriginals)
        throw new Forbidden('Files are shown to you as safe copies only.', viewer.who)
      requireReadable(attachment)
      const secret = `fil_${randomBytes(24).toString('base64url')}`
      const now = clock.now()
      const link: Link = {
        id: `lnk_${randomBytes(12).toString('hex')}`,
        attachmentId: attachment.id,
        of,
        who: viewer.who,
        session: viewer.session?.id ?? null,
        madeAt: now,
        expiresAt: new Date(now.getTime() + expiresInSeconds * 1000),
      }
      const outcome = `${of} until ${link.expiresAt.toISOString()}`
      await records.keepLink({
        digest: keys.digests(secret)[0]!,
        link,
        audit: {
          at: now,
          who: viewer.who,
          what: 'link_make',
          object: attachment.id,
          outcome,
          requestId,
          detail: JSON.stringify({ link: link.id }),
        },
      })
      return { link, secret }
    },

    async find(secret) {
      if (!/^fil_[A-Za-z0-9_-]{32}$/.test(secret)) throw new NotFound('link')
      const link = await records.link({ digests: keys.digests(secret), now: clock.now() })
      if (!link || (link.session !== null && !(await isLive(link.session)))) throw new NotFound('link')
      return link
    },

    of: (attachmentId) => records.linksOf({ attachmentId, now: clock.now(), limit: mostListed }),

    async revoke({ id, attachmentId }, { who, requestId }) {
      const ended = await records.endLink({
        attachmentId,
        id,
        audit: {
          at: clock.now(),
          who,
          what: 'link_revoke',
          object: attachmentId,
          outcome: 'revoked',
          requestId,
          detail: JSON.stringify({ link: id }),
        },
      })
      if (!ended) throw new NotFound('link')
    },
  }
}
