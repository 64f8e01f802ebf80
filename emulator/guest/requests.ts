import { randomUUID } from 'node:crypto'
import { org } from '../org.ts'
import { isRecord, isWholeNumber } from '../parse.ts'
import type { UrlOf } from '../platform/views.ts'
import type { components } from '../platform.d.ts'
import type { Switches } from '../switches.ts'
import type { Profiles } from '../world/profiles.ts'
import type { World } from '../world/world.ts'
import { type Frame, generateUrlError, pushed, refusalFrame, response } from './frames.ts'
import type { Jwts } from './jwt.ts'
import {
  blockedExtensions,
  checkFile,
  checkMessage,
  maxCustomDataBytes,
  maxFileSizeKB,
  maxTokenLength,
} from './limits.ts'
import type { GuestPaces } from './pace.ts'
import { GuestRefusal } from './refusal.ts'
import type { GuestConnection, GuestSession, Opened, Sessions, Upload } from './sessions.ts'
import type { UploadUrls } from './uploadUrls.ts'

type Schemas = components['schemas']

/** A frame from the client, its members not yet believed. */
type Request = Record<string, unknown>

/** How long a JWT for the history is good: UNCONFIRMED on the platform. */
const jwtLifetimeSeconds = 3600

interface Parts {
  sessions: Sessions
  world: World
  profiles: Profiles
  switches: Switches
  paces: GuestPaces
  jwts: Jwts
  uploadUrls: UploadUrls
  urlOf: UrlOf
}

/** One connection, as the requests that come on it see it. */
export interface Guest {
  id: string
  connection: GuestConnection
  /** Once it was configured. */
  session?: GuestSession
}

