import { once } from 'node:events'
import { writeFile } from 'node:fs/promises'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { WebSocketServer } from 'ws'
import { mediaHosts } from '../../src/genesys/media/hosts.ts'
import { createListener } from '../../src/genesys/notifications/listener.ts'
import { jpeg, png } from '../fixtures/files.ts'
import { temporaryFolder } from '../folder.ts'
import { manualClock, until } from '../genesys/clock.ts'
import { watchedEvents } from '../genesys/start.ts'
import { start as startPulling } from './start.ts'

const queue = '00000000-0000-4000-8000-00000000c001'

type Started = Awaited<ReturnType<typeof start>>

/** Listening to the queue of the emulator. */
async function start(options: Parameters<typeof startPulling>[0] = {}) {
  const started = await startPulling({ ...options, env: { CLIPGATE_PULL_QUEUES: queue, ...options.env } })
  const { nodes, emulator, clock, lines } = started
  return {
    ...started,
    /** Until every node listens, for the n-th time. */
    listening: (times = 1) =>
      until(
        () =>
          lines.filter((line) => line.includes('listening to') && !line.includes('not listening')).length >=
          times * nodes.length,
      ),
    /** Is that much later, here and at the platform. */
    async pass(seconds: number, step = 5) {
      for (let left = seconds; left > 0; left -= step) {
        clock.jump(step * 1000)
        emulator.advance(0)
        // What was sent has come.
        for (let turn = 0; turn < 30; turn++) await new Promise((resolve) => setImmediate(resolve))
      }
    },
    async accepted(count: number) {
      await until(async () => {
        for (const node of nodes) node.wake()
        const files = await started.list()
        return files.length === count && files.every(({ state }) => state === 'accepted')
      })
      return started.list()
    },
  }
}

const gaps = ({ lines }: Started) => lines.filter((line) => line.includes('not listening'))

describe('a queue that is listened to', () => {
  it('tells of a file as its customer sends it', async () => {
    const started = await start()
    started.startAll()
    await started.listening()
    const { conversationId, messageId } = await started.picture('told.png')
    expect(await started.accepted(1)).toMatchObject([
      { conversationId, messageId, filename: 'told.png', door: 'pull', agentMayHaveSeen: true },
    ])
    expect(started.nodes[0]!.listening()).toEqual({ open: 1, channels: 1 })
  })

  it('says everything again with each event, and every message is looked at once', async () => {
    const started = await start()
    const { emulator } = started
    started.startAll()
    await started.listening()
    const { id } = emulator.createConversation()
    const send = async (i: number) => {
      const { name, type, bytes } = i % 2 ? await png(`${i}.png`) : await jpeg(`${i}.jpg`)
      emulator.customerSends(id, { file: { name, mime: type, bytes } })
    }
    for (let i = 0; i < 6; i++) await send(i)
    for (let i = 0; i < 20; i++) emulator.customerSends(id, { text: `and ${i}` })
    expect(await started.accepted(6)).toHaveLength(6)
    const looked = emulator.requests().filter(({ path }) => path.endsWith('/details')).length
    // A look at each message and another before each file is fetched; messages of text alone are known as such or looked at once.
    expect(looked).toBeLessThanOrEqual(6 * 2 + 20)
    expect(started.asked('GET', '/downloads/')).toBe(6)
  })

  it('tells of an agent’s file too, where the policy wants those recorded', async () => {
    const policyFile = join(await temporaryFolder(), 'policy.json')
    await writeFile(policyFile, JSON.stringify({ agentFiles: 'record' }))
    const started = await start({ env: { CLIPGATE_POLICY_FILE: policyFile } })
    started.startAll()
    await started.listening()
    const { id } = started.emulator.createConversation()
    const { type, bytes } = await png()
    started.emulator.agentSends(id, 'Here it is', { name: 'ours.png', mime: type, bytes })
    const [ours] = await started.accepted(1)
    expect(ours).toMatchObject({ conversationId: id, filename: 'ours.png', sentBy: 'agent' })
    expect(ours).not.toHaveProperty('agentMayHaveSeen')
    // Who asks for the conversation as a whole finds the same one, and a customer is not told of it.
    expect(await started.ask(id)).toMatchObject({ count: 0 })
    expect(await started.accepted(1)).toHaveLength(1)
  })

  it('is listened to by several nodes, and each file is fetched once', async () => {
    const started = await start({ nodes: 3 })
    started.startAll()
    await started.listening()
    for (let i = 0; i < 5; i++) await started.picture(`${i}.png`)
    await started.accepted(5)
    expect(started.asked('GET', '/downloads/')).toBe(5)
    expect(started.asked('POST', '/notifications/channels')).toBe(3)
  })
})

