import { describe, expect, it } from 'vitest'
import type { Emulator } from '../../emulator/index.ts'
import { openSocket } from './sockets.ts'
import { membersOf, pdf, read, type Schemas, sampleNamed, start } from './start.ts'
import { validate } from './validated.ts'

type Frame = Schemas['NotificationFrame']
type EventBody = Schemas['ConversationMessageEventTopicMessageConversation']
type Channel = Required<Schemas['Channel']>
type Topics = Schemas['ChannelTopicEntityListing']
type Call = (method: string, path: string, body?: unknown) => Promise<Response>

const channelsPath = '/api/v2/notifications/channels'
const queueTopic = 'v2.routing.queues.00000000-0000-4000-8000-00000000c001.conversations.messages'
const agentTopic = 'v2.users.00000000-0000-4000-8000-00000000e001.conversations.messages'
const day = 24 * 3600

/** Frames are checked as `NotificationFrame`, their bodies by what their topic has. */
function checkFrame(frame: Frame): void {
  validate('NotificationFrame', frame)
  const topic = String(frame.topicName)
  if (topic.endsWith('.conversations.messages')) {
    validate('ConversationMessageEventTopicMessageConversation', frame.eventBody)
  } else if (topic.endsWith('.conversations')) validate('Conversation', frame.eventBody)
}

const open = (connectUri: string) => openSocket<Frame>(connectUri, checkFrame)
const create = (call: Call) => read<Channel>(call('POST', channelsPath))
const subscriptions = ({ id }: Channel) => `${channelsPath}/${id}/subscriptions`

/** A channel with one topic, and its open socket. */
async function listening(topic = queueTopic) {
  const started = await start()
  const call = await started.client()
  const channel = await create(call)
  await call('PUT', subscriptions(channel), [{ id: topic }])
  return { ...started, call, channel, socket: await open(channel.connectUri) }
}

const topicsOf = async (answer: Promise<Response>) => (await read<Topics>(answer)).entities?.map(({ id }) => id)

describe('a channel', () => {
  it('is made with a socket address on the emulator, for 24 hours', async () => {
    const { emulator, client } = await start()
    const channel = await create(await client())
    expect(channel).toEqual({
      id: expect.stringMatching(/^streaming-0-/),
      connectUri: `${emulator.url.replace('http', 'ws')}/channels/${channel.id}`,
      expires: '2026-10-03T09:10:00.000Z',
    })
    expect(membersOf(channel)).toEqual(membersOf(sampleNamed('rest.notifications.channel.response')))
  })

  it('has topics: POST adds, PUT replaces, DELETE removes', async () => {
    const { client } = await start()
    const call = await client()
    const path = subscriptions(await create(call))
    const answer = await read<Topics>(call('POST', path, [{ id: queueTopic }, { id: agentTopic }]))
    expect(answer.entities).toMatchObject([{ state: 'Permitted' }, { state: 'Permitted' }])
    expect(membersOf(answer)).toEqual(membersOf(sampleNamed('rest.notifications.subscribe.response')))
    await call('POST', path, [{ id: queueTopic }])
    expect(await topicsOf(call('GET', path))).toEqual([queueTopic, agentTopic])
    await call('PUT', path, [{ id: agentTopic }])
    expect(await topicsOf(call('GET', path))).toEqual([agentTopic])
    expect((await call('DELETE', path)).status).toBe(200)
    expect(await topicsOf(call('GET', path))).toEqual([])
  })

  it('takes at most 1000 topics', async () => {
    const { client } = await start()
    const call = await client()
    const path = subscriptions(await create(call))
    const topics = Array.from({ length: 1000 }, (_, n) => ({ id: `v2.users.u${n}.conversations` }))
    expect((await call('PUT', path, topics)).status).toBe(200)
    expect((await call('POST', path, [{ id: queueTopic }])).status).toBe(400)
  })

  it.each([[{}], [[1]], [[{ id: 1 }]]])('cannot take %j as topics', async (body) => {
    const { client } = await start()
    const call = await client()
    expect((await call('PUT', subscriptions(await create(call)), body)).status).toBe(400)
  })

  it('is found until 24 hours after its last subscription', async () => {
    const { client, emulator, passSeconds } = await start()
    emulator.setSwitches({ tokenLifetimeSeconds: 10 * day })
    const call = await client()
    const channel = await create(call)
    const head = async () => (await call('HEAD', `${channelsPath}/${channel.id}`)).status
    passSeconds(day - 1)
    await call('PUT', subscriptions(channel), [{ id: queueTopic }])
    passSeconds(day - 1)
    expect(await head()).toBe(200)
    passSeconds(1)
    expect(await head()).toBe(404)
    expect((await call('GET', subscriptions(channel))).status).toBe(404)
  })

  it('is the 21st of its owner: the one that nobody is connected to and that was used longest ago goes', async () => {
    const { client, passSeconds } = await start()
    const call = await client()
    const channels: Channel[] = []
    for (let turn = 0; turn < 20; turn += 1) {
      channels.push(await create(call))
      passSeconds(1)
    }
    const [first, second, third] = channels as [Channel, Channel, Channel]
    await open(first.connectUri)
    await call('PUT', subscriptions(second), [])
    await create(call)
    const left = (await read<Schemas['ChannelEntityListing']>(call('GET', channelsPath))).entities?.map(({ id }) => id)
    expect(left?.length).toBe(20)
    expect(left).toEqual(expect.arrayContaining([first.id, second.id]))
    expect(left).not.toContain(third.id)
  })

  it('of another token of the same client is listed without its id, and only if asked for', async () => {
    const { client } = await start()
    const { id } = await create(await client())
    const other = await client()
    expect(await read(other('GET', channelsPath))).toEqual({ entities: [] })
    expect(await read(other('GET', `${channelsPath}?includechannels=oauthclient`))).toEqual({
      entities: [{ expires: expect.any(String) }],
    })
    expect((await other('HEAD', `${channelsPath}/${id}`)).status).toBe(200)
  })
})

