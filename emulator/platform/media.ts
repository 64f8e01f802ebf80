import { createHash, randomUUID } from 'node:crypto'
import type { FastifyInstance } from 'fastify'
import { maxFileBytes } from '../guest/limits.ts'
import { isRecord } from '../parse.ts'
import type { components } from '../platform.d.ts'
import { type Attachment, attach } from '../world/message.ts'
import type { World } from '../world/world.ts'
import { conversationOr404 } from './conversations.ts'
import { badRequest, invalidValue, notFound, PlatformError } from './errors.ts'
import type { SignedUrls } from './signedUrls.ts'
import type { UrlOf } from './views.ts'

type Schemas = components['schemas']
type Leg = { conversationId: string; communicationId: string }

/** A file that an agent's side announced, and its bytes once they came. */
interface Media extends Leg {
  id: string
  name: string
  lengthBytes: number
  md5: string | null
  status: NonNullable<Schemas['MessageMediaData']['status']>
  attachment?: Attachment
}

interface Parts {
  world: World
  signedUrls: SignedUrls
  urlOf: UrlOf
  origin: () => string
  now: () => Date
}

const base = '/api/v2/conversations/messages/:conversationId/communications/:communicationId/messages/media'
const uploads = '/uploads/media'
const lifetimeSeconds = 3600

/** The form is that of a storage service's presigned upload; what the header holds is invented. */
const uploadHeaders = { 'x-amz-tagging': 'originPlatform=PureCloud' }

/** As the reference has them: no dot at the start, no slash at the end, none of these in between. */
const nameIsFine = (name: string) => name !== '' && !/^\.|\/$|[\s\\{^}%`\]">[~<#|]/.test(name)

/** What an agent's side sends: announced, uploaded, and then named by its id in a message. */
export function createOutboundMedia({ world, signedUrls, urlOf, origin, now }: Parts) {
  const all = new Map<string, Media>()

  function find(id: string, leg: Leg): Media {
    const media = all.get(id)
    if (media?.conversationId !== leg.conversationId || media.communicationId !== leg.communicationId) throw notFound()
    return media
  }

  function legOr404(leg: Leg): Leg {
    const { participants } = conversationOr404(world, leg.conversationId)
    if (!participants.some(({ communicationId }) => communicationId === leg.communicationId)) throw notFound()
    return leg
  }

  function view(media: Media): Schemas['MessageMediaData'] {
    const { id, name, status, attachment, conversationId, communicationId } = media
    return {
      id,
      name,
      ...(attachment && { url: urlOf(attachment), mediaType: attachment.mime }),
      contentLengthBytes: media.lengthBytes,
      status,
      conversationId,
      communicationId,
      selfUri: selfUriOf(media),
    }
  }

  return {
    routes: async (app: FastifyInstance) => {
      app.post<{ Params: Leg }>(
        `${base}/uploads`,
        async ({ params, body }): Promise<Schemas['MessageMediaUploadData']> => {
          const media: Media = { ...legOr404(params), ...announced(body), id: randomUUID(), status: 'uploading' }
          all.set(media.id, media)
          const uploadUrl = origin() + signedUrls.sign(`${uploads}/${media.id}`, lifetimeSeconds)
          return { id: media.id, name: media.name, uploadUrl, uploadHeaders, selfUri: selfUriOf(media) }
        },
      )
      app.get<{ Params: Leg & { mediaId: string } }>(`${base}/:mediaId`, async ({ params }) =>
        view(find(params.mediaId, legOr404(params))),
      )
      app.get<{ Params: Leg }>(base, async ({ params }): Promise<Schemas['MessageMediaListing']> => {
        const { communicationId } = legOr404(params)
        const entities = [...all.values()].filter((media) => media.communicationId === communicationId).map(view)
        return { entities, pageSize: entities.length, pageNumber: 1, total: entities.length, pageCount: 1 }
      })
    },

    /** The signed url is its own credential. That the method is PUT is UNCONFIRMED. */
    uploadRoute: async (app: FastifyInstance) => {
      app.removeAllContentTypeParsers()
      app.addContentTypeParser('*', { parseAs: 'buffer', bodyLimit: 2 * maxFileBytes }, (_request, body, done) => {
        done(null, body)
      })
      app.put<{ Params: { id: string }; Querystring: { Expires?: string; Signature?: string } }>(
        `${uploads}/:id`,
        async ({ params, query, headers, body }, reply) => {
          const signed = signedUrls.check(`${uploads}/${params.id}`, query)
          if (!signed || headers['x-amz-tagging'] !== uploadHeaders['x-amz-tagging'])
            throw new PlatformError(403, 'not.authorized', 'The signature does not hold or has expired.')
          const media = all.get(params.id)
          if (!media) throw notFound()
          const bytes = Buffer.isBuffer(body) ? body : Buffer.alloc(0)
          const mime = String(headers['content-type'] ?? 'application/octet-stream')
          media.status = isAnnounced(media, bytes) ? 'valid' : 'invalid'
          if (media.status === 'valid') {
            media.attachment = attach({ name: media.name, mime, bytes }, now(), media.id)
            world.keepUpload(media.attachment)
          }
          return reply.code(200).send()
        },
      )
    },

    /** The file of a message that names it. Throws `PlatformError` 400 unless it is there and valid. */
    attachmentOf(id: unknown, leg: Leg): Attachment {
      const media = typeof id === 'string' ? all.get(id) : undefined
      if (media?.attachment === undefined || media.communicationId !== leg.communicationId)
        throw invalidValue('Nothing is known by this value of [mediaIds], or it is not valid.')
      return media.attachment
    },
  }
}

export type OutboundMedia = ReturnType<typeof createOutboundMedia>

function announced(body: unknown): Pick<Media, 'name' | 'lengthBytes' | 'md5'> {
  if (!isRecord(body)) throw badRequest('A file is required.')
  const { fileName, contentLengthBytes, contentMd5 } = body
  if (typeof fileName !== 'string' || !nameIsFine(fileName)) throw invalidValue('Value of [fileName] is not valid.')
  if (!Number.isInteger(contentLengthBytes) || Number(contentLengthBytes) <= 0)
    throw invalidValue('Value of [contentLengthBytes] is not valid.')
  return {
    name: fileName,
    lengthBytes: Number(contentLengthBytes),
    md5: typeof contentMd5 === 'string' ? contentMd5 : null,
  }
}

/** In which form the digest comes is UNCONFIRMED: base64 as storage services have it, or hex. */
function isAnnounced({ lengthBytes, md5 }: Media, bytes: Buffer): boolean {
  const digest = createHash('md5').update(bytes).digest()
  const md5Holds = md5 === null || md5 === digest.toString('base64') || md5 === digest.toString('hex')
  return bytes.length === lengthBytes && bytes.length <= maxFileBytes && md5Holds
}

function selfUriOf({ id, conversationId, communicationId }: Media): string {
  return `/api/v2/conversations/messages/${conversationId}/communications/${communicationId}/messages/media/${id}`
}
