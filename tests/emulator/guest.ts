import { randomUUID } from 'node:crypto'
import type { Emulator } from '../../emulator/index.ts'
import { openSocket } from './sockets.ts'
import { pdf, type Schemas, sampleNamed, start } from './start.ts'
import { clientFrames, validate } from './validated.ts'

export interface Frame<Body = Record<string, unknown>> {
  type: 'response' | 'message'
  class: string
  code: number
  body: Body
  tracingId?: string
}

export const deploymentId = '00000000-0000-4000-8000-00000000d001'
export const guestUrl = (emulator: Emulator, deployment = deploymentId) =>
  `${emulator.url.replace('http', 'ws')}/v1?deploymentId=${deployment}`

/** Every frame from the server is one of the document's, with the body that its class names. */
function checkFrame(frame: Frame): void {
  validate('Guest.BaseMessage', frame)
  if (frame.class === 'string') {
    if (typeof frame.body !== 'string') throw new Error(`the body of a string is none: ${JSON.stringify(frame)}`)
  } else validate(`Guest.${frame.class}`, frame.body)
}

/** A client of the Guest API. What it asks is checked against the document too, unless it asks by `say`. */
export async function guest(emulator: Emulator, token: string = randomUUID(), origin = 'https://www.example.com') {
  const socket = await openSocket<Frame>(guestUrl(emulator), checkFrame, { origin })

  function say(frame: Record<string, unknown>): string {
    const tracingId = randomUUID()
    socket.send({ token, tracingId, ...frame })
    return tracingId
  }

  function send(frame: { action: string } & Record<string, unknown>): string {
    validate(clientFrames[frame.action] ?? '', { token, ...frame })
    return say(frame)
  }

  /** The next frame, which must be the answer. */
  async function ask<Body = Record<string, unknown>>(
    frame: { action: string } & Record<string, unknown>,
  ): Promise<Frame<Body>> {
    send(frame)
    return (await socket.next()) as Frame<Body>
  }

  const announce = (about: Record<string, unknown> = {}) =>
    ask<Schemas['Guest.PresignedUrlResponse']>({
      action: 'onAttachment',
      fileName: 'passport-scan.pdf',
      fileType: 'application/pdf',
      fileSize: pdf().bytes.length,
      ...about,
    })

  return {
    ...socket,
    token,
    sendRaw: socket.send,
    say,
    send,
    ask,
    announce,
    configure: (more: Record<string, unknown> = {}) =>
      ask<Schemas['Guest.SessionResponse']>({ action: 'configureSession', deploymentId, ...more }),
    message: (message: Record<string, unknown>) => send({ action: 'onMessage', message }),
    /** Announces, puts the bytes, and gives the outcome that the socket tells. */
    async upload(bytes = pdf().bytes, about: Record<string, unknown> = {}): Promise<Frame> {
      const { body } = await announce({ fileSize: bytes.length, ...about })
      const answer = await put(body, bytes)
      if (!answer.ok) throw new Error(`the upload was answered ${answer.status}`)
      return socket.next()
    },
  }
}

export const attachmentMessage = (id: unknown, text?: string) => ({
  ...(text !== undefined && { type: 'Text', text }),
  content: [{ contentType: 'Attachment', attachment: { id } }],
})

export const put = (to: { url: string; headers: Record<string, string> }, bytes: Buffer, more = {}) =>
  fetch(to.url, {
    method: 'PUT',
    headers: { 'content-type': 'application/pdf', ...to.headers, ...more },
    body: new Uint8Array(bytes),
  })

/** An emulator, and a guest whose session is configured. */
export async function configured() {
  const started = await start()
  const one = await guest(started.emulator)
  await one.configure()
  return { ...started, guest: one }
}

export const guestSample = <Body = Record<string, unknown>>(name: string) => sampleNamed<Frame<Body>>(`guest.${name}`)
