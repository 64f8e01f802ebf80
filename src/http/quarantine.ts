import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { type AttachmentId, parseAttachmentId } from '../attachment.ts'
import { BadRequest } from '../errors.ts'
import type { Decider, Decisions } from '../quarantine/decisions.ts'
import type { Held } from '../records/questions/quarantine.ts'
import { strictJson } from '../strictJson.ts'
import { letView } from './letIn.ts'
import { type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { attachmentShape, decisionRequest, heldAnswer, heldQuery, problemShape, releaseAnswer } from './shapes.ts'

export interface QuarantineRouteParts extends ReadParts {
  viewers: Viewers
  decisions: Decisions
}

const maxBodyBytes = 16 * 1024
const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** /v1/quarantine, and what people decide about one attachment. */
export function quarantineRoutes(parts: QuarantineRouteParts): Routes {
  const { viewers, decisions, records } = parts
  const { audit } = readsOf(parts)
  const security = [{ apiKey: [] }, { session: [] }]
  const tags = ['quarantine']
  const params = z.object({ id: z.string() })

  return (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, text: string) =>
      strictJson(text),
    )

    app.route({
      method: 'GET',
      url: '/v1/quarantine',
      schema: {
        summary: 'Lists what waits for a person or for an engine, the longest first',
        tags,
        security,
        querystring: heldQuery,
        response: { 200: heldAnswer, ...problems(400, 401, 403, 503) },
      },
      onRequest: letView(viewers, 'admin'),
      handler: async (request) => {
        const { waitsFor, limit, cursor } = request.query
        const items = await records.listHeld({
          waitsFor: waitsFor ?? null,
          limit: limit + 1,
          after: cursor === undefined ? null : readCursor(cursor),
        })
        const page = items.slice(0, limit)
        const last = page.at(-1)
        const detail = JSON.stringify({ quarantine: true, ...(waitsFor && { waitsFor }) })
        await audit({ what: 'list', object: null, outcome: `${page.length} shown`, detail }, request)
        return { items: page.map(shown), next: items.length > limit && last ? writeCursor(last) : null }
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/attachments/:id/release',
      bodyLimit: maxBodyBytes,
      schema: {
        summary: 'Lets a held file through',
        description:
          'Where the policy asks for a second person, the first call answers 202 and is on record; the same by another releases it.',
        tags,
        security,
        params,
        body: decisionRequest,
        response: { 200: releaseAnswer, 202: releaseAnswer, ...problems(400, 401, 403, 404, 409, 503) },
      },
      onRequest: letView(viewers, 'admin'),
      handler: async (request, reply) => {
        const answer = await decisions.release(...deciding(request))
        return reply.code(answer.status === 'asked' ? 202 : 200).send(answer)
      },
    })

    for (const [what, summary] of [
      ['hold', 'Takes an accepted file back until somebody decides'],
      ['destroy', 'Refuses a held file for good, and destroys its bytes'],
    ] as const)
      app.route({
        method: 'POST',
        url: `/v1/attachments/:id/${what}`,
        bodyLimit: maxBodyBytes,
        schema: {
          summary,
          tags,
          security,
          params,
          body: decisionRequest,
          response: { 200: attachmentShape, ...problems(400, 401, 403, 404, 409, 503) },
        },
        onRequest: letView(viewers, 'admin'),
        handler: (request) => decisions[what](...deciding(request)),
      })
  }
}

function deciding({
  id: requestId,
  who,
  params,
  body,
}: {
  id: string
  who: string | null
  params: { id: string }
  body: { reason: string }
}): [AttachmentId, Decider] {
  return [parseAttachmentId(params.id), { who: who ?? 'anyone', requestId, reason: body.reason }]
}

function shown({ since, until, asked, ...held }: Held) {
  return {
    ...held,
    since: since.toISOString(),
    until: until.toISOString(),
    asked: asked && { by: asked.by, at: asked.at.toISOString() },
  }
}

function writeCursor({ since, attachment: { id } }: Held): string {
  return Buffer.from(`${since.getTime()} ${id}`).toString('base64url')
}

function readCursor(cursor: string): { since: Date; id: string } {
  const match = /^(\d{1,15}) (att_[0-9a-z]{26})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw new BadRequest('bad_request', 'cursor: not one that we gave')
  return { since: new Date(Number(match[1])), id: match[2]! }
}
