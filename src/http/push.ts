import type { FastifyRequest } from 'fastify'
import { z } from 'zod'
import type { Sender, Senders } from '../access/senders.ts'
import type { Attachment } from '../attachment.ts'
import { type BodyTimes, bodyOf, lengthOf } from '../doors/push/body.ts'
import { push } from '../doors/push/push.ts'
import type { Intake } from '../intake/intake.ts'
import { answerProblem } from './answer.ts'
import { createCors } from './cors.ts'
import { problemOfRefusal } from './problem.ts'
import type { Routes } from './server.ts'
import { problemShape, pushAnswer, pushQuery } from './shapes.ts'

export interface PushRouteParts {
  senders: Senders
  intake: Intake
  /** What its customer is told of a file. */
  sentenceOf(attachment: Attachment, language: string | null): string
  times: BodyTimes
  /** Origins whose pages may send with a ticket. */
  corsOrigins: string[]
}

const url = '/webhook/file-upload'

/** POST /webhook/file-upload */
export function pushRoutes({ senders, intake, sentenceOf, times, corsOrigins }: PushRouteParts): Routes {
  return (app) => {
    const identified = new WeakMap<FastifyRequest, Sender>()
    if (corsOrigins.length > 0) {
      const cors = createCors(corsOrigins, 'POST')
      app.addHook('onRequest', async (request, reply) => cors.allow(request, reply))
      app.route({ method: 'OPTIONS', url, schema: { hide: true }, handler: cors.preflight })
    }
    app.route({
      method: 'POST',
      url,
      schema: {
        summary: 'Takes one file in',
        description:
          'multipart/form-data with one file part named `file`. The answer comes after the file is judged and, when it is accepted, stored. The same delivery twice (Idempotency-Key, or the same message and content) is answered as the first time.',
        tags: ['push'],
        security: [{ apiKey: [] }, { signature: [] }, { ticket: [] }],
        consumes: ['multipart/form-data'],
        querystring: pushQuery,
        headers: z.object({ 'idempotency-key': z.string().optional() }),
        response: {
          200: pushAnswer,
          202: pushAnswer,
          ...Object.fromEntries(
            [400, 401, 403, 408, 409, 410, 413, 415, 422, 429, 503].map((status) => [status, problemShape]),
          ),
        },
      },
      onRequest: async (request) => {
        const { method = '', url = '', headers } = request.raw
        const sender = await senders.identify({ method, url, headers, address: request.ip })
        request.who = sender.who
        identified.set(request, sender)
      },
      handler: async (request, reply) => {
        const gone = new AbortController()
        // Aborting makes an error with its stack: not for each answer that has gone out.
        reply.raw.once('close', () => {
          if (!reply.raw.writableFinished) gone.abort()
        })
        const { conversation_id: conversationId, message_id: messageId, language } = request.query
        const {
          attachment,
          repeated,
          language: told,
        } = await push(
          {
            conversationId,
            messageId,
            language,
            idempotencyKey: request.headers['idempotency-key'],
            contentType: request.headers['content-type'],
            contentLength: lengthOf(request.headers),
            requestId: request.id,
            gone: gone.signal,
          },
          identified.get(request)!,
          () => {
            if (request.waitsForContinue) reply.raw.writeContinue()
            return bodyOf(request.raw, times)
          },
          intake,
        )
        if (repeated) reply.header('idempotent-replayed', 'true')
        const quarantined = attachment.state === 'quarantined'
        const sentence = sentenceOf(attachment, told)
        if (attachment.code !== null && !quarantined)
          return answerProblem(request, reply, { ...problemOfRefusal(attachment, attachment.code), sentence })
        return reply.code(quarantined ? 202 : 200).send({
          status: quarantined ? 'quarantined' : 'success',
          message: quarantined ? 'File kept until it can be decided on' : 'File processed successfully',
          attachment: quarantined ? toldSender(attachment) : attachment,
          sentence,
        })
      },
    })
  }
}

/** Why a file is held is for those who decide: the sender may be a customer's browser, or one who tries what gets through. */
function toldSender(attachment: Attachment): Attachment {
  return { ...attachment, code: null, detail: null, verdicts: [] }
}
