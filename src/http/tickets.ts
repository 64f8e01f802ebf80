import type { Credentials } from '../access/credentials.ts'
import type { Tickets } from '../access/tickets.ts'
import { strictJson } from '../strictJson.ts'
import { letIn } from './letIn.ts'
import type { Routes } from './server.ts'
import { problemShape, ticketAnswer, ticketRequest } from './shapes.ts'

const maxBodyBytes = 16 * 1024

/** POST /v1/tickets */
export function ticketRoutes({ credentials, tickets }: { credentials: Credentials; tickets: Tickets }): Routes {
  return (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/json',
      { parseAs: 'string', bodyLimit: maxBodyBytes },
      async (_request: unknown, text: string) => strictJson(text),
    )
    app.route({
      method: 'POST',
      url: '/v1/tickets',
      schema: {
        summary: 'Issues a ticket, with which files of one conversation are pushed without a secret',
        description:
          'Send it as `Authorization: Ticket <ticket>`. It is spent when a record commits, so that a 503 or a cut connection does not spend it.',
        tags: ['push'],
        security: [{ apiKey: [] }],
        body: ticketRequest,
        response: {
          201: ticketAnswer,
          ...Object.fromEntries([400, 401, 403, 503].map((status) => [status, problemShape])),
        },
      },
      onRequest: letIn(credentials, 'push'),
      handler: async (request, reply) => {
        const { ticket, expiresAt } = await tickets.issue(request.body, {
          who: request.who ?? 'anyone',
          requestId: request.id,
        })
        return reply.code(201).header('cache-control', 'no-store').send({ ticket, expiresAt: expiresAt.toISOString() })
      },
    })
  }
}
