import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Viewers } from '../access/viewers.ts'
import { Forbidden } from '../errors.ts'
import { answerSafeCopy, type CopyParts, copyOf, isHeld } from './copy.ts'
import { keysOnly, letView } from './letIn.ts'
import { contentHeaders, readsOf } from './reads.ts'
import type { Routes } from './server.ts'
import { previewQuery, problemShape } from './shapes.ts'

export interface CopyRouteParts extends CopyParts {
  viewers: Viewers
}

const problems = Object.fromEntries([400, 401, 403, 404, 409, 410, 503].map((status) => [status, problemShape]))

/**
 * /v1/attachments/{id}/preview and /safe-copy: made when asked for, in a process of their own, and kept nowhere, so that what
 * is erased leaves none. Each is in the audit trail as the read of the file that it is.
 */
export function copyRoutes(parts: CopyRouteParts): Routes {
  const { viewers } = parts
  const { found } = readsOf(parts)
  const params = z.object({ id: z.string() })
  const tags = ['attachments']
  const security = [{ apiKey: [] }, { session: [] }]

  /** Whether who asks decides about what is held. */
  async function decides({ method, headers }: FastifyRequest): Promise<boolean> {
    try {
      await viewers.require({ method, headers }, 'admin')
      return true
    } catch (error) {
      if (error instanceof Forbidden) return false
      throw error
    }
  }

  return (app) => {
    app.route({
      method: 'GET',
      url: '/v1/attachments/:id/preview',
      config: { media: '*/*' },
      schema: {
        summary: 'One page of an attachment as a picture, or the beginning of a text',
        description:
          'image/webp, or text/plain in UTF-8. What is held is shown to who decides about it (scope admin) unless an engine found something in it. X-Pages tells how many pages or frames there are. 409 no_copy says why there is none.',
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
        const asked = await found(request.params.id, request.viewer)
        const mayBeHeld = isHeld(asked) && (await decides(request))
        const wanted = { kind: 'preview' as const, page, pixels, mayBeHeld }
        const { type, pages, bytes } = await copyOf(asked, wanted, request, parts)
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
      onRequest: [letView(viewers, 'read'), keysOnly],
      handler: async (request, reply) =>
        answerSafeCopy(await found(request.params.id, request.viewer), request, reply, parts),
    })
  }
}
