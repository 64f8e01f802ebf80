import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { png } from '../fixtures/files.ts'
import { keys } from '../harness.ts'
import { pullKey, startPull } from './pulling.ts'

async function start() {
  // The courier looks at conversations, too: here only the door's own looks are counted.
  const started = await startPull({ env: { CONFIRM: 'off' } })
  return {
    ...started,
    async send(body: unknown, key = pullKey) {
      const response = await fetch(`${started.url}/webhook/events`, {
        method: 'POST',
        headers: { 'content-type': 'application/json', authorization: `Bearer ${key}` },
        body: typeof body === 'string' ? body : JSON.stringify(body),
      })
      return { status: response.status, body: (await response.json()) as Record<string, unknown> }
    },
  }
}

/** An event of the topic that lists a conversation's messages, as EventBridge wraps it. */
function messagesEvent(conversationId: string, messageIds: string[], id: string) {
  const content = [{ contentType: 'Attachment', subType: 'Image' }]
  const messages = messageIds.map((one) => ({ message: { id: one }, messageMetadata: { type: 'Text', content } }))
  const eventBody = { id: conversationId, participants: [{ purpose: 'customer', messages }, { purpose: 'agent' }] }
  return { id, detail: { topicName: 'v2.routing.queues.q.conversations.messages', version: '2', eventBody } }
}

describe('an event of EventBridge', () => {
  it('as the platform sends it has the files of its conversation fetched', async () => {
    const { send, conversation, customerSends, settled, emulator } = await start()
    const conversationId = conversation()
    customerSends(conversationId, await png('seen.png'))
    const event = emulator.eventBridgeEvent(conversationId)
    expect(await send(event)).toEqual({ status: 200, body: { taken: 1, repeated: 0 } })
    expect(await settled(conversationId, 1)).toMatchObject([
      { state: 'accepted', filename: 'seen.png', agentMayHaveSeen: true },
    ])
  })

  it('that comes again, alone or in a list, is taken once', async () => {
    const { send, conversation, customerSends, settled, emulator, asked } = await start()
    const conversationId = conversation()
    customerSends(conversationId, await png())
    const event = emulator.eventBridgeEvent(conversationId)
    await send([event, event])
    await settled(conversationId, 1)
    const looked = asked('GET', `/conversations/${conversationId}`)
    expect((await send(event)).body).toEqual({ taken: 0, repeated: 1 })
    const { id: _, ...nameless } = event as { id: string }
    expect((await send([nameless, nameless])).body).toEqual({ taken: 1, repeated: 1 })
    expect(await settled(conversationId, 1)).toHaveLength(1)
    expect(asked('GET', '/downloads/')).toBe(1)
    expect(asked('GET', `/conversations/${conversationId}`)).toBeLessThanOrEqual(looked + 1)
  })

  it('that names messages has those looked at, each once, however often it repeats the whole state', async () => {
    const { send, conversation, customerSends, settled, asked } = await start()
    const conversationId = conversation()
    const ids: string[] = []
    for (let i = 0; i < 3; i++) {
      ids.push(customerSends(conversationId, await png(`${i}.png`)))
      await send(messagesEvent(conversationId, ids, `event-${i}`))
    }
    expect(await settled(conversationId, 3)).toHaveLength(3)
    await send(messagesEvent(conversationId, ids, 'event-again'))
    // A look at each message, and another before its file is fetched.
    expect(asked('GET', '/details')).toBe(6)
  })

  it.each([
    ['a call', { mediaType: 'VOICE', conversationId: 'c' }],
    ['something else', { userId: 'u' }],
    ['nothing', null],
  ])('that tells of %s is taken, and nothing is looked at', async (_, eventBody) => {
    const { send, service, emulator } = await start()
    const detail = { topicName: 'v2.some.topic', ...(eventBody && { eventBody }) }
    expect((await send({ id: 'e', detail })).status).toBe(200)
    await service.stop()
    expect(emulator.requests()).toEqual([])
  })

  it.each([
    ['no JSON', 'x'],
    ['without detail', {}],
    ['a list of what is none', [1]],
    ['a key twice', '{"id":"a","id":"b","detail":{}}'],
  ])('that is none (%s) is 400', async (_, body) => {
    const { send } = await start()
    expect((await send(body)).status).toBe(400)
  })

  it('needs the scope pull', async () => {
    const { send } = await start()
    expect((await send({ detail: {} }, keys.read)).status).toBe(403)
    expect((await send({ detail: {} }, 'wrong-key-0123456789-0123')).status).toBe(401)
  })

  it('is described, as is the route for a message', async () => {
    const { url } = await start()
    const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as { paths: object }
    expect(Object.keys(paths)).toEqual(expect.arrayContaining(['/webhook/message', '/webhook/events']))
    expect(await readFile('docs/pull.md', 'utf8')).toContain('/webhook/events')
  })
})