describe('a channel that dies in mid-delivery', () => {
  it.each([
    ['without a close frame', undefined],
    ['with one', 1001],
  ])('(%s) is opened again, and what was sent meanwhile is asked for', async (_, code) => {
    const started = await start()
    const { emulator } = started
    started.startAll()
    await started.listening()
    const { conversationId } = await started.picture('before.png')
    await started.accepted(1)
    emulator.cutSockets(code === undefined ? {} : { code })
    const { name, type, bytes } = await png('meanwhile.png')
    emulator.customerSends(conversationId, { file: { name, mime: type, bytes } })
    await until(() => gaps(started).length === 1)
    await started.pass(5, 1)
    await started.listening(2)
    const files = await started.accepted(2)
    expect(files.map(({ filename }) => filename).sort()).toEqual(['before.png', 'meanwhile.png'])
    // The channel was good for another socket.
    expect(started.asked('POST', '/notifications/channels')).toBe(1)
  })

  it('and cannot be opened for a while is tried less and less often, and then looks back', async () => {
    const started = await start()
    const { emulator } = started
    started.startAll()
    await started.listening()
    const { conversationId } = await started.picture('before.png')
    await started.accepted(1)
    emulator.setFaults([{ route: 'POST /api/v2/notifications/channels', status: 503, times: 10_000 }])
    emulator.announceSocketsClosing()
    await until(() => gaps(started).length === 1)
    const { name, type, bytes } = await png('meanwhile.png')
    emulator.customerSends(conversationId, { file: { name, mime: type, bytes } })
    await started.pass(600, 10)
    expect(gaps(started).length).toBeLessThan(30)
    emulator.setFaults([])
    await started.pass(200, 10)
    await started.listening(2)
    await started.accepted(2)
  })
})

