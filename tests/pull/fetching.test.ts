import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { GenesysClient } from '../../src/genesys/client.ts'
import { entry } from '../fixtures/settlements.ts'
import { until } from '../genesys/clock.ts'
import { start } from './start.ts'

type Started = Awaited<ReturnType<typeof start>>

/** Until the only file is in this state. */
async function stateIs({ list }: Started, state: string) {
  await until(async () => (await list())[0]?.state === state)
  return (await list())[0]!
}

const delays = ({ lines }: Started) => lines.filter((line) => line.includes('fetch delayed')).length

/** Makes messages name another address for their files. */
const named =
  (address: string) =>
  (client: GenesysClient): GenesysClient => ({
    ...client,
    async getMessage(id) {
      const message = structuredClone(await client.getMessage(id))
      for (const { attachment } of message.normalizedMessage?.content ?? []) if (attachment) attachment.url = address
      return message
    },
  })

async function host(listener: RequestListener): Promise<string> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('a file’s address', () => {
  it('that has expired when we come is asked for anew, once, and leads to the file', async () => {
    let expired = 0
    const started = await start({
      genesys: (client) => ({
        ...client,
        async getMessage(id) {
          const message = await client.getMessage(id)
          // So long lies between the look at the message and the download.
          if (expired++ === 1) started.clock.jump(700_000)
          return message
        },
      }),
    })
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    expect(await stateIs(started, 'accepted')).toMatchObject({ agentMayHaveSeen: true })
    expect(expired).toBe(3)
    expect(delays(started)).toBe(0)
  })

  it.each([
    ['http://169.254.169.254/latest/meta-data/', 'only https'],
    ['https://169.254.169.254/latest/meta-data/', 'not in DOWNLOAD_HOSTS'],
    ['https://[::ffff:127.0.0.1]/', 'not in DOWNLOAD_HOSTS'],
    ['https://2130706433/', 'not in DOWNLOAD_HOSTS'],
    ['https://evil.example/photo.png', 'not in DOWNLOAD_HOSTS'],
    ['file:///etc/passwd', 'only https'],
    ['', 'no address'],
  ])(
    'that may not be asked (%s) is not, and the file is unfetched with its reason at once',
    async (address, reason) => {
      const started = await start({ genesys: named(address) })
      const { conversationId, messageId } = await started.picture()
      started.startAll()
      await started.ask(conversationId, messageId)
      const { detail } = await stateIs(started, 'unfetched')
      expect(detail).toContain(reason)
      expect(started.lines.some((line) => line.includes('file cannot be fetched'))).toBe(true)
      expect(await started.records.pullState()).toMatchObject({ fetching: 0, unfetched: 1 })
    },
  )

  it('that redirects to the inside is not followed', async () => {
    const inside: string[] = []
    const secret = await host((request, response) => {
      inside.push(request.url ?? '')
      response.end('secret')
    })
    let asked = 0
    // The operator has named this host himself; where it leads to he has not.
    const bouncer = await host((_, response) => {
      asked++
      response.writeHead(302, { location: secret }).end()
    })
    const started = await start({ env: { CLIPGATE_GENESYS_GUEST_URL: bouncer }, genesys: named(bouncer) })
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    await stateIs(started, 'unfetched')
    expect([asked, inside]).toEqual([1, []])
  })
})

describe('a host that is not well', () => {
  it('is asked by the timetable, and then the file is unfetched until somebody retries', async () => {
    const started = await start()
    const { clock, emulator, records } = started
    emulator.setFaults([{ route: 'GET /api/v2/downloads/*', status: 503, times: 1000 }])
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    for (let attempt = 1; attempt <= 9; attempt++) {
      await until(() => delays(started) === attempt)
      started.later(27 * 3600_000)
    }
    const { id, detail } = await stateIs(started, 'unfetched')
    expect(detail).toBe('given up after 10 attempts: GET (media): 503')
    emulator.setFaults([])
    // By another process, as the command does.
    const audit = entry({ what: 'pull_retry', at: clock.now() })
    expect(await records.retryFetches({ attachmentId: id, at: clock.now(), audit })).toBe(1)
    started.later(2000)
    await stateIs(started, 'accepted')
  })

  it('is not asked before it says', async () => {
    const started = await start()
    const { clock, emulator } = started
    emulator.setFaults([{ route: 'GET /api/v2/downloads/*', status: 429, retryAfter: 3600, times: 1 }])
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    await until(() => delays(started) === 1)
    expect(await started.records.pullState()).toMatchObject({ nextDueAt: new Date(clock.now().getTime() + 3_600_000) })
    started.later(3_600_000)
    await stateIs(started, 'accepted')
  })

  it.each<[string, RequestListener, string]>([
    ['sends less than the message says', (_, response) => response.end('short'), '5 bytes, and not the'],
    ['sends more than the message says', (_, response) => response.end(Buffer.alloc(200_000)), 'longer than the'],
    [
      'never ends',
      (_, response) => {
        const more = () => {
          while (!response.destroyed && response.write(Buffer.alloc(65_536)));
        }
        response.on('drain', more)
        more()
      },
      'longer than the',
    ],
    [
      'breaks off',
      (_, response) => {
        response.writeHead(200, { 'content-length': '9999999' })
        response.write('some', () => response.destroy())
      },
      'did not come',
    ],
  ])('and %s is not believed, and asked again later', async (_, listener, reason) => {
    const liar = await host(listener)
    const started = await start({ env: { CLIPGATE_GENESYS_GUEST_URL: liar }, genesys: named(liar) })
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    await until(() => delays(started) === 1)
    expect(await started.list()).toMatchObject([{ state: 'fetching', detail: expect.stringContaining(reason) }])
    expect(started.storage.keys()).toEqual([])
  })
})

