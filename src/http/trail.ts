import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { BadRequest } from '../errors.ts'
import type { AuditLink } from '../records/questions/audit.ts'
import { letView } from './letIn.ts'
import { type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { auditAnswer, auditQuery, problemShape, storyAnswer } from './shapes.ts'

export interface TrailRouteParts extends ReadParts {
  viewers: Viewers
}

const longestStory = 1000
const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** The audit trail: /v1/audit, and what of it is about one attachment. Whoever looks is in it too. */
export function trailRoutes(parts: TrailRouteParts): Routes {
  const { viewers, records } = parts
  const { found, audit } = readsOf(parts)
  const security = [{ apiKey: [] }]
  const onRequest = letView(viewers, 'admin')

  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/audit',
      schema: {
        summary: 'Rows of the audit trail, newest first',
        tags: ['operations'],
        security,
        querystring: auditQuery,
        response: { 200: auditAnswer, ...problems(400, 401, 403, 503) },
      },
      onRequest,
      handler: async (request) => {
        const { cursor, limit, ...asked } = request.query
        const before = cursor === undefined ? undefined : readCursor(cursor)
        const rows = await records.findAudit({ ...asked, limit: limit + 1, before })
        const page = rows.slice(0, limit)
        const last = page.at(-1)
        const detail = JSON.stringify({ audit: true, ...asked })
        await audit({ what: 'list', object: null, outcome: `${page.length} shown`, detail }, request)
        return { items: page.map(shown), next: rows.length > limit && last ? writeCursor(last) : null }
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/story',
      schema: {
        summary: 'One attachment, and all that was done with it',
        tags: ['attachments'],
        security,
        params: z.object({ id: z.string() }),
        response: { 200: storyAnswer, ...problems(401, 403, 404, 503) },
      },
      onRequest,
      handler: async (request) => {
        const attachment = await found(request.params.id, request.viewer)
        const rows = await records.findAudit({ object: attachment.id, limit: longestStory })
        await audit({ what: 'see', object: attachment.id, outcome: 'story shown', detail: null }, request)
        return { attachment, rows: rows.reverse().map(shown) }
      },
    })
  }
}

function shown({ at, ...row }: AuditLink) {
  return { ...row, at: at.toISOString() }
}

function writeCursor({ at, node, seq }: AuditLink): string {
  return Buffer.from(`${at.getTime()} ${seq} ${node}`).toString('base64url')
}

function readCursor(cursor: string): { at: Date; node: string; seq: number } {
  const match = /^(\d{1,15}) (\d{1,15}) ([\x21-\x7e]{1,100})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw new BadRequest('bad_request', 'cursor: not one that we gave')
  return { at: new Date(Number(match[1])), seq: Number(match[2]), node: match[3]! }
}