describe('the service of notifications', () => {
  it('announces that a socket will be closed: another channel is open before it is', async () => {
    const started = await start()
    const { emulator } = started
    started.startAll()
    await started.listening()
    emulator.announceSocketsClosing()
    await until(() => gaps(started).length === 1)
    await started.pass(5, 1)
    await started.listening(2)
    expect(gaps(started)[0]).toContain('socket_closing')
    await started.picture('after.png')
    await started.accepted(1)
    await started.pass(120)
    expect(gaps(started)).toHaveLength(1)
  })

  it('keeps a socket alive by heartbeats, and a channel for as long as it is renewed', async () => {
    const started = await start()
    started.startAll()
    await started.listening()
    await started.pass(49 * 3600, 25)
    expect(gaps(started)).toEqual([])
    expect(started.asked('PUT', '/subscriptions')).toBe(3)
    await started.picture('two-days-later.png')
    await started.accepted(1)
  })

  it('that falls silent, even when it is asked, is left for another socket; one that answers is not', async () => {
    const mute = new WebSocketServer({ port: 0, host: '127.0.0.1' })
    onTestFinished(() => void mute.close())
    await once(mute, 'listening')
    const asked: string[] = []
    let answers = true
    mute.on('connection', (socket) =>
      socket.on('message', (data) => {
        asked.push(String(data))
        if (answers) socket.send('{"topicName":"channel.metadata","eventBody":{"message":"pong"}}')
      }),
    )
    const url = `127.0.0.1:${(mute.address() as AddressInfo).port}`
    const clock = manualClock()
    const { events, lines } = watchedEvents()
    const listener = createListener({
      topics: ['t'],
      genesys: {
        createChannel: async () => ({ id: 'c', connectUri: `ws://${url}/channels/c` }),
        subscribe: async () => [],
      },
      hosts: mediaHosts({
        domain: 'mypurecloud.ie',
        apiUrl: `http://${url}`,
        loginUrl: `http://${url}`,
        exemptOrigins: [`http://${url}`],
        further: [],
      }),
      clock,
      events,
      heard: () => {},
      opened: () => {},
    })
    listener.start()
    onTestFinished(() => listener.stop())
    await until(() => listener.isOpen())
    const lost = () => lines.filter((line) => line.includes('not listening'))
    // Until it is asked; it answers, and the count of its silence begins anew.
    while (asked.length === 0) await clock.pass(5000)
    await until(() => asked.length === 1)
    await clock.pass(30_000)
    expect(lost()).toEqual([])
    answers = false
    while (lost().length === 0) await clock.pass(5000)
    expect(lost()[0]).toContain('the socket is silent')
    await clock.pass(2000)
    await until(() => lines.filter((line) => line.includes('"listening to')).length === 2)
  })

  it.each([
    'ws://127.0.0.1:1/channels/c',
    'wss://127.0.0.1:1/channels/c',
    'wss://evil.example/channels/c',
    'wss://169.254.169.254/channels/c',
  ])('that names an address which may not be asked (%s) is not connected to', async (connectUri) => {
    const { events, lines } = watchedEvents()
    const listener = createListener({
      topics: ['t'],
      genesys: { createChannel: async () => ({ id: 'c', connectUri }), subscribe: async () => [] },
      hosts: mediaHosts({
        domain: 'mypurecloud.ie',
        apiUrl: 'https://api.mypurecloud.ie',
        loginUrl: 'https://login.mypurecloud.ie',
        exemptOrigins: [],
        further: [],
      }),
      clock: manualClock(),
      events,
      heard: () => {},
      opened: () => {},
    })
    listener.start()
    await until(() => lines.some((line) => line.includes('not listening')))
    expect(lines.find((line) => line.includes('not listening'))).toMatch(/only https|not in DOWNLOAD_HOSTS|not asked/)
    await listener.stop()
  })

  it('refuses a topic: that is told, by its name', async () => {
    const started = await start()
    started.emulator.setSwitches({ notificationTopics: 'rejected' })
    started.startAll()
    await started.listening()
    const line = started.lines.find((one) => one.includes('topic rejected'))
    expect(line).toContain(`v2.routing.queues.${queue}.conversations.messages`)
  })

  it('is asked for as many channels as the topics need', async () => {
    const queues = Array.from({ length: 1500 }, (_, i) => `q-${i}`)
    const started = await start({ env: { CLIPGATE_PULL_QUEUES: queues.join(',') } })
    started.startAll()
    await until(() => started.nodes[0]!.listening().open === 2)
    expect(started.nodes[0]!.listening()).toEqual({ open: 2, channels: 2 })
  })
})

describe('a day of notifications', () => {
  it('brings each file once, through drops, closings and renewals, and again nothing when all is told again', async () => {
    const started = await start({ nodes: 2 })
    const { emulator } = started
    emulator.setSwitches({ rateLimitPerMinute: 300 })
    started.startAll()
    await started.listening()
    const conversations: string[] = []
    for (let half = 0; half < 48; half++) {
      const drops = half % 12 === 5
      if (drops) emulator.cutSockets(half === 5 ? {} : { code: 1001 })
      if (half === 24) emulator.announceSocketsClosing()
      // One that begins while nobody listens is not heard of; what comes into one that is known is looked for.
      const id = drops ? conversations.at(-1)! : emulator.createConversation().id
      if (!drops) conversations.push(id)
      const { name, type, bytes } = await png(`${half}.png`)
      emulator.customerSends(id, { file: { name, mime: type, bytes } })
      emulator.customerSends(id, { text: 'Is it good?' })
      if (drops || half === 24) await started.pass(10, 1)
      await started.accepted(half + 1)
      await started.pass(1790, 25)
    }
    const downloads = () => started.asked('GET', '/downloads/')
    expect(downloads()).toBe(48)
    const names = (await started.list()).map(({ filename }) => filename)
    expect(new Set(names).size).toBe(48)

    // An event says the whole conversation again.
    for (const id of conversations) {
      emulator.customerSends(id, { text: 'Thank you' })
      await started.pass(5)
    }
    await started.accepted(48)
    expect(downloads()).toBe(48)
    expect(emulator.requests().filter(({ status }) => status === 429)).toEqual([])
  })
})

describe('a token that is revoked while we listen', () => {
  it('does not end the listening: the next call gets another', async () => {
    const started = await start()
    started.startAll()
    await started.listening()
    started.emulator.revokeTokens()
    await started.picture('after.png')
    await started.accepted(1)
    expect(started.asked('POST', '/oauth/token')).toBe(2)
  })
})