describe('a token that is revoked in mid-work', () => {
  it.each(['bearer', 'redirect'] as const)('is replaced, and the file comes (downloads: %s)', async (downloads) => {
    let looked = 0
    const started = await start({
      genesys: (client) => ({
        ...client,
        async getMessage(id) {
          const message = await client.getMessage(id)
          if (looked++ === 1) started.emulator.revokeTokens()
          return message
        },
      }),
    })
    started.emulator.setSwitches({ downloads })
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    await stateIs(started, 'accepted')
    expect(started.asked('POST', '/oauth/token')).toBe(2)
    expect(delays(started)).toBe(0)
  })
})

describe('a file that is older than the platform keeps', () => {
  it('is unfetched for good after one look', async () => {
    const started = await start()
    const { conversationId, messageId } = await started.picture()
    started.clock.jump(31 * 24 * 3_600_000)
    started.startAll()
    await started.ask(conversationId, messageId)
    expect((await stateIs(started, 'unfetched')).detail).toContain('keeps files for 30 days')
    expect(delays(started)).toBe(0)
  })
})

describe('a storm of 429', () => {
  it('delays look-ups and fetches, and loses none', async () => {
    const started = await start()
    const { emulator, lines } = started
    const all = []
    for (let i = 0; i < 6; i++) all.push(await started.picture(`photo-${i}.png`))
    emulator.setFaults([{ route: 'GET /api/v2/*', status: 429, retryAfter: 600, times: 8 }])
    started.startAll()
    for (const { conversationId } of all) await started.ask(conversationId)
    const delayed = () => lines.filter((line) => line.includes('look-up delayed')).length
    const accepted = async () => (await started.list()).filter(({ state }) => state === 'accepted').length
    await until(() => delayed() === 6)
    started.later(600_000)
    await until(async () => delayed() === 8 && (await accepted()) === 4)
    started.later(600_000)
    await until(async () => (await accepted()) === 6)
    expect(await started.records.pullState()).toMatchObject({ fetching: 0, lookups: { pending: 0, parked: 0 } })
  })
})

describe('several nodes over the same records', () => {
  it('fetch each file once, however many learn of it, in whatever way, at once', async () => {
    const started = await start({ nodes: 3 })
    const { nodes, records, clock } = started
    const all = []
    for (let i = 0; i < 8; i++) all.push(await started.picture(`photo-${i}.png`))
    started.startAll()
    await Promise.all(
      all.flatMap(({ conversationId, messageId }) => [
        ...nodes.map(({ door }) => door.pull({ conversationId, messageId, language: null }, 0)),
        nodes[1]!.door.pull({ conversationId, messageId: null, language: 'de' }, 0),
        records.takeEvents({
          events: [{ id: conversationId, asks: [{ conversationId, messageId: null, language: null }] }],
          at: clock.now(),
        }),
      ]),
    )
    await until(async () => {
      for (const node of nodes) node.wake()
      const { lookups, fetching } = await records.pullState()
      return lookups.pending + fetching === 0
    })
    const files = await started.list()
    expect(files.map(({ state }) => state)).toEqual(Array(8).fill('accepted'))
    expect(new Set(files.map(({ messageId }) => messageId)).size).toBe(8)
    expect(started.asked('GET', '/downloads/')).toBe(8)
    expect(started.storage.keys()).toHaveLength(8)
  })

  it('of which one is slow beyond its lease keep one copy: the slow one’s is thrown away', async () => {
    let release = () => {}
    const slow = new Promise<void>((resolve) => {
      release = resolve
    })
    let held = false
    const started = await start({
      nodes: 2,
      records: (records, node) =>
        node === 0 ? records : { ...records, leaseFetches: async (asked) => (held ? records.leaseFetches(asked) : []) },
      genesys: (client) => ({
        ...client,
        async getMessage(id) {
          const message = await client.getMessage(id)
          looks++
          // The first fetch: after the look-up has asked.
          if (looks === 2) {
            held = true
            await slow
          }
          return message
        },
      }),
    })
    let looks = 0
    const { conversationId, messageId } = await started.picture()
    started.startAll()
    await started.ask(conversationId, messageId)
    await until(() => held)
    started.later(11 * 60_000)
    const first = await stateIs(started, 'accepted')
    release()
    await until(() => started.asked('GET', '/downloads/') === 2)
    await started.clock.pass(10_000)
    expect(await started.list()).toEqual([first])
    await until(() => started.storage.keys().length === 1)
    expect(started.storage.keys()).toEqual([first.id])
  })
})
