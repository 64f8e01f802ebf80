import { z } from 'zod'
import { type DownloadParts, openContent } from '../access/download.ts'
import type { Viewer, Viewers } from '../access/viewers.ts'
import type { Copy, CopyWanted } from '../copies/copy.ts'
import type { CopyMaker } from '../copies/maker.ts'
import { Damaged } from '../errors.ts'
import { namedAs } from '../intake/types.ts'
import { letView } from './letIn.ts'
import { contentHeaders, dispositionOf, type ReadParts, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { previewQuery, problemShape } from './shapes.ts'

export interface CopyRouteParts extends DownloadParts, ReadParts {
  viewers: Viewers
  copies: CopyMaker
}

const problems = Object.fromEntries([400, 401, 403, 404, 409, 410, 503].map((status) => [status, problemShape]))

/**
 * /v1/attachments/{id}/preview and /safe-copy: made when asked for, in a process of their own, and kept nowhere, so that what
 * is erased leaves none. Each is in the audit trail as the read of the file that it is.
 */
export function copyRoutes(parts: CopyRouteParts): Routes {
  const { viewers, copies, events } = parts
  const { found, audit } = readsOf(parts)
  const params = z.object({ id: z.string() })
  const tags = ['attachments']
  const security = [{ apiKey: [] }, { session: [] }]

  async function copyOf(
    text: string,
    wanted: Pick<CopyWanted, 'kind' | 'page' | 'pixels'>,
    request: { id: string; who: string | null; viewer: Viewer | null },
  ): Promise<Copy & { filename: string | null }> {
    const asked = await found(text, request.viewer)
    const { attachment, bytes } = await openContent(asked, parts)
    const outcome = wanted.kind === 'safe' ? 'safe copy' : `preview of page ${wanted.page}`
    await audit({ what: 'read', object: asked.id, outcome, detail: null }, request)
    const { type, size, filename } = attachment
    try {
      return { ...(await copies.make({ ...wanted, type, size }, bytes())), filename }
    } catch (error) {
      if (error instanceof Damaged) events.fileDamaged(asked.id, request.id, error)
      throw error
    }
  }

  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/preview',
      config: { media: '*/*' },
      schema: {
        summary: 'One page of an accepted attachment as a picture, or the beginning of a text',
        description:
          'image/webp, or text/plain in UTF-8. X-Pages tells how many pages or frames there are. 409 no_copy says why there is none.',
        tags,
        security,
        params,
        querystring: previewQuery,
        produces: ['image/webp', 'text/plain'],
        response: { 200: z.unknown().describe('The preview.'), ...problems },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request, reply) => {
        const { page, pixels } = request.query
        const { type, pages, bytes } = await copyOf(request.params.id, { kind: 'preview', page, pixels }, request)
        reply.headers(contentHeaders)
        reply.header('content-type', type.startsWith('text/') ? `${type}; charset=utf-8` : type)
        reply.header('x-pages', pages)
        return reply.send(bytes)
      },
    })

    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/safe-copy',
      config: { media: '*/*' },
      schema: {
        summary: 'An accepted attachment written anew: without metadata, actions and what is hidden',
        description:
          'A picture is upright and has no metadata, a PDF is its pages as pictures, a text is UTF-8. 409 no_copy says why there is none.',
        tags,
        security,
        params,
        produces: ['application/octet-stream'],
        response: { 200: z.unknown().describe('The copy.'), ...problems },
      },
      onRequest: letView(viewers, 'read'),
      handler: async (request, reply) => {
        const wanted = { kind: 'safe', page: 1, pixels: 1 } as const
        const { type, bytes, filename } = await copyOf(request.params.id, wanted, request)
        reply.headers(contentHeaders)
        reply.header('content-type', type.startsWith('text/') ? `${type}; charset=utf-8` : type)
        reply.header('content-disposition', dispositionOf(namedAs(filename ?? 'file', type)))
        return reply.send(bytes)
      },
    })
  }
}
