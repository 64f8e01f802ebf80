import { randomUUID } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import type { Attachment } from '../../src/attachment.ts'
import { gatedEngine } from '../fixtures/engines.ts'
import { type Fixture, png } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { rawGuest, startGateway } from './start.ts'

type Gateway = Awaited<ReturnType<typeof startGateway>>
type Customer = Awaited<ReturnType<typeof rawGuest>>
type Engine = ReturnType<typeof gatedEngine>

const steps = [
  'connected',
  'configured',
  'announced',
  'given an address',
  'judged',
  'handed on',
  'cleared',
  'sent',
  'echoed',
] as const
type Step = (typeof steps)[number]

/** What a client remembers of its file over a lost connection. */
interface Memory {
  body: { attachmentId: string; url: string; headers: Record<string, string> } | null
  put: Promise<unknown>
  /** Whether its bytes were sent. */
  isPut: boolean
  isCleared: boolean
}

/** One file from the connection to the echo. Whoever iterates stops where he likes. */
async function* sending(customer: Customer, file: Fixture, memory: Memory, { engine, handedOn, isThere }: Upstream) {
  yield 'connected' satisfies Step
  await customer.configure()
  yield 'configured' satisfies Step
  const about = { fileName: file.name, fileType: file.type, fileSize: file.bytes.length, errorsAsJson: true }
  customer.say({ action: 'onAttachment', attachmentId: randomUUID(), ...about })
  yield 'announced' satisfies Step
  const { body } = await customer.take(({ class: name }) => name === 'PresignedUrlResponse')
  memory.body = body
  yield 'given an address' satisfies Step
  memory.put = customer.put(body, file.bytes).catch(() => null)
  memory.isPut = true
  await until(engine.asked)
  yield 'judged' satisfies Step
  engine.judge()
  await memory.put
  await until(handedOn)
  yield 'handed on' satisfies Step
  await outcome(customer, body.attachmentId)
  memory.isCleared = true
  yield 'cleared' satisfies Step
  customer.say(message(body.attachmentId))
  await until(isThere)
  yield 'sent' satisfies Step
  await customer.take(({ class: name, body: said }) => name === 'StructuredMessage' && said.direction === 'Inbound')
  yield 'echoed' satisfies Step
}

interface Upstream {
  engine: Engine
  /** Whether the platform has the bytes. */
  handedOn(): boolean
  /** Whether the conversation has them, as a client finds in its history. */
  isThere(): boolean
}

const message = (id: string) => ({
  action: 'onMessage',
  message: { type: 'Text', text: 'my file', content: [{ contentType: 'Attachment', attachment: { id } }] },
})

async function outcome(customer: Customer, id: string): Promise<void> {
  expect((await customer.outcomeOf(id)).class).toBe('UploadSuccessEvent')
}

/** As a client goes on that has come back: by what it remembers, or anew under another id. */
async function goOn(customer: Customer, file: Fixture, memory: Memory, { engine, isThere }: Upstream) {
  engine.judge()
  expect((await customer.configure()).body.connected).toBe(true)
  if (isThere()) return
  const body = memory.body ?? (await customer.announce(file)).body
  if (!memory.isPut) await customer.put(body, file.bytes)
  if (!memory.isCleared) await outcome(customer, body.attachmentId)
  expect(await customer.sendFile(body.attachmentId)).toMatchObject({ class: 'StructuredMessage' })
}

const filesIn = ({ emulator }: Gateway) =>
  emulator
    .conversations()
    .flatMap(({ id }) => emulator.conversation(id).messages.flatMap(({ attachments }) => attachments))

describe('a file is sent once and on record, although the connection was cut', () => {
  const cases = steps.flatMap((step) => [
    ['on the client’s side', step],
    ['on the platform’s side', step],
  ]) as ['on the client’s side' | 'on the platform’s side', Step][]

  it.each(cases)('%s, when it was %s', async (side, step) => {
    const engine = gatedEngine()
    const gateway = await startGateway({ overrides: { scanners: [engine.scanner] } })
    const { address, emulator, records } = gateway
    const puts = () => emulator.requests().filter(({ method }) => method === 'PUT').length
    const upstream = { engine, handedOn: () => puts() > 0, isThere: () => filesIn(gateway).length > 0 }
    const file = await png()
    const memory: Memory = { body: null, put: Promise.resolve(), isPut: false, isCleared: false }
    const token = randomUUID()
    const first = await rawGuest(address, token)
    for await (const reached of sending(first, file, memory, upstream)) {
      // The platform has nothing that was not judged.
      if (steps.indexOf(reached) <= steps.indexOf('judged')) expect(puts()).toBe(0)
      if (reached === step) break
    }
    if (side === 'on the client’s side') first.socket.terminate()
    else emulator.cutSockets({ kind: 'guest' })
    await first.closed()
    await goOn(await rawGuest(address, token), file, memory, upstream)
    await memory.put
    expect(filesIn(gateway)).toMatchObject([{ contentSizeBytes: file.bytes.length }])
    const kept = async () => (await records()).filter(({ state }: Attachment) => state === 'accepted')
    expect(await kept()).toHaveLength(1)
    // An echo that was lost leaves the file on record without its conversation.
    if (step !== 'sent') await until(async () => (await kept())[0]!.conversationId !== null)
  })
})
