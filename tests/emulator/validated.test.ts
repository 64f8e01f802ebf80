import { createServer, type ServerResponse } from 'node:http'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Schemas, sample } from './start.ts'
import { schema, validatedFetch } from './validated.ts'

/** A server that answers everything in one way. */
async function answering(answer: (response: ServerResponse) => void) {
  const server = createServer((_, response) => answer(response))
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => void server.close())
  const address = server.address()
  return validatedFetch(`http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`)
}

const json = (status: number, body: unknown) => (response: ServerResponse) =>
  response
    .writeHead(status, { 'content-type': 'application/json', 'ININ-Correlation-Id': 'c' })
    .end(JSON.stringify(body))

const conversation = '/api/v2/conversations/7d5e2b1c-0c3a-4c53-9f8a-2e4d5a6b7c81'
const full = () => sample<Schemas['Conversation']>('conversation.full.response')

describe('an answer passes', () => {
  it('if it is as the platform’s document says', async () => {
    const call = await answering(json(200, full()))
    expect((await call(conversation)).status).toBe(200)
  })

  it('if it is an error in the platform’s form', async () => {
    const call = await answering(json(404, { status: 404, contextId: 'c', code: 'not.found' }))
    expect((await call(conversation)).status).toBe(404)
  })
})

describe('an answer fails', () => {
  it.each([
    ['at a path that the document does not have', '/api/v2/analytics', json(200, {}), 'no such operation'],
    [
      'without a correlation id',
      conversation,
      (response: ServerResponse) => response.end('{}'),
      'no ININ-Correlation-Id',
    ],
    ['with a status that the document does not have', conversation, json(201, full()), 'no such status'],
    ['without a member that is required', conversation, json(200, { ...full(), startTime: undefined }), 'startTime'],
    [
      'with a member that the document does not have',
      conversation,
      json(200, { ...full(), agent: 1 }),
      'additional properties',
    ],
    ['with a value of another type', conversation, json(200, { ...full(), id: 1 }), 'must be string'],
    ['with an error of another correlation id', conversation, json(404, { status: 404, contextId: 'd' }), 'contextId'],
    ['with a 429 that does not say when', conversation, json(429, { status: 429, contextId: 'c' }), 'Retry-After'],
  ])('%s', async (_, path, answer, problem) => {
    const call = await answering(answer)
    await expect(call(path)).rejects.toThrow(problem)
  })
})

describe('the bodies in samples/', () => {
  it.each([
    ['Conversation', 'conversation.full.response'],
    ['MessageConversation', 'conversation.message.response'],
    ['MessageData', 'message.inbound.attachment.response'],
    ['MessageData', 'message.send.response'],
    ['TextMessageListing', 'messages.bulk.response'],
    ['OAuthTokenResponse', 'oauth.token.response'],
    ['OAuthTokenError', 'oauth.token.error'],
    ['TokenInfo', 'tokens.me.client.response'],
    ['ErrorBody', 'error.429.tooManyRequests'],
  ])('are a valid %s: %s', (name, file) => {
    const validate = schema(name)
    expect(validate(sample(file)), JSON.stringify(validate.errors)).toBe(true)
  })
})
