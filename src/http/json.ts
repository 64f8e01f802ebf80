import type { FastifyInstance } from 'fastify'
import { strictJson } from '../strictJson.ts'

const maxBodyBytes = 16 * 1024

/** Routes of this scope take bodies of JSON, and no others. */
export function readJson(app: Pick<FastifyInstance, 'removeAllContentTypeParsers' | 'addContentTypeParser'>): void {
  app.removeAllContentTypeParsers()
  app.addContentTypeParser(
    'application/json',
    { parseAs: 'string', bodyLimit: maxBodyBytes },
    async (_request: unknown, text: string) => strictJson(text),
  )
}
