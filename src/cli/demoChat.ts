import { readFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Routes } from '../http/server.ts'

const folder = join(dirname(fileURLToPath(import.meta.resolve('#package'))), 'examples', 'gateway-chat')

const files = {
  'chat.html': 'text/html; charset=utf-8',
  'chat.css': 'text/css; charset=utf-8',
  'chat.js': 'text/javascript; charset=utf-8',
} as const

/** The page of the example, at `/demo/chat.html`: a customer who talks through the gateway. */
export const chatRoutes: Routes = (app) => {
  for (const [name, type] of Object.entries(files))
    app.route({
      method: 'GET',
      url: `/demo/${name}`,
      schema: { hide: true },
      config: { media: '*/*' },
      handler: async (_request, reply) =>
        reply
          .header(
            'content-security-policy',
            "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'",
          )
          .type(type)
          .send(await readFile(join(folder, name))),
    })
}
