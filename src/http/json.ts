import type { FastifyInstance, FastifyRequest } from 'fastify'
import { type BodyTimes, bodyOf } from '../doors/push/body.ts'
import { BadRequest } from '../errors.ts'
import { strictJson } from '../strictJson.ts'

const maxBodyBytes = 16 * 1024
/** It is small: who is slower holds a connection, and not only by mistake. */
const defaultTimes: BodyTimes = { idleMs: 10_000, leastBytesPerSecond: 500, totalMs: 30_000 }

/** Routes of this scope take bodies of JSON, and no others. Nobody may take their time with one. */
export function readJson(
  app: Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser'>,
  times = defaultTimes,
): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('application/json', async ({ raw }: FastifyRequest) => {
    const pieces: Buffer[] = []
    let size = 0
    for await (const piece of bodyOf(raw, times)) {
      size += piece.length
      if (size > maxBodyBytes) throw new BadRequest('bad_request', 'The body is too long.')
      pieces.push(piece)
    }
    return strictJson(Buffer.concat(pieces).toString('utf8'))
  })
}
