import type { Credentials } from '../access/credentials.ts'
import type { TakenEvents } from '../doors/pull/eventBridge.ts'
import type { PullDoor } from '../doors/pull/pull.ts'
import { strictJson } from '../strictJson.ts'
import { letIn } from './letIn.ts'
import type { Routes } from './server.ts'
import { eventsAnswer, eventsRequest, problemShape, pullAnswer, pullQuery, pullRequest } from './shapes.ts'

export interface PullRouteParts {
  credentials: Credentials
  door: PullDoor
  takeEvents(body: unknown): Promise<TakenEvents>
}

const maxBodyBytes = 16 * 1024

/** An event of EventBridge has at most 256 KiB (its own limit). */
const maxEventBytes = 1024 * 1024

/** Callers give up after 10 s: their own limits, and the platform's for a webhook. */
const waitMs = 9000

/** POST /webhook/message, POST /webhook/events */
export function pullRoutes({ credentials, door, takeEvents }: PullRouteParts): Routes {
  return (app) => {
    app.removeAllContentTypeParsers()
    app.addContentTypeParser('application/json', { parseAs: 'string' }, async (_request: unknown, text: string) =>
      strictJson(text),
    )
    app.route({
      method: 'POST',
      url: '/webhook/message',
      bodyLimit: maxBodyBytes,
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
        const atOnce = request.query.wait === '0'
        const answer = await door.pull(request.body, atOnce ? 0 : waitMs)
        const { conversationId } = request.body
        return reply
          .code(answer.status === 'done' && !atOnce ? 200 : 202)
          .header('cache-control', 'no-store')
          .send({ conversationId, ...answer })
      },
    })

    app.route({
      method: 'POST',
      url: '/webhook/events',
      bodyLimit: maxEventBytes,
      schema: {
        summary: 'Takes events of the platform, as EventBridge delivers them, one or a list',
        description:
          'What they speak of is looked at for files. Answered once that is kept; an event that comes again is known.',
        tags: ['pull'],
        security: [{ apiKey: [] }],
        body: eventsRequest,
        response: {
          200: eventsAnswer,
          ...Object.fromEntries([400, 401, 403, 503].map((status) => [status, problemShape])),
        },
      },
      onRequest: letIn(credentials, 'pull'),
      handler: async (request) => takeEvents(request.body),
    })
  }
}
