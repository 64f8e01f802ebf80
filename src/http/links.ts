import { z } from 'zod'
import type { Links } from '../access/links.ts'
import type { Viewers } from '../access/viewers.ts'
import { Forbidden } from '../errors.ts'
import type { Link } from '../records/questions/links.ts'
import { readJson } from './json.ts'
import { letView } from './letIn.ts'
import { type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { linkAnswer, linkRequest, linksAnswer, problemShape } from './shapes.ts'

export interface LinkRouteParts extends ReadParts {
  viewers: Viewers
  links: Links
  /** Where files are served, without a slash at its end. */
  filesUrl(): string
}

const problems = (...statuses: number[]) => Object.fromEntries(statuses.map((status) => [status, problemShape]))

/** /v1/attachments/{id}/links: addresses by which a browser fetches a file that it has no key for. */
export function linkRoutes(parts: LinkRouteParts): Routes {
  const { viewers, links, filesUrl } = parts
  const { found, audit } = readsOf(parts)
  const security = [{ apiKey: [] }, { session: [] }]
  const tags = ['attachments']
  const params = z.object({ id: z.string() })

  return (app) => {
    readJson(app)

    app.route({
      method: 'POST',
      url: '/v1/attachments/:id/links',
      schema: {
        summary: 'Makes a link by which a browser fetches the file, its safe copy or as it came',
        description:
          'Whoever has the address has the file until the link is over, is revoked, or the session that it was made in ends. Originals are for who may have them; 403 for others.',
        tags,
        security,
        params,
        body: linkRequest,
        response: { 201: linkAnswer, ...problems(400, 401, 403, 404, 409, 410, 503) },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request, reply) => {
        const attachment = await found(request.params.id, request.viewer)
        const by = { viewer: request.viewer!, requestId: request.id }
        const { link, secret } = await links.make(attachment, request.body, by)
        const { id, of, expiresAt } = shown(link)
        return reply.code(201).send({ id, url: `${filesUrl()}/${secret}`, of, expiresAt })
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/links',
      schema: {
        summary: 'The links to a file that hold, without their addresses: the newest 200',
        tags,
        security,
        params,
        response: { 200: linksAnswer, ...problems(401, 403, 404, 503) },
      },
      onRequest: letView(viewers, 'admin'),
      handler: async (request) => {
        const { id } = await found(request.params.id, request.viewer)
        const items = await links.of(id)
        await audit({ what: 'see', object: id, outcome: `${items.length} links shown`, detail: null }, request)
        return { items: items.map(shown) }
      },
    })

    app.route({
      method: 'DELETE',
      url: '/v1/attachments/:id/links/:linkId',
      schema: {
        summary: 'Revokes a link',
        description: 'For who made it, and for the scope admin.',
        tags,
        security,
        params: z.object({ id: z.string(), linkId: z.string() }),
        response: { 204: z.void(), ...problems(401, 403, 404, 503) },
      },
      onRequest: async (request, reply) => {
        // Who may change all need not be able to read.
        await letView(viewers, 'read')(request, reply).catch(async (error: unknown) => {
          if (!(error instanceof Forbidden)) throw error
          await letView(viewers, 'admin')(request, reply)
        })
      },
      handler: async (request, reply) => {
        const { id: attachmentId } = await found(request.params.id, request.viewer)
        const { linkId: id } = request.params
        const own = (await links.of(attachmentId)).some((link) => link.id === id && link.who === request.who)
        if (!own) await letView(viewers, 'admin')(request, reply)
        await links.revoke({ id, attachmentId }, { who: request.who ?? 'anyone', requestId: request.id })
        return reply.code(204).send()
      },
    })
  }
}

function shown({ id, of, who, madeAt, expiresAt }: Link) {
  return { id, of, who, madeAt: madeAt.toISOString(), expiresAt: expiresAt.toISOString() }
}
