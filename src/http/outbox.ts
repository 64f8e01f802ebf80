import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import type { Way } from '../attachment.ts'
import { BadRequest } from '../errors.ts'
import { dropOwed, type Operator, retryOwed } from '../outbox/operator.ts'
import type { OutboxEntry, owedStates } from '../records/questions/outbox.ts'
import { readJson } from './json.ts'
import { letView } from './letIn.ts'
import { type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { attachmentShape, decisionRequest, outboxAnswer, outboxQuery, problemShape } from './shapes.ts'

export interface OutboxRouteParts extends ReadParts {
  viewers: Viewers
  /** Something is due again. */
  wake(): void
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** /v1/outbox: what is owed to conversations, and what people do about it. */
export function outboxRoutes(parts: OutboxRouteParts): Routes {
  const { viewers, records, wake } = parts
  const { found, audit } = readsOf(parts)
  const security = [{ apiKey: [] }]
  const tags = ['operations']
  const params = z.object({ attachmentId: z.string() })
  const onRequest = letView(viewers, 'admin')

  return (app) => {
    readJson(app)

    app.route({
      method: 'GET',
      url: '/v1/outbox',
      schema: {
        summary: 'Lists confirmations, the oldest first',
        tags,
        security,
        querystring: outboxQuery,
        response: { 200: outboxAnswer, ...problems(400, 401, 403, 503) },
      },
      onRequest,
      handler: async (request) => {
        const { state = null, limit, cursor } = request.query
        const after = cursor === undefined ? null : readCursor(cursor)
        const entries = await records.listOutbox({ state, limit: limit + 1, after })
        const page = entries.slice(0, limit)
        const last = page.at(-1)
        const detail = JSON.stringify({ outbox: true, ...(state !== null && { state }) })
        await audit({ what: 'list', object: null, outcome: `${page.length} shown`, detail }, request)
        return { items: page.map(shown), next: entries.length > limit && last ? writeCursor(last) : null }
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/outbox/:attachmentId/retry',
      schema: {
        summary: 'Makes due again what is parked about one attachment, its alerts too',
        tags,
        security,
        params,
        response: { 200: attachmentShape, ...problems(401, 403, 404, 503) },
      },
      onRequest,
      handler: async (request) => {
        const { id } = await found(request.params.attachmentId, request.viewer)
        await retryOwed(id, operatorOf(request, null), parts)
        wake()
        return found(id, request.viewer)
      },
    })

    app.route({
      method: 'POST',
      url: '/v1/outbox/:attachmentId/drop',
      schema: {
        summary: 'Gives up what is owed about one attachment',
        tags,
        security,
        params,
        body: decisionRequest,
        response: { 200: attachmentShape, ...problems(400, 401, 403, 404, 503) },
      },
      onRequest,
      handler: async (request) => {
        const { id } = await found(request.params.attachmentId, request.viewer)
        await dropOwed(id, operatorOf(request, request.body.reason), parts)
        return found(id, request.viewer)
      },
    })
  }
}

function operatorOf({ id, who }: { id: string; who: string | null }, reason: string | null): Operator {
  return { who: who ?? 'anyone', requestId: id, reason }
}

function shown({ state, way, nextAt, createdAt, ...entry }: OutboxEntry) {
  return {
    ...entry,
    state: state as (typeof owedStates)[number],
    way: way as Way | null,
    nextAt: nextAt.toISOString(),
    createdAt: createdAt.toISOString(),
  }
}

function writeCursor({ createdAt, attachmentId }: OutboxEntry): string {
  return Buffer.from(`${createdAt.getTime()} ${attachmentId}`).toString('base64url')
}

function readCursor(cursor: string): { createdAt: Date; attachmentId: string } {
  const match = /^(\d{1,15}) (att_[0-9a-z]{26})$/.exec(Buffer.from(cursor, 'base64url').toString('latin1'))
  if (!match) throw new BadRequest('bad_request', 'cursor: not one that we gave')
  return { createdAt: new Date(Number(match[1])), attachmentId: match[2]! }
}
