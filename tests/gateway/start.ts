import { randomUUID } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { WebSocket } from 'ws'
import { openGuest } from '../../emulator/client/guest.ts'
import { startEmulator } from '../../emulator/index.ts'
import type { Attachment } from '../../src/attachment.ts'
import type { Overrides } from '../../src/service.ts'
import type { Fixture } from '../fixtures/files.ts'
import { until } from '../genesys/clock.ts'
import { startTestService } from '../harness.ts'

export const deploymentId = '00000000-0000-4000-8000-00000000d001'

export interface Frame {
  type: string
  class: string
  code: number
  // biome-ignore lint/suspicious/noExplicitAny: what a frame has is what tests look at
  body: any
  tracingId?: string
}

/** A service with the gateway open, beside an emulator. */
export async function startGateway({
  env = {},
  overrides = {},
  dataDir,
}: {
  env?: Record<string, string>
  overrides?: Overrides
  dataDir?: string
} = {}) {
  const emulator = await startEmulator({ port: 0 })
  onTestFinished(() => emulator.close())
  const service = await startTestService({
    emulator,
    env: {
      GATEWAY_DEPLOYMENTS: deploymentId,
      GENESYS_GUEST_URL: emulator.url,
      GENESYS_CDN_URL: emulator.url,
      ...env,
    },
    overrides,
    ...(dataDir && { dataDir }),
  })
  const address = `${service.url.replace('http', 'ws')}/v1`
  const records = async () => (await service.get<{ items: Attachment[] }>('/v1/attachments')).body.items
  return {
    ...service,
    address,
    records,
    /** A guest through the gateway, its session begun. */
    async guest(options: { token?: string; origin?: string } = {}) {
      const guest = await openGuest(address, { deploymentId, ...options })
      onTestFinished(() => guest.drop())
      await guest.configure()
      return guest
    },
    recordOf: async (filename: string) => {
      let found: Attachment | undefined
      await until(async () => {
        found = (await records()).find((one) => one.filename === filename)
        return found !== undefined
      })
      return found!
    },
    asked: () => emulator.requests(),
  }
}

/** A socket that says what the test wants, and keeps what it hears. */
export async function rawGuest(address: string, token: string = randomUUID()) {
  const socket = new WebSocket(`${address}?deploymentId=${deploymentId}`, { origin: 'https://www.example.com' })
  onTestFinished(() => socket.terminate())
  const heard: Frame[] = []
  const texts: string[] = []
  /** By attachment: under which type a browser would put it. */
  const types = new Map<string, string>()
  let closedWith: number | null = null
  socket.on('message', (data) => {
    texts.push(String(data))
    heard.push(JSON.parse(String(data)))
  })
  socket.on('close', (code) => {
    closedWith = code
  })
  socket.on('error', () => {})
  await new Promise<void>((opened, refused) => {
    socket.once('open', opened)
    socket.once('error', refused)
  })
  const say = (frame: Record<string, unknown>) => {
    const tracingId = typeof frame.tracingId === 'string' ? frame.tracingId : randomUUID()
    socket.send(JSON.stringify({ token, ...frame, tracingId }))
    return tracingId
  }
  const take = async (fits: (frame: Frame) => boolean): Promise<Frame> => {
    await until(() => closedWith !== null || heard.some(fits))
    const at = heard.findIndex(fits)
    if (at < 0) throw new Error(`closed with ${closedWith}`)
    return heard.splice(at, 1)[0]!
  }
  const ask = (frame: Record<string, unknown>) => {
    const tracingId = say(frame)
    return take((answer) => answer.tracingId === tracingId)
  }
  return {
    token,
    socket,
    heard,
    texts,
    say,
    take,
    ask,
    sendText: (text: string) => socket.send(text),
    configure: (more: Record<string, unknown> = {}) => ask({ action: 'configureSession', deploymentId, ...more }),
    announce: (file: Pick<Fixture, 'name' | 'type' | 'bytes'>, more: Record<string, unknown> = {}) => {
      const attachmentId = randomUUID()
      const frame = {
        action: 'onAttachment',
        attachmentId,
        fileName: file.name,
        fileType: file.type,
        fileSize: file.bytes.length,
        errorsAsJson: true,
        ...more,
      }
      types.set(frame.attachmentId, frame.fileType)
      return ask(frame)
    },
    put: (body: Frame['body'], bytes: Buffer, headers: Record<string, string> = {}) =>
      fetch(body.url, {
        method: 'PUT',
        headers: {
          'content-type': types.get(body.attachmentId) ?? 'application/octet-stream',
          ...body.headers,
          ...headers,
        },
        body: new Uint8Array(bytes),
      }),
    outcomeOf: (id: string) =>
      take(({ class: name, body }) => /^Upload(Success|Failure)Event$/.test(name) && body.attachmentId === id),
    sendFile: (id: unknown, more: Record<string, unknown> = {}) =>
      ask({
        action: 'onMessage',
        message: {
          type: 'Text',
          text: 'a file',
          content: [{ contentType: 'Attachment', attachment: { id } }],
          ...more,
        },
      }),
    closed: async () => {
      await until(() => closedWith !== null)
      return closedWith
    },
  }
}

export const inMessage = (id: string) => ({ contentType: 'Attachment', attachment: { id } })
