// As its readme says it: a pipeline from the part to a file.
import { randomUUID } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import multipart from '@fastify/multipart'
import fastify from 'fastify'

export async function listen(folder) {
  const app = fastify({ bodyLimit: 2 ** 30 })
  app.register(multipart, { limits: { fileSize: 2 ** 30 } })
  app.post('/', async (request) => {
    const part = await request.file()
    const path = join(folder, randomUUID())
    await pipeline(part.file, createWriteStream(path))
    return { path }
  })
  await app.listen({ port: 0, host: '127.0.0.1' })
  return app.server.address().port
}
