import type { Credentials } from '../access/credentials.ts'
import type { PullDoor } from '../doors/pull/pull.ts'
import { letIn } from './letIn.ts'
import type { Routes } from './server.ts'
import { problemShape, pullAnswer, pullQuery, pullRequest } from './shapes.ts'
import { strictJson } from './strictJson.ts'

export interface PullRouteParts {
  credentials: Credentials
  door: PullDoor
}

const maxBodyBytes = 16 * 1024

/** Callers give up after 10 s: their own limits, and the platform's for a webhook. */
const waitMs = 9000

/** POST /webhook/message */
export function pullRoutes({ credentials, door }: PullRouteParts): Routes {
  return (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser(
      'application/json',
      { parseAs: 'string', bodyLimit: maxBodyBytes },
      async (_request: unknown, text: string) => strictJson(text),
    )
    app.route({
      method: 'POST',
      url: '/webhook/message',
      schema: {
        summary: 'Fetches the files of a message, or of a conversation, from the platform',
        description:
          'For a data action, a workflow or any script. The answer comes within 10 s; what takes longer goes on without the caller, and the same request tells later how it ended. `sentence` is what a flow can say to the customer.',
        tags: ['pull'],
        security: [{ apiKey: [] }],
        querystring: pullQuery,
        body: pullRequest,
        response: {
          200: pullAnswer,
          202: pullAnswer,
          ...Object.fromEntries([400, 401, 403, 404, 503].map((status) => [status, problemShape])),
        },
      },
      onRequest: letIn(credentials, 'pull'),
      handler: async (request, reply) => {
        const answer = await door.pull(request.body, request.query.wait === '0' ? 0 : waitMs)
        const { conversationId } = request.body
        return reply
          .code(answer.status === 'done' ? 200 : 202)
          .header('cache-control', 'no-store')
          .send({ conversationId, ...answer })
      },
    })
  }
}
