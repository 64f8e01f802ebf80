import type { FastifyInstance, FastifyReply } from 'fastify'
import type { Switches } from '../switches.ts'
import type { Attachment } from '../world/message.ts'
import type { World } from '../world/world.ts'
import type { Access } from './authorize.ts'
import { notFound } from './errors.ts'
import type { SignedUrls } from './signedUrls.ts'
import type { UrlOf } from './views.ts'

interface Parts {
  world: World
  switches: Switches
  signedUrls: SignedUrls
  access: Access
  /** The emulator's own origin; known once it listens. */
  origin: () => string
  /** Another origin that serves the same. */
  elsewhere: () => string
  now: () => Date
}

/** Behind every url a file is gone 30 days after it was sent, although messages still carry one. */
const retentionMs = 30 * 24 * 3600 * 1000

const pathOf = ({ downloadId }: Attachment) => `/api/v2/downloads/${downloadId}`

/** The url that a message carries: made anew each time the message is read, and signed if the switch says so. */
export function downloadUrls({
  switches,
  signedUrls,
  origin,
}: Pick<Parts, 'switches' | 'signedUrls' | 'origin'>): UrlOf {
  return (attachment) => {
    const path = pathOf(attachment)
    const signed = switches.downloads === 'signed'
    return origin() + (signed ? signedUrls.sign(path, switches.signedUrlLifetimeSeconds) : path)
  }
}

/**
 * `GET /api/v2/downloads/{downloadId}`. A signature that holds gets the bytes without a token. Without one the token is
 * needed; then the switch `downloads` says whether the bytes come or a redirect to the signed url, as in the live
 * observation. `issueRedirect=false` always answers 200 with the signed url as JSON. Where the signed url lies is another
 * switch.
 */
export function downloadRoute({ world, switches, signedUrls, access, origin, elsewhere, now }: Parts) {
  function signedUrlOf(attachment: Attachment): string {
    const target = switches.redirectDownloadsTo
    if (target !== 'self' && target !== 'elsewhere') return target
    const signed = signedUrls.sign(pathOf(attachment), switches.signedUrlLifetimeSeconds)
    return (target === 'self' ? origin() : elsewhere()) + signed
  }

  return async (app: FastifyInstance) => {
    app.get<{
      Params: { downloadId: string }
      Querystring: { Expires?: string; Signature?: string; issueRedirect?: string }
    }>('/api/v2/downloads/:downloadId', async (request, reply) => {
      const { params, query } = request
      const signed = signedUrls.check(`/api/v2/downloads/${params.downloadId}`, query)
      if (!signed) await access.check(request, reply)
      const attachment = world.attachment(params.downloadId)
      // 404 for a file past its retention is UNCONFIRMED.
      if (!attachment || now().getTime() >= attachment.sentAt.getTime() + retentionMs) throw notFound()
      if (signed) return sendFile(reply, attachment)
      if (query.issueRedirect === 'false') return { url: signedUrlOf(attachment) }
      return switches.downloads === 'redirect'
        ? reply.redirect(signedUrlOf(attachment), 302)
        : sendFile(reply, attachment)
    })
  }
}

/** The name goes through a Buffer because a lone surrogate, which a name may hold, cannot be percent-encoded. */
function sendFile(reply: FastifyReply, { mime, filename, bytes }: Attachment): FastifyReply {
  return reply
    .header('content-type', mime)
    .header(
      'content-disposition',
      `attachment; filename*=UTF-8''${encodeURIComponent(Buffer.from(filename).toString())}`,
    )
    .send(bytes)
}
