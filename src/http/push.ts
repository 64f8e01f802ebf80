import { z } from 'zod'
import type { Credentials } from '../access/credentials.ts'
import type { BodyTimes } from '../doors/push/body.ts'
import { push } from '../doors/push/push.ts'
import type { Intake } from '../intake/intake.ts'
import { answerProblem } from './answer.ts'
import { letIn } from './letIn.ts'
import { problemOfRefusal } from './problem.ts'
import type { Routes } from './server.ts'
import { problemShape, pushAnswer, pushQuery } from './shapes.ts'

/** POST /webhook/file-upload */
export function pushRoutes(parts: { credentials: Credentials; intake: Intake; times: BodyTimes }): Routes {
  return (app) => {
    app.route({
      method: 'POST',
      url: '/webhook/file-upload',
      schema: {
        summary: 'Takes one file in',
        description:
          'multipart/form-data with one file part named `file`. The answer comes after the file is judged and, when it is accepted, stored. The same delivery twice (Idempotency-Key, or the same message and content) is answered as the first time.',
        tags: ['push'],
        security: [{ apiKey: [] }],
        consumes: ['multipart/form-data'],
        querystring: pushQuery,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        response: {
          200: pushAnswer,
          202: pushAnswer,
          ...Object.fromEntries(
            [400, 401, 403, 408, 409, 410, 413, 415, 422, 503].map((status) => [status, problemShape]),
          ),
        },
      },
      onRequest: letIn(parts.credentials, 'push'),
      handler: async (request, reply) => {
        if (request.waitsForContinue) reply.raw.writeContinue()
        const { conversation_id: conversationId, message_id: messageId, language } = request.query
        const { attachment, repeated } = await push(
          {
            conversationId,
            messageId,
            language,
            idempotencyKey: request.headers['idempotency-key'],
            contentType: request.headers['content-type'],
          },
          request.raw,
          { who: request.who ?? 'anyone', requestId: request.id },
          parts,
        )
        if (repeated) reply.header('idempotent-replayed', 'true')
        if (attachment.code !== null)
          return answerProblem(request, reply, problemOfRefusal(attachment, attachment.code))
        const quarantined = attachment.state === 'quarantined'
        return reply.code(quarantined ? 202 : 200).send({
          status: quarantined ? 'quarantined' : 'success',
          message: quarantined ? 'File kept for a person to look at' : 'File processed successfully',
          attachment,
        })
      },
    })
  }
}