describe('a topic', () => {
  it('that is not known is an error, or is left out if errors are to be ignored', async () => {
    const { client } = await start()
    const call = await client()
    const path = subscriptions(await create(call))
    const topics = [{ id: queueTopic }, { id: 'v2.conversations.messaging.attachments' }]
    expect((await call('PUT', path, topics)).status).toBe(403)
    expect(await topicsOf(call('GET', path))).toEqual([])
    expect(await read(call('PUT', `${path}?ignoreErrors=true`, topics))).toMatchObject({
      entities: [{ state: 'Permitted' }, { state: 'Rejected', rejectionReason: expect.any(String) }],
    })
    expect(await topicsOf(call('GET', path))).toEqual([queueTopic])
  })

  it('is rejected where the switch says that the permission is missing', async () => {
    const { client, emulator } = await start()
    const call = await client()
    const path = subscriptions(await create(call))
    emulator.setSwitches({ notificationTopics: 'rejected' })
    expect((await call('POST', path, [{ id: queueTopic }])).status).toBe(403)
    expect(await read(call('POST', `${path}?ignoreErrors=true`, [{ id: queueTopic }]))).toMatchObject({
      entities: [{ id: queueTopic, state: 'Rejected' }],
    })
  })

  it('is one of those that the platform says it has', async () => {
    const { client } = await start()
    const call = await client()
    const { entities } = await read<Schemas['AvailableTopicEntityListing']>(
      call('GET', '/api/v2/notifications/availabletopics'),
    )
    expect(entities?.map(({ id }) => id)).toContain('v2.routing.queues.{id}.conversations.messages')
  })
})

