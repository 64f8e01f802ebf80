import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { type Attachment, parseAttachmentId } from '../attachment.ts'
import { BadRequest } from '../errors.ts'
import { type EraseParts, erase } from '../retention/erase.ts'
import { answerContent, type ContentParts } from './content.ts'
import { keysOnly, letView } from './letIn.ts'
import { readsOf, requireShown } from './reads.ts'
import type { Routes } from './server.ts'
import { attachmentShape, listAnswer, listQuery, problemShape, receiptShape } from './shapes.ts'

export interface AttachmentRouteParts extends ContentParts, EraseParts {
  viewers: Viewers
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** /v1/attachments. Every read is in the audit trail, or where that cannot be written in the log, before its answer begins. */
export function attachmentRoutes(parts: AttachmentRouteParts): Routes {
  const { viewers, records } = parts
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
        await requireShown(request.viewer, asked.conversationId)
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
      onRequest: [letView(viewers, 'read'), keysOnly],
      handler: async (request, reply) =>
        answerContent(await found(request.params.id, request.viewer), request, reply, parts),
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

function writeCursor({ receivedAt, id }: Attachment): string {
  return Buffer.from(`${Date.parse(receivedAt)} ${id}`).toString('base64url')
}

function readCursor(cursor: string): { receivedAt: number; id: string } {
  const match = /^(\d{1,15}) (att_[0-9a-z]{26})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw new BadRequest('bad_request', 'cursor: not one that we gave')
  return { receivedAt: Number(match[1]), id: match[2]! }
}
