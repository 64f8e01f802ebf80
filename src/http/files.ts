import { z } from 'zod'
import type { Links } from '../access/links.ts'
import { NotFound } from '../errors.ts'
import { answerContent, type ContentParts } from './content.ts'
import { answerSafeCopy, type CopyParts } from './copy.ts'
import type { Routes } from './server.ts'
import { problemShape } from './shapes.ts'

export interface FileRouteParts extends ContentParts, CopyParts {
  links: Links
  /** Where files are served, without a slash at its end. */
  filesUrl: string
}

const problems = Object.fromEntries([404, 409, 410, 416, 503].map((status) => [status, problemShape]))

/**
 * Files for browsers, by the addresses that links are: no other credential counts here. In the trail each is a read by who made
 * the link.
 */
export function fileRoutes(parts: FileRouteParts): Routes {
  const { links, records, filesUrl } = parts
  const { origin, pathname } = new URL(filesUrl)
  return (app) => {
    app.route({
      method: ['GET', 'HEAD'],
      url: `${pathname.replace(/\/$/, '')}/:secret`,
      config: { media: '*/*', files: true },
      schema: {
        summary: 'The file that a link leads to; of an original one Range',
        description: '404: there is no such link, or none any more.',
        tags: ['attachments'],
        servers: [{ url: origin }],
        params: z.object({ secret: z.string() }),
        produces: ['application/octet-stream'],
        response: { 200: z.unknown().describe('The bytes.'), 206: z.unknown(), ...problems },
      } as never,
      handler: async (request, reply) => {
        const link = await links.find((request.params as { secret: string }).secret)
        request.who = `${link.who} (link)`
        const attachment = await records.attachment(link.attachmentId)
        if (!attachment) throw new NotFound('attachment')
        return link.of === 'original'
          ? answerContent(attachment, request, reply, parts)
          : answerSafeCopy(attachment, request, reply, parts)
      },
    })
  }
}