describe('a socket', () => {
  /** The messages of the customer in an event. */
  const messagesIn = (frame: Frame) =>
    ((frame.eventBody as EventBody).participants ?? [])
      .filter(({ purpose }) => purpose === 'customer')
      .flatMap(({ messages = [] }) => messages)

  it('tells a queue’s conversation each time it changes, always whole', async () => {
    const { emulator, socket } = await listening()
    const { id } = emulator.createConversation({ agent: false })
    expect(await socket.next()).toMatchObject({ topicName: queueTopic, eventBody: { id } })
    const first = emulator.customerSends(id, { text: 'Hello' }).messageId
    expect(messagesIn(await socket.next()).map(({ message }) => message?.id)).toEqual([first])
    const second = emulator.customerSends(id, { file: pdf() }).messageId
    const frame = await socket.next()
    expect(messagesIn(frame).map(({ message }) => message?.id)).toEqual([first, second])
    expect(messagesIn(frame).at(-1)?.messageMetadata?.content).toEqual([{ contentType: 'Attachment', subType: 'File' }])
    expect(await socket.waiting()).toEqual([])
  })

  it('has events of the platform’s shape', async () => {
    const { emulator, socket } = await listening(agentTopic)
    const { id } = emulator.createConversation()
    emulator.customerSends(id, { file: pdf() })
    const frames = await socket.waiting()
    const expected = membersOf(sampleNamed('ws.notification.conversations.messages'))
    expect(membersOf(frames.at(-1))).toEqual(expect.arrayContaining(expected))
  })

  it('tells of files in `media` only where the switch says so', async () => {
    const { emulator, socket } = await listening()
    const { id } = emulator.createConversation()
    emulator.customerSends(id, { file: pdf() })
    expect(messagesIn((await socket.waiting()).at(-1) as Frame)[0]).not.toHaveProperty('media')
    emulator.setSwitches({ mediaInNotifications: 'given' })
    emulator.customerSends(id, { text: 'Again' })
    const [message] = messagesIn(await socket.next())
    const [media] = message?.media ?? []
    expect(media).toMatchObject({ name: 'passport-scan.pdf', mediaType: 'application/pdf', contentLengthBytes: 15 })
    expect((await fetch(String(media?.url))).status).toBe(200)
  })

  it('has the whole conversation one level deeper on the topic without `.messages`', async () => {
    const { emulator, socket } = await listening(queueTopic.replace('.messages', ''))
    const { customerCommunicationId } = emulator.createConversation()
    const { participants } = (await socket.next()).eventBody as Schemas['Conversation']
    expect(participants?.[0]?.messages?.[0]?.id).toBe(customerCommunicationId)
  })

  it('tells nothing of another queue, nor of what nobody subscribed to', async () => {
    const { emulator, socket, call, channel } = await listening()
    emulator.createConversation({ queueId: '00000000-0000-4000-8000-00000000c002' })
    expect(await socket.waiting()).toEqual([])
    await call('DELETE', subscriptions(channel))
    emulator.createConversation()
    expect(await socket.waiting()).toEqual([])
  })

  it('gets no event that happened while it was not connected', async () => {
    const { emulator, socket, channel } = await listening()
    socket.drop()
    await socket.closed
    emulator.createConversation()
    const again = await open(channel.connectUri)
    expect(await again.waiting()).toEqual([])
  })

  it('is the only one of its channel: the second ends the first', async () => {
    const { emulator, socket, channel } = await listening()
    const second = await open(channel.connectUri)
    await socket.closed
    emulator.createConversation()
    expect((await second.next()).topicName).toBe(queueTopic)
  })

  it('hears a heartbeat every 30 seconds', async () => {
    const { passSeconds, socket } = await listening()
    passSeconds(29)
    expect(await socket.waiting()).toEqual([])
    passSeconds(61)
    const beat = sampleNamed('ws.notification.heartbeat')
    expect(await socket.waiting()).toEqual([beat, beat, beat])
  })

  it('answers a ping and takes no notice of what it does not understand', async () => {
    const { socket } = await listening()
    socket.send('{')
    socket.send({ message: 'hello' })
    socket.send(sampleNamed('ws.notification.ping.request'))
    expect(await socket.next()).toEqual(sampleNamed('ws.notification.pong'))
  })

  it('is warned of its end, and ended a minute later', async () => {
    const { own, passSeconds, socket } = await listening()
    expect((await own('POST', '/sockets/announce-closing')).status).toBe(204)
    const warning = await socket.next()
    expect(warning.topicName).toBe('v2.system.socket_closing')
    expect(membersOf(warning)).toEqual(membersOf(sampleNamed('ws.notification.socketClosing')))
    passSeconds(60)
    expect(await socket.closed).toBe(1001)
  })

  it('ends with its channel', async () => {
    const { passSeconds, socket } = await listening()
    passSeconds(day)
    expect(await socket.closed).toBe(1000)
  })

  it('is refused for a channel that does not exist, and by a fault', async () => {
    const { emulator, channel } = await listening()
    const unknown = channel.connectUri.replace(/[^/]+$/, 'streaming-0-unknown')
    await expect(open(unknown)).rejects.toThrow('404')
    emulator.setFaults([{ route: 'GET /channels/*', status: 503 }])
    await expect(open(channel.connectUri)).rejects.toThrow('503')
    emulator.setFaults([{ route: 'GET /channels/*', cut: true }])
    await expect(open(channel.connectUri)).rejects.toThrow('socket hang up')
    expect(statusesOf(emulator, '/channels/')).toEqual([101, 404, 503, 0])
  })

  const statusesOf = (emulator: Emulator, part: string) =>
    emulator.requests().flatMap(({ path, status }) => (path.startsWith(part) ? [status] : []))

  it.each([
    [undefined, 1006],
    [{ code: 1012 }, 1012],
  ])('can be cut: %j', async (body, code) => {
    const { own, socket } = await listening()
    expect(await read(own('POST', '/sockets/cut', body))).toEqual({ cut: 1 })
    expect(await socket.closed).toBe(code)
  })

  it('does not keep the emulator from ending', async () => {
    const { emulator, socket } = await listening()
    await emulator.close()
    expect(await socket.closed).toBe(1006)
  })
})
