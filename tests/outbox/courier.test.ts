import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type AttachmentId, reference } from '../../src/attachment.ts'
import { Unavailable } from '../../src/errors.ts'
import { GenesysRefused } from '../../src/genesys/errors.ts'
import { timetable } from '../../src/outbox/timetable.ts'
import { until } from '../genesys/clock.ts'
import { clientOfUser, signIn, tokenFile } from '../genesys/serviceUser.ts'
import { gatedWay, start } from './start.ts'

const sending = 'POST /api/v2/conversations/messages/*/communications/*'
const looking = 'POST /api/v2/conversations/messages/*/messages/bulk'
const viewing = 'GET /api/v2/conversations/*'

describe('a confirmation', () => {
  it('reaches the customer as a message of the connected agent, with the name and the reference', async () => {
    const { courier, emulator, ended, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    const owed = await owe(id)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toEqual([`We have received your file “scan.pdf”. Reference: ${reference(owed)}`])
  })

  it('is in the language of the customer', async () => {
    const { courier, emulator, ended, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    courier.start()
    const owed = await owe(id, { state: 'refused', code: 'empty' }, 'de')
    await ended(owed)
    expect(textsIn(id)[0]).toContain('„scan.pdf“ nicht annehmen, weil sie leer ist')
  })

  it('of which there are a hundred in one conversation arrives once each', async () => {
    const { courier, emulator, asked, ended, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    const owed = await Promise.all(Array.from({ length: 100 }, () => owe(id)))
    courier.start()
    await ended(...owed)
    const found = owed.map((one) => textsIn(id).filter((text) => text.includes(reference(one))).length)
    expect(found).toEqual(owed.map(() => 1))
    expect(asked('GET', '/conversations/')).toBe(1)
  })

  it('of an attachment that was erased meanwhile is not sent', async () => {
    const { courier, emulator, asked, confirmationOf, owe, records } = await start({
      records: (records) => ({
        ...records,
        async leaseConfirmations(query) {
          const leased = await records.leaseConfirmations(query)
          for (const { attachmentId } of leased) await erase(attachmentId)
          return leased
        },
      }),
    })
    const erase = (id: AttachmentId) =>
      records.erase({
        id,
        at: new Date(),
        audit: { at: new Date(), who: 'test', what: 'erase', object: id, outcome: '', requestId: null, detail: null },
      })
    const { id } = emulator.createConversation()
    const owed = await owe(id)
    courier.start()
    await until(async () => (await records.attachment(owed))?.state === 'erased')
    await courier.stop()
    expect(await confirmationOf(owed)).toMatchObject({ state: 'dropped' })
    expect(asked('POST', '/communications/')).toBe(0)
  })
})

describe('without an agent', () => {
  it('the attributes of the customer tell how the files stand', async () => {
    const { clock, courier, emulator, ended, owe } = await start()
    const { id } = emulator.createConversation({ agent: false })
    const owed = await owe(id, { state: 'refused', code: 'malware' })
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
    const { attributes } = emulator.conversation(id)
    expect(attributes).toMatchObject({ clipgate_state: 'refused', clipgate_updated: clock.now().toISOString() })
    expect(JSON.parse(attributes.clipgate_files!)).toMatchObject([
      { id: owed, name: 'scan.pdf', state: 'refused', code: 'malware' },
    ])
  })

  it('and with messages as the only way, it waits until one is there', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start({ ways: ['message'] })
    const { id } = emulator.createConversation({ agent: false })
    const owed = await owe(id)
    courier.start()
    expect(await delayed(owed, 1)).toMatchObject({ state: 'pending', reason: 'message: no agent is connected' })
    emulator.connectAgent(id)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('who was there a moment ago, and with another one now, it is sent by the other one', async () => {
    const { courier, emulator, ended, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    courier.start()
    await ended(await owe(id))
    emulator.disconnectAgent(id)
    emulator.connectAgent(id)
    const second = await owe(id)
    expect(await ended(second)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(2)
  })

  it('who was there a moment ago, and none now, the attributes tell it', async () => {
    const { courier, emulator, ended, owe } = await start()
    const { id } = emulator.createConversation()
    courier.start()
    await ended(await owe(id))
    emulator.disconnectAgent(id)
    const second = await owe(id)
    expect(await ended(second)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
  })
})

describe('where sending needs a user context', () => {
  it('the attributes tell it, and sending is not tried again while the token lives', async () => {
    const { courier, emulator, asked, ended, owe } = await start()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const first = await owe(emulator.createConversation().id)
    courier.start()
    expect(await ended(first)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
    const more = await Promise.all([1, 2, 3].map(() => owe(emulator.createConversation().id)))
    expect((await ended(...more)).map((confirmation) => confirmation?.way)).toEqual(Array(3).fill('attributes'))
    expect(asked('POST', '/communications/')).toBe(1)
  })

  it('a new token asks again', async () => {
    const { courier, emulator, ended, owe } = await start()
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    courier.start()
    await ended(await owe(emulator.createConversation().id))
    emulator.setSwitches({ sendWithClientCredentials: 'works' })
    emulator.revokeTokens()
    // The token is found to be revoked on the way to the attributes; whoever comes next has the new one.
    const second = await owe(emulator.createConversation().id)
    await ended(second)
    const third = await owe(emulator.createConversation().id)
    expect(await ended(third)).toMatchObject([{ state: 'delivered', way: 'message' }])
  })

  it('and messages are the only way, it is parked with the reason', async () => {
    const { courier, emulator, ended, entryOf, owe } = await start({ ways: ['message'] })
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    const owed = await owe(emulator.createConversation().id)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'parked' }])
    expect(await entryOf(owed)).toMatchObject({ reason: 'message: sending needs a user context' })
  })
})

describe('a service user', () => {
  async function startWithUser(signedIn: boolean) {
    const file = await tokenFile()
    const started = await start({ user: (genesys) => clientOfUser(genesys, file) })
    started.emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    if (signedIn) await signIn(started, file)
    return { ...started, file }
  }

  it('who has signed in sends the message that the client may not', async () => {
    const { courier, emulator, ended, owe, textsIn } = await startWithUser(true)
    const { id } = emulator.createConversation()
    const owed = await owe(id)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('who never signed in keeps nobody from trying', async () => {
    const { courier, emulator, ended, owe, textsIn } = await startWithUser(false)
    emulator.setSwitches({ sendWithClientCredentials: 'works' })
    const { id } = emulator.createConversation()
    const owed = await owe(id)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('whose answer was lost is not followed by the client: what arrived is looked for first', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await startWithUser(true)
    emulator.setSwitches({ sendWithClientCredentials: 'works' })
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, cut: true }])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    expect(textsIn(id)).toHaveLength(1)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('who is refused as the client is leaves it to the next way, and is not asked again', async () => {
    const refused = new GenesysRefused('send', { status: 400, message: 'This request requires a user context.' })
    let tried = 0
    const sender = {
      sendMessage: async () => {
        tried += 1
        throw refused
      },
      tokensGiven: () => 1,
    }
    const { courier, emulator, ended, owe } = await start({ user: () => sender })
    emulator.setSwitches({ sendWithClientCredentials: 'userContextRequired' })
    courier.start()
    for (const _ of [1, 2]) {
      const owed = await owe(emulator.createConversation().id)
      expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
    }
    expect(tried).toBe(1)
  })
})

describe('a conversation of Open Messaging', () => {
  async function startOpen() {
    const started = await start({ ways: ['message', 'agentless', 'attributes'] })
    const { emulator } = started
    const call = async <T>(path: string, body: unknown): Promise<T> => {
      const token = await started.client.bearer.get()
      const answer = await fetch(emulator.url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${token}`, 'content-type': 'application/json' },
        body: JSON.stringify(body),
      })
      expect(answer.status).toBe(200)
      return (await answer.json()) as T
    }
    const integration = await call<{ id: string }>('/api/v2/conversations/messaging/integrations/open', {
      name: 'Own chat',
      outboundNotificationWebhookUrl: 'http://127.0.0.1:9/webhook',
      outboundNotificationWebhookSignatureSecretToken: 'a-secret-of-more-than-15',
      supportedContent: { id: 'webMessagingDefault' },
    })
    emulator.setSwitches({ agentTakesGuests: false })
    const { conversationId } = await call<{ conversationId: string }>(
      `/api/v2/conversations/messages/${integration.id}/inbound/open/message?prefetchConversationId=true`,
      {
        channel: {
          from: { id: 'customer-1', idType: 'Opaque' },
          time: started.clock.now().toISOString(),
          messageId: 'm-1',
        },
        text: 'Here is my scan',
      },
    )
    return { ...started, conversationId }
  }

  it('is told without any agent', async () => {
    const { courier, conversationId, ended, owe, textsIn } = await startOpen()
    const owed = await owe(conversationId)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'agentless' }])
    expect(textsIn(conversationId)).toHaveLength(1)
  })

  it('is told once though the answer was lost', async () => {
    const { courier, conversationId, delayed, emulator, ended, later, owe, textsIn } = await startOpen()
    emulator.setFaults([{ route: 'POST /api/v2/conversations/messages/agentless', cut: true }])
    const owed = await owe(conversationId)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered' }])
    expect(textsIn(conversationId)).toHaveLength(1)
  })

  it('is the only kind that is told so: Web Messaging goes on to the next way', async () => {
    const { courier, emulator, asked, ended, owe } = await startOpen()
    const owed = await owe(emulator.createConversation({ agent: false }).id)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
    expect(asked('POST', '/agentless')).toBe(0)
  })
})

/** How many requests have no answer yet. */
function requestsUnderWay(): () => number {
  let open = 0
  const { fetch } = globalThis
  vi.stubGlobal('fetch', async (...asked: Parameters<typeof fetch>) => {
    open++
    try {
      return await fetch(...asked)
    } finally {
      open--
    }
  })
  onTestFinished(() => void vi.unstubAllGlobals())
  return () => open
}

describe('a thousand confirmations under a limit of 300 requests a minute', () => {
  it.each([
    ['by our own pace, which the platform never has to hold up', 270],
    ['though others use the limit up, so that the platform refuses again and again', 10_000],
  ])('all arrive, and none twice: %s', async (_, requestsPerMinute) => {
    const { courier, emulator, clock, records, settle, textsIn } = await start({ requestsPerMinute })
    emulator.setSwitches({ rateLimitPerMinute: 300 })
    const asking = requestsUnderWay()
    const conversations = Array.from({ length: 250 }, () => emulator.createConversation().id)
    await Promise.all(Array.from({ length: 1000 }, (_, n) => settle(conversations[n % 250]!)))
    const refused = () => emulator.requests().filter(({ status }) => status === 429).length
    courier.start()
    // At a standing clock as many as it likes are of one minute, however slow the machine.
    if (requestsPerMinute > 300) await until(() => refused() > 0)
    while ((await records.outboxState()).pending > 0) {
      clock.jump(1000)
      courier.wake()
      for (let turn = 0; turn < 50; turn++) await new Promise((resolve) => setImmediate(resolve))
      // On a busy machine answers come later, and a clock that goes on meanwhile would end the waiting for them.
      await until(() => asking() === 0)
    }
    for (const id of conversations) {
      const references = textsIn(id).map((text) => /#\w{8}/.exec(String(text))?.[0])
      expect(references).toHaveLength(4)
      expect(new Set(references).size).toBe(4)
    }
    expect((await records.outboxState()).parked).toBe(0)
    if (requestsPerMinute < 300) expect(refused()).toBe(0)
  })
})

describe('an answer that was lost', () => {
  it('is looked for by the reference, and what arrived is not sent again', async () => {
    const { courier, emulator, asked, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, cut: true }])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    const [confirmation] = await ended(owed)
    expect(confirmation).toMatchObject({ state: 'delivered', way: 'message' })
    expect(confirmation).not.toHaveProperty('possiblyRepeated')
    expect(textsIn(id)).toHaveLength(1)
    expect(asked('POST', '/communications/')).toBe(1)
  })

  it('is looked for even if the agent has left since', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, cut: true }])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    emulator.disconnectAgent(id)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('is not found in what the customer wrote', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, cut: true, status: 503 }])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    emulator.customerSends(id, { text: `What is ${reference(owed)}?` })
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', possiblyRepeated: true }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('and cannot be found is sent once more, marked as possibly repeated', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, cut: true, status: 504 }])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message', possiblyRepeated: true }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('and may not be looked for is sent once more, marked as possibly repeated', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([
      { route: sending, cut: true },
      { route: looking, status: 403, times: 100 },
    ])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message', possiblyRepeated: true }])
    expect(textsIn(id)).toHaveLength(2)
  })

  it('and may not be looked for is not sent a third time when it is lost again: the attributes tell it', async () => {
    const { courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([
      { route: sending, cut: true, times: 100 },
      { route: looking, status: 403, times: 100 },
    ])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'attributes' }])
    expect(textsIn(id)).toHaveLength(2)
  })

  it('and cannot be looked for now is looked for later, and not sent meanwhile', async () => {
    const { courier, emulator, asked, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([
      { route: sending, cut: true },
      { route: looking, status: 500 },
    ])
    const owed = await owe(id)
    courier.start()
    await delayed(owed, 1)
    later(timetable[0])
    await delayed(owed, 2)
    expect(asked('POST', '/communications/')).toBe(1)
    later(timetable[1])
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('because our process died is looked for by the next one', async () => {
    const { client, clock, courier, emulator, ended, owe, records, textsIn } = await start()
    const { id, agentCommunicationId } = emulator.createConversation()
    const owed = await owe(id)
    const now = clock.now()
    await records.leaseConfirmations({ lease: 'of the dead', now, until: new Date(now.getTime() + 300_000), limit: 8 })
    await client.sendMessage(id, agentCommunicationId!, `We have received your file. Reference: ${reference(owed)}`)
    await records.releaseLeases(now)
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
    expect(textsIn(id)).toHaveLength(1)
  })
})

describe('a platform that is not well', () => {
  it('is asked again when it said, not before', async () => {
    const { clock, courier, emulator, asked, delayed, ended, later, owe } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: sending, status: 429, retryAfter: 120 }])
    const owed = await owe(id)
    courier.start()
    const { nextAt } = await delayed(owed, 1)
    expect(nextAt.getTime() - clock.now().getTime()).toBe(120_000)
    later(119)
    const other = await owe(emulator.createConversation().id)
    await ended(other)
    expect(asked('POST', `/conversations/messages/${id}/`)).toBe(1)
    later(1)
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
  })

  it('delays by the timetable, and a confirmation goes when it is well again', async () => {
    const { clock, courier, emulator, delayed, ended, later, owe, textsIn } = await start()
    const { id } = emulator.createConversation()
    emulator.setFaults([{ route: viewing, status: 500, times: 2 }])
    const owed = await owe(id)
    courier.start()
    for (const attempts of [1, 2]) {
      const { nextAt, reason } = await delayed(owed, attempts)
      expect((nextAt.getTime() - clock.now().getTime()) / 1000).toBe(timetable[attempts - 1])
      expect(reason).toBe('GET /api/v2/conversations/{id}: 500')
      later(timetable[attempts - 1]!)
    }
    const [confirmation] = await ended(owed)
    expect(confirmation).toMatchObject({ state: 'delivered', way: 'message' })
    expect(confirmation).not.toHaveProperty('possiblyRepeated')
    expect(textsIn(id)).toHaveLength(1)
  })

  it('for longer than the timetable leaves it parked with the reason, and an operator’s retry sends it', async () => {
    const { clock, courier, emulator, delayed, ended, entryOf, later, owe, records } = await start()
    emulator.setFaults([{ route: viewing, status: 500, times: 100 }])
    const owed = await owe(emulator.createConversation().id)
    courier.start()
    for (const [i, seconds] of timetable.entries()) {
      await delayed(owed, i + 1)
      later(seconds)
    }
    expect(await ended(owed)).toMatchObject([{ state: 'parked' }])
    expect(await entryOf(owed)).toMatchObject({
      attempts: timetable.length + 1,
      reason: 'given up after 10 attempts: GET /api/v2/conversations/{id}: 500',
    })
    emulator.setFaults([])
    const at = clock.now()
    const audit = {
      at,
      who: 'test',
      what: 'outbox_retry',
      object: owed,
      outcome: '',
      requestId: null,
      detail: null,
    } as const
    await records.retryConfirmations({ attachmentId: owed, at, audit })
    later(2)
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
  })

  it('that revoked our token in mid-work gets every confirmation once, by a new one', async () => {
    const { courier, emulator, asked, ended, owe, textsIn } = await start()
    const conversations = Array.from({ length: 20 }, () => emulator.createConversation().id)
    courier.start()
    await ended(await owe(conversations[0]!))
    emulator.revokeTokens()
    const owed = await Promise.all(conversations.map((id) => owe(id)))
    await ended(...owed)
    expect(conversations.map((id) => textsIn(id).length)).toEqual([2, ...Array(19).fill(1)])
    expect(asked('POST', '/oauth/token')).toBe(2)
  })

  it('that gives us no token delays, as the operator may put the credentials right', async () => {
    const { courier, emulator, delayed, ended, later, owe } = await start()
    emulator.setFaults([{ route: 'POST /oauth/token', status: 401 }])
    const owed = await owe(emulator.createConversation().id)
    courier.start()
    expect((await delayed(owed, 1)).reason).toContain('refuses this client')
    later(timetable[0] + 30)
    expect(await ended(owed)).toMatchObject([{ state: 'delivered', way: 'message' }])
  })

  it('and wants nothing for a minute gets nothing for a minute, and then every confirmation once', async () => {
    const { clock, courier, emulator, asked, ended, owe, textsIn } = await start()
    const conversations = Array.from({ length: 20 }, () => emulator.createConversation().id)
    emulator.setFaults([{ route: viewing, status: 429, retryAfter: 60, times: 100 }])
    const owed = await Promise.all(conversations.map((id) => owe(id)))
    courier.start()
    await until(() => clock.waits().filter((wait) => wait === 60_000).length === 8)
    // All that had begun when the first was told to wait; the others wait with it.
    const begun = asked('GET')
    expect(begun).toBeLessThanOrEqual(8)
    clock.jump(59_999)
    courier.wake()
    await until(() => clock.waits().length > 0)
    expect(asked('GET')).toBe(begun)
    emulator.setFaults([])
    clock.jump(1)
    courier.wake()
    await ended(...owed)
    expect(conversations.map((id) => textsIn(id).length)).toEqual(conversations.map(() => 1))
  })
})

describe('a conversation that Genesys does not know', () => {
  it('leaves the confirmation parked with the reason', async () => {
    const { courier, ended, entryOf, owe } = await start()
    const owed = await owe('00000000-0000-4000-8000-000000000000')
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'parked' }])
    expect((await entryOf(owed))?.reason).toMatch(/404 not\.found .*; attributes: .*404 not\.found/)
  })

  it('or that no id of Genesys names is parked without asking', async () => {
    const { courier, asked, ended, owe } = await start()
    const owed = await owe('../../secret')
    courier.start()
    expect(await ended(owed)).toMatchObject([{ state: 'parked' }])
    expect(asked('GET')).toBe(0)
  })

  it('does not hold up the others', async () => {
    const { courier, emulator, ended, owe } = await start()
    const lost = await owe('00000000-0000-4000-8000-000000000000')
    const owed = await owe(emulator.createConversation().id)
    courier.start()
    expect(await ended(lost, owed)).toMatchObject([{ state: 'parked' }, { state: 'delivered' }])
  })
})

describe('the courier', () => {
  it('delivers to eight conversations at once, and to each of them one after another', async () => {
    const { way, atGate, most } = gatedWay()
    const { courier, ended, owe } = await start({ way })
    const owed = await Promise.all(Array.from({ length: 24 }, (_, i) => owe(`conversation-${i % 12}`)))
    courier.start()
    while (atGate.length < 8) await until(() => atGate.length === 8)
    expect(new Set(atGate.map(({ conversationId }) => conversationId)).size).toBe(8)
    const opened = ended(...owed)
    const isDone = opened.then(() => true)
    let done = false
    void isDone.then(() => {
      done = true
    })
    await until(() => {
      expect(new Set(atGate.map(({ conversationId }) => conversationId)).size).toBe(atGate.length)
      atGate[0]?.open()
      return done
    })
    expect(most()).toBe(8)
  })

  it('lets go of a confirmation whose lease was lost', async () => {
    const { way, atGate } = gatedWay()
    const { clock, courier, confirmationOf, lines, owe, records } = await start({ way })
    const owed = await owe('conversation')
    courier.start()
    await until(() => atGate.length === 1)
    const at = clock.now()
    const audit = {
      at,
      who: 'test',
      what: 'outbox_drop',
      object: owed,
      outcome: '',
      requestId: null,
      detail: null,
    } as const
    await records.dropConfirmations({ attachmentId: owed, at, audit })
    atGate[0]?.open()
    await courier.stop()
    expect(await confirmationOf(owed)).toMatchObject({ state: 'dropped' })
    expect(lines.join('')).not.toContain('confirmation delivered')
  })

  it('looks again within two seconds when another process changed the outbox', async () => {
    const { clock, courier, emulator, ended, settle } = await start()
    courier.start()
    await until(() => clock.waits().includes(2000))
    const owed = await settle(emulator.createConversation().id)
    clock.jump(2000)
    expect(await ended(owed)).toMatchObject([{ state: 'delivered' }])
  })

  it('waits while the records are unavailable, and goes on', async () => {
    let broken = true
    const { clock, courier, emulator, ended, lines, owe } = await start({
      records: (records) => ({
        ...records,
        leaseConfirmations: (query) =>
          broken ? Promise.reject(new Unavailable('the records cannot be written')) : records.leaseConfirmations(query),
      }),
    })
    const owed = await owe(emulator.createConversation().id)
    courier.start()
    await until(() => lines.some((line) => line.includes('courier failed')) && clock.waits().includes(2000))
    broken = false
    clock.jump(2000)
    expect(await ended(owed)).toMatchObject([{ state: 'delivered' }])
  })

  it('settles later what it delivered while the records were unavailable', async () => {
    let failures = 2
    const { clock, courier, emulator, ended, owe, textsIn } = await start({
      records: (records) => ({
        ...records,
        settleConfirmation: (settlement) =>
          failures-- > 0
            ? Promise.reject(new Unavailable('the records cannot be written'))
            : records.settleConfirmation(settlement),
      }),
    })
    const { id } = emulator.createConversation()
    const owed = await owe(id)
    courier.start()
    for (let i = 0; i < 2; i++) {
      await until(() => clock.waits().includes(1000))
      clock.jump(1000)
    }
    expect(await ended(owed)).toMatchObject([{ state: 'delivered' }])
    expect(textsIn(id)).toHaveLength(1)
  })

  it('finishes what runs when it is stopped, and begins nothing more', async () => {
    const { way, atGate } = gatedWay()
    const { courier, confirmationOf, owe } = await start({ way })
    const first = await owe('conversation')
    const second = await owe('conversation')
    courier.start()
    await until(() => atGate.length === 1)
    const stopped = courier.stop()
    atGate[0]?.open()
    await stopped
    const states = [(await confirmationOf(first))?.state, (await confirmationOf(second))?.state]
    expect(states.sort()).toEqual(['delivered', 'pending'])
  })

  it('does not wait for ever for what runs when it is stopped', async () => {
    const { way, atGate } = gatedWay()
    const { clock, courier, owe } = await start({ way })
    await owe('conversation')
    courier.start()
    await until(() => atGate.length === 1)
    const stopped = courier.stop()
    await until(() => clock.waits().includes(15_000))
    clock.jump(15_000)
    await stopped
  })

  it('survives a way that breaks, looks for what it may have done, and tells the operator', async () => {
    const { courier, delayed, lines, owe } = await start({
      way: {
        name: 'message',
        confirm: () => {
          throw new TypeError('a mistake of ours')
        },
      },
    })
    const owed = await owe('conversation')
    courier.start()
    expect((await delayed(owed, 1)).reason).toBe('internal error')
    expect(lines.join('')).toContain('a mistake of ours')
  })

  it('counts what is pending and parked', async () => {
    const { clock, courier, ended, metrics, owe } = await start()
    const parked = await owe('00000000-0000-4000-8000-000000000000')
    courier.start()
    await ended(parked)
    clock.jump(2000)
    await until(async () => (await metrics.outboxParked.get()).values[0]?.value === 1)
    expect((await metrics.outboxPending.get()).values[0]?.value).toBe(0)
  })
})