/** Does what a client's frame asks for; answers and refusals go to its connection. */
export function guestRequests(parts: Parts): (guest: Guest, text: string) => void {
  const { sessions, world, profiles, switches, paces, jwts, uploadUrls, urlOf } = parts

  const allowed = () => ({ attachments: switches.attachments === 'enabled', types: profiles.ofDeployment().inbound })

  /** What a client is told of the limits. */
  function limits() {
    const { attachments, types } = allowed()
    const fileTypes = attachments ? types.map((type) => ({ type })) : []
    return { allowedMedia: { inbound: { fileTypes, maxFileSizeKB } }, blockedExtensions, maxCustomDataBytes }
  }

  function sessionResponse({ session, ...opened }: Opened): Schemas['Guest.SessionResponse'] {
    return {
      connected: true,
      readOnly: session.readOnly,
      ...opened,
      ...limits(),
      durationSeconds: switches.sessionDurationSeconds,
      expirationDate: Math.floor(session.expiresAt.getTime() / 1000),
    }
  }

  /** That of the connection; the token must be its own. */
  function sessionOf(guest: Guest, request: Request): GuestSession {
    const session = sessions.find(textIn(request, 'token'))
    if (session !== guest.session) throw new GuestRefusal(4007, 'session not found')
    return session
  }

  function configure(guest: Guest, request: Request, authenticated: boolean): Frame {
    const token = textIn(request, 'token')
    if (token.length > maxTokenLength) throw new GuestRefusal(400, `token is longer than ${maxTokenLength} characters`)
    if (textIn(request, 'deploymentId') !== org.deploymentId) throw new GuestRefusal(404, 'deployment not found')
    paces.count('configuresOfSession', token)
    const opened = sessions.open(token, request.startNew === true)
    if (!opened.newSession && opened.session.authenticated && !authenticated) {
      throw new GuestRefusal(4017, 'An authenticated session cannot become unauthenticated')
    }
    opened.session.authenticated = authenticated
    if (guest.session) sessions.disconnect(guest.session, guest.connection)
    guest.session = opened.session
    sessions.connect(opened.session, guest.connection)
    return response('SessionResponse', sessionResponse(opened), tracingOf(request))
  }

  function announce(guest: Guest, request: Request): Frame {
    const session = sessionOf(guest, request)
    const id = typeof request.attachmentId === 'string' ? request.attachmentId : randomUUID()
    try {
      if (session.readOnly) throw new GuestRefusal(409, 'The conversation is read-only')
      const upload: Upload = {
        id,
        name: textIn(request, 'fileName'),
        mime: textIn(request, 'fileType'),
        sizeBytes: numberIn(request, 'fileSize'),
        sent: false,
      }
      checkFile(upload, allowed())
      session.uploads.set(id, upload)
      return response('PresignedUrlResponse', { attachmentId: id, ...uploadUrls.sign(upload) }, tracingOf(request))
    } catch (error) {
      if (!(error instanceof GuestRefusal) || request.errorsAsJson !== true) throw error
      return generateUrlError(error, id, switches.uploadRefusals, tracingOf(request))
    }
  }

  function uploadIn(session: GuestSession, id: unknown): Upload {
    const upload = session.uploads.get(String(id))
    if (!upload) throw new GuestRefusal(4009, 'Attachment not found')
    return upload
  }

  function uploaded(upload: Upload) {
    if (!upload.attachment) throw new GuestRefusal(4010, 'Attachment was not uploaded successfully')
    return upload.attachment
  }

  function send(guest: Guest, request: Request): Frame | undefined {
    const session = sessionOf(guest, request)
    paces.count('messagesOfSession', session.token)
    const message = isRecord(request.message) ? request.message : undefined
    if (!message) throw new GuestRefusal(4020, 'message is missing')
    if (message.type === 'Event') return takeEvents(session, message.events)
    checkCustomAttributes(message)
    const upload = attachmentIn(message, session)
    const attachment = upload && uploaded(upload)
    const text = typeof message.text === 'string' ? message.text : ''
    checkMessage(text, attachment !== undefined)
    const tracingId = tracingOf(request)
    world.customerSendsUploaded(sessions.conversationOf(session), {
      text,
      ...(attachment && { attachment }),
      ...(tracingId !== undefined && { tracingId }),
    })
    if (upload) upload.sent = true
    return undefined
  }

  /** That a join begins the conversation is inferred; typing goes to the agent's side, of which nothing is played. */
  function takeEvents(session: GuestSession, events: unknown): undefined {
    for (const event of Array.isArray(events) ? events : []) {
      const type = isRecord(event) && isRecord(event.presence) ? event.presence.type : undefined
      if (type === 'Join') sessions.conversationOf(session)
      if (type !== 'Clear') continue
      if (switches.conversationClear === 'disabled') {
        throw new GuestRefusal(403, 'Presence events Conversation Clear are not supported')
      }
      sessions.clear(session)
    }
  }

  function attachmentIn(message: Request, session: GuestSession): Upload | undefined {
    const content = (Array.isArray(message.content) ? message.content : []).filter(isRecord)
    const [first, second] = content.filter(({ contentType }) => contentType === 'Attachment')
    if (second) throw new GuestRefusal(400, 'Only one attachment is allowed')
    if (!first) return undefined
    return uploadIn(session, isRecord(first.attachment) ? first.attachment.id : undefined)
  }

  const actions: Record<string, (guest: Guest, request: Request) => Frame | undefined> = {
    configureSession: (guest, request) => configure(guest, request, false),

    configureAuthenticatedSession(guest, request) {
      const code = isRecord(request.data) ? request.data.code : undefined
      if (!jwts.check(String(code))?.customer) throw new GuestRefusal(403, 'Try to authenticate again')
      return configure(guest, request, true)
    },

    getConfiguration(_, request) {
      textIn(request, 'token')
      if (textIn(request, 'deploymentId') !== org.deploymentId) throw new GuestRefusal(404, 'deployment not found')
      const { sessionDurationSeconds } = switches
      const body = { ...limits(), messageRoutingEnabled: true, sessionDurationSeconds }
      return response('GetConfigurationResponse', body, tracingOf(request))
    },

    onAttachment: announce,

    getAttachment(guest, request) {
      const session = sessionOf(guest, request)
      const attachment = uploaded(uploadIn(session, request.attachmentId))
      const { id, bytes, filename, mime } = attachment
      const url = urlOf(attachment)
      const body = { attachmentId: id, headers: {}, url, fileName: filename, fileSize: bytes.length, fileType: mime }
      return response('PresignedUrlResponse', body, tracingOf(request))
    },

    deleteAttachment(guest, request) {
      const session = sessionOf(guest, request)
      const upload = uploadIn(session, request.attachmentId)
      // What the platform says to the deletion of a file that was sent is UNCONFIRMED.
      if (upload.sent) throw new GuestRefusal(4009, 'Attachment not found')
      session.uploads.delete(upload.id)
      if (upload.attachment) world.removeUpload(upload.attachment)
      return pushed('AttachmentDeletedResponse', { attachmentId: upload.id })
    },

    onMessage: send,

    echo(guest, request) {
      const session = sessionOf(guest, request)
      paces.count('echoesOfConnection', guest.id)
      const text = isRecord(request.message) ? request.message.text : undefined
      const body = {
        id: 'echo_id',
        type: 'Text',
        text: typeof text === 'string' ? text : '',
        direction: 'Inbound',
        metadata: {
          durationSeconds: String(switches.sessionDurationSeconds),
          expirationDate: String(Math.floor(session.expiresAt.getTime() / 1000)),
        },
      }
      return response('StructuredMessage', body, tracingOf(request))
    },

    getJwt(guest, request) {
      const { token } = sessionOf(guest, request)
      return response('JwtResponse', jwts.sign({ session: token }, jwtLifetimeSeconds), tracingOf(request))
    },

    closeSession(guest, request) {
      const session = sessionOf(guest, request)
      for (const other of request.closeAllConnections === true ? session.connections : []) {
        if (other === guest.connection) continue
        other.send(pushed('ConnectionClosedEvent', {}))
        other.close()
      }
      sessions.disconnect(session, guest.connection)
      delete guest.session
      return response('SessionResponse', { connected: false }, tracingOf(request))
    },
  }

  return (guest, text) => {
    const request = parse(text)
    const tracingId = tracingOf(request)
    try {
      paces.count('requestsOfConnection', guest.id)
      const { action } = request
      const act = Object.hasOwn(actions, String(action)) ? actions[String(action)] : undefined
      if (!act) throw new GuestRefusal(400, `action ${JSON.stringify(action)} is not supported`)
      const answer = act(guest, request)
      if (answer) guest.connection.send(answer)
    } catch (error) {
      if (!(error instanceof GuestRefusal)) throw error
      guest.connection.send(refusalFrame(error, tracingId))
    }
  }
}

/** What is no JSON object asks for nothing that is known. */
function parse(text: string): Request {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : {}
  } catch {
    return {}
  }
}

function tracingOf({ tracingId }: Request): string | undefined {
  return typeof tracingId === 'string' ? tracingId : undefined
}

function textIn(request: Request, name: string): string {
  const value = request[name]
  if (typeof value !== 'string' || value === '') throw new GuestRefusal(4020, `${name} is missing`)
  return value
}

function numberIn(request: Request, name: string): number {
  const value = request[name]
  if (!isWholeNumber(value, 0)) throw new GuestRefusal(4020, `${name} is missing`)
  return value
}

function checkCustomAttributes(message: Request): void {
  const channel = isRecord(message.channel) ? message.channel : {}
  const metadata = isRecord(channel.metadata) ? channel.metadata : {}
  const bytes = Buffer.byteLength(JSON.stringify(metadata.customAttributes ?? {}))
  if (bytes > maxCustomDataBytes) throw new GuestRefusal(4013, 'Custom attributes are too large')
}
