import { randomUUID } from 'node:crypto'
import { WebSocket } from 'ws'
import type { Frame } from '../guest/frames.ts'
import type { CustomerFile } from '../world/message.ts'
import { createInbox } from './inbox.ts'

export interface GuestOptions {
  deploymentId: string
  /** Made if not given. Whoever has it is this guest. */
  token?: string
  /** The page on which the guest's client would run. */
  origin?: string
}

/** A guest's client of the Guest API, for tests of whatever stands where the socket is: the emulator, or a gateway before it. */
export interface GuestClient {
  token: string
  /** Sends a frame as it is; token and a tracing id are added unless given. */
  send(frame: { action: string } & Record<string, unknown>): void
  /** Takes the next frame that fits, past or future, and leaves the others. Rejects when the socket ends first. */
  next(fits?: (frame: Frame) => boolean): Promise<Frame>
  /** Frames that came and were not taken. */
  waiting(): Frame[]
  /** Begins or resumes the session. Gives its answer, whatever it is. */
  configure(more?: Record<string, unknown>): Promise<Frame>
  /** Gives the echo, or the refusal. */
  sendsText(text: string): Promise<Frame>
  /** Announces, puts the bytes, waits for the outcome and sends the message. Gives the echo, or the first refusal. */
  sendsFile(file: CustomerFile, text?: string): Promise<Frame>
  /** Announces and puts the bytes. Gives the outcome that the socket tells, or the refusal of the announcement. */
  uploads(file: CustomerFile): Promise<Frame>
  /** Drops the connection, as a lost network does. */
  drop(): void
  /** The code of the close frame, 1006 without one. */
  closed: Promise<number>
}

/** Connects to a guest socket: `ws://host/v1`. Rejects with the status when it is refused. */
export async function openGuest(address: string, { deploymentId, ...options }: GuestOptions): Promise<GuestClient> {
  const { token = randomUUID(), origin = 'https://www.example.com' } = options
  const socket = new WebSocket(`${address}?deploymentId=${deploymentId}`, { origin })
  const inbox = createInbox<Frame>()
  socket.on('message', (data) => inbox.put(JSON.parse(String(data)) as Frame))
  const closed = new Promise<number>((resolve) => {
    socket.on('close', (code) => {
      inbox.end(new Error(`the guest socket was closed with ${code}`))
      resolve(code)
    })
  })
  await new Promise<void>((opened, refused) => {
    socket.on('open', opened)
    socket.on('error', refused)
  })

  /** Gives the first frame that carries the request's tracing id. */
  function ask(frame: { action: string } & Record<string, unknown>): Promise<Frame> {
    const tracingId = randomUUID()
    send({ tracingId, ...frame })
    return inbox.next((answer) => answer.tracingId === tracingId)
  }

  function send(frame: { action: string } & Record<string, unknown>): void {
    socket.send(JSON.stringify({ token, tracingId: randomUUID(), ...frame }))
  }

  async function uploads({ name, mime, bytes }: CustomerFile): Promise<Frame> {
    const attachmentId = randomUUID()
    const about = { attachmentId, fileName: name, fileType: mime, fileSize: bytes.length, errorsAsJson: true }
    const answer = await ask({ action: 'onAttachment', ...about })
    if (answer.class !== 'PresignedUrlResponse') return answer
    const { url, headers } = answer.body as { url: string; headers: Record<string, string> }
    const put = { method: 'PUT', headers: { 'content-type': mime, ...headers }, body: new Uint8Array(bytes) }
    const stored = await fetch(url, put)
    if (!stored.ok) throw new Error(`the upload was answered ${stored.status}`)
    return inbox.next((event) => isOutcomeOf(attachmentId, event))
  }

  return {
    token,
    send,
    next: inbox.next,
    waiting: inbox.waiting,
    configure: (more = {}) => ask({ action: 'configureSession', deploymentId, ...more }),
    sendsText: (text) => ask({ action: 'onMessage', message: { type: 'Text', text } }),
    uploads,
    async sendsFile(file, text) {
      const outcome = await uploads(file)
      if (outcome.class !== 'UploadSuccessEvent') return outcome
      const { attachmentId } = outcome.body as { attachmentId: string }
      const content = [{ contentType: 'Attachment', attachment: { id: attachmentId } }]
      return ask({ action: 'onMessage', message: { type: 'Text', ...(text !== undefined && { text }), content } })
    },
    drop: () => socket.terminate(),
    closed,
  }
}

const outcomes = ['UploadSuccessEvent', 'UploadFailureEvent', 'GenerateUrlError']

function isOutcomeOf(attachmentId: string, { class: name, body }: Frame): boolean {
  return (
    outcomes.includes(name) && typeof body === 'object' && 'attachmentId' in body && body.attachmentId === attachmentId
  )
}
