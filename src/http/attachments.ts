import { Readable } from 'node:stream'
import { z } from 'zod'
import { type DownloadParts, openContent } from '../access/download.ts'
import type { Viewer, Viewers } from '../access/viewers.ts'
import { type Attachment, parseAttachmentId } from '../attachment.ts'
import { BadRequest, Damaged, NotFound } from '../errors.ts'
import { type EraseParts, erase } from '../retention/erase.ts'
import { answerProblem } from './answer.ts'
import { letView } from './letIn.ts'
import { rangeOf } from './range.ts'
import { contentHeaders, dispositionOf, type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { attachmentShape, listAnswer, listQuery, problemShape, receiptShape } from './shapes.ts'
import { type ReaderLimits, watchReader } from './slowReader.ts'

export interface AttachmentRouteParts extends DownloadParts, EraseParts, ReadParts {
  viewers: Viewers
  readers: ReaderLimits
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** /v1/attachments. Every read is in the audit trail, or where that cannot be written in the log, before its answer begins. */
export function attachmentRoutes(parts: AttachmentRouteParts): Routes {
  const { viewers, records, events } = parts
  const params = z.object({ id: z.string() })
  const security = [{ apiKey: [] }, { session: [] }]
  const tags = ['attachments']

  const { found, audit } = readsOf(parts)

  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/attachments',
      schema: {
        summary: 'Lists attachments, newest first',
        description: 'An agent names a conversation of theirs; another one is not there.',
        tags,
        security,
        querystring: listQuery,
        response: { 200: listAnswer, ...problems(400, 401, 403, 404, 429, 503) },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request) => {
        const { cursor, limit, ...asked } = request.query
        await requireListed(request.viewer, asked.conversationId)
        const items = await records.listAttachments({
          ...asked,
          limit: limit + 1,
          after: cursor ? readCursor(cursor) : undefined,
        })
        const page = items.slice(0, limit)
        const last = page.at(-1)
        // What was searched for may be a customer's name: the trail keeps that there was a search.
        const detail = JSON.stringify({ ...asked, ...(asked.q !== undefined && { q: '…' }) })
        await audit({ what: 'list', object: null, outcome: `${page.length} shown`, detail }, request)
        return { items: page, next: items.length > limit && last ? writeCursor(last) : null }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/attachments/:id',
      schema: {
        summary: 'One attachment',
        tags,
        security,
        params,
        response: { 200: attachmentShape, ...problems(401, 403, 404, 503) },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request) => {
        const attachment = await found(request.params.id, request.viewer)
        await audit({ what: 'see', object: attachment.id, outcome: 'shown', detail: null }, request)
        return attachment
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/content',
      config: { media: '*/*' },
      schema: {
        summary: 'The bytes of an accepted attachment; one Range',
        description:
          'Each 64 KiB is proved before it leaves. A whole read compares the digest and cuts the connection when it differs.',
        tags,
        security,
        params,
        produces: ['application/octet-stream'],
        response: {
          200: z.unknown().describe('The bytes.'),
          206: z.unknown(),
          ...problems(401, 403, 404, 409, 410, 416, 503),
        },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request, reply) => {
        const asked = await found(request.params.id, request.viewer)
        const { id } = asked
        const tell = (error: unknown): never => {
          if (error instanceof Damaged) events.fileDamaged(id, request.id, error)
          throw error
        }
        const { attachment, bytes } = await openContent(asked, parts).catch(tell)
        const { size, type, filename } = attachment
        const range = rangeOf(request.headers.range, size)
        if (range === 'unsatisfiable') {
          reply.header('content-range', `bytes */${size}`)
          const problem = {
            status: 416,
            code: 'range_not_satisfiable',
            title: 'No such range.',
            detail: `The file has ${size} bytes.`,
          }
          return answerProblem(request, reply, problem)
        }
        await audit(
          { what: 'read', object: id, outcome: range ? `bytes ${range.start}-${range.end}` : 'whole', detail: null },
          request,
        )
        // The first piece is proved before anything goes out: a file that is damaged at its start is a 500, not a cut.
        const pieces = bytes(range ?? undefined)
        const first = await pieces.next().catch(tell)
        reply.headers(contentHeaders).header('accept-ranges', 'bytes')
        reply.header('content-type', type)
        reply.header('content-disposition', dispositionOf(filename))
        reply.header('content-length', range ? range.end - range.start + 1 : size)
        if (range) reply.code(206).header('content-range', `bytes ${range.start}-${range.end}/${size}`)
        // Who hardly reads holds a file open: it is cut off, and may ask for the rest by Range.
        watchReader(reply.raw, parts.readers, () => {
          events.readerTooSlow(id, request.id)
          reply.raw.destroy()
        })
        const stream = Readable.from(withFirst(first, pieces, tell), { objectMode: false })
        // A reader that is gone by now leaves the generator unstarted, and then nothing else would close the file.
        stream.once('close', () => void pieces.return(undefined).catch(() => {}))
        return reply.send(stream)
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/attachments/:id',
      schema: {
        summary: 'Erases an attachment and gives a receipt',
        tags,
        security,
        params,
        response: { 200: receiptShape, ...problems(401, 403, 404, 503) },
      },
      onRequest: letView(viewers, 'admin'),
      handler: (request) =>
        erase(parseAttachmentId(request.params.id), { who: request.who ?? 'anyone', requestId: request.id }, parts),
    })
  }
}

/** Who does not see all names a conversation of theirs. Throws `BadRequest` without one, `NotFound` for another. */
async function requireListed(viewer: Viewer | null, conversationId: string | undefined): Promise<void> {
  if (viewer?.seesAll) return
  if (conversationId === undefined)
    throw new BadRequest('bad_request', 'conversationId: needed by who does not see all')
  if (!(await viewer?.sees(conversationId))) throw new NotFound('conversation')
}

async function* withFirst(
  first: IteratorResult<Buffer>,
  rest: AsyncGenerator<Buffer>,
  tell: (error: unknown) => never,
): AsyncGenerator<Buffer> {
  try {
    if (!first.done) yield first.value
    yield* rest
  } catch (error) {
    tell(error)
  }
}

function writeCursor({ receivedAt, id }: Attachment): string {
  return Buffer.from(`${Date.parse(receivedAt)} ${id}`).toString('base64url')
}

function readCursor(cursor: string): { receivedAt: number; id: string } {
  const match = /^(\d{1,15}) (att_[0-9a-z]{26})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw new BadRequest('bad_request', 'cursor: not one that we gave')
  return { receivedAt: Number(match[1]), id: match[2]! }
}
