import { connect } from 'node:net'
import Fastify from 'fastify'
import { expect, it, onTestFinished } from 'vitest'
import { readJson } from './json.ts'

async function started() {
  const app = Fastify()
  readJson(app, { idleMs: 50, leastBytesPerSecond: 1e6, totalMs: 10_000 })
  app.post('/', async ({ body }) => body)
  app.setErrorHandler((error, _request, reply) => reply.code(400).send((error as Error).constructor.name))
  onTestFinished(() => app.close())
  const { port } = new URL(await app.listen({ port: 0, host: '127.0.0.1' }))
  return { app, port: Number(port) }
}

const json = { 'content-type': 'application/json' }

it('a body of JSON is read as it is, and one that is too long or says a thing twice is refused', async () => {
  const { port } = await started()
  const answer = async (body: string) => {
    const response = await fetch(`http://127.0.0.1:${port}`, { method: 'POST', headers: json, body })
    return [response.status, await response.text()]
  }
  expect(await answer('{"name":"Jürgen"}')).toEqual([200, '{"name":"Jürgen"}'])
  expect(await answer(JSON.stringify(['x'.repeat(16 * 1024 - 4)]))).toEqual([200, expect.anything()])
  for (const body of [JSON.stringify(['x'.repeat(16 * 1024 - 3)]), '{"a":1,"a":2}', '{"a":'])
    expect(await answer(body)).toEqual([400, 'BadRequest'])
})

it('who stalls in the midst of a body is told so', async () => {
  const { port } = await started()
  const socket = connect(port, '127.0.0.1')
  onTestFinished(() => void socket.destroy())
  socket.write('POST / HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\nContent-Length: 10\r\n\r\n{"a"')
  let received = ''
  for await (const piece of socket) {
    received += String(piece)
    if (received.includes('TooSlow')) break
  }
  expect(received).toMatch(/^HTTP\/1\.1 400/)
})
