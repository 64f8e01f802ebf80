import { isOneType } from '../../intake/types.ts'
import { strictJson } from '../../strictJson.ts'

/** What the platform says (FACTS 1.2). */
export interface ServerFrame {
  type?: unknown
  class?: unknown
  code?: unknown
  body?: unknown
  tracingId?: unknown
}

/** What a client's frame asks, as far as it is about files. */
export type Asked =
  | { kind: 'pass' }
  | { kind: 'configure' }
  | {
      kind: 'announce'
      attachmentId: string | null
      fileName: string
      fileType: string
      fileSize: number
      asJson: boolean
    }
  | { kind: 'get' | 'delete' | 'send'; attachmentId: string }
  | { kind: 'refused'; code: number; says: string }

export interface ClientFrame {
  asked: Asked
  frame: Record<string, unknown>
  token: string | null
  tracingId: string | null
}

/** At most so many characters (FACTS 1.2). */
const longestToken = 2048

/** The actions that are about files, beside those that only begin a session. */
const guarded = ['onattachment', 'getattachment', 'deleteattachment', 'onmessage']
const configuring = ['configureSession', 'configureAuthenticatedSession']

/** What an attachment in a message may say of itself beside its id: nothing that leads to other bytes. */
const harmless = new Set(['id', 'filename', 'mediaType', 'mime', 'fileSize', 'sha256', 'text'])

/**
 * Reads a client's frame as the strictest reader behind us would, and refuses what two readers could read in two ways: what is no
 * JSON object, names a member twice, or speaks of an attachment anywhere but where we look for it.
 */
export function readClientFrame(text: string): ClientFrame {
  let frame: unknown
  try {
    frame = strictJson(text)
  } catch (error) {
    return unreadable((error as Error).message)
  }
  if (!isRecord(frame)) return unreadable('A frame is a JSON object.')
  const { token, tracingId } = frame
  const known = {
    frame,
    token: typeof token === 'string' && token !== '' && token.length <= longestToken ? token : null,
    tracingId: typeof tracingId === 'string' ? tracingId : null,
  }
  return { ...known, asked: askedBy(frame) }
}

function unreadable(says: string): ClientFrame {
  return { asked: { kind: 'refused', code: 400, says }, frame: {}, token: null, tracingId: null }
}

const refused = (code: number, says: string): Asked => ({ kind: 'refused', code, says })

function askedBy(frame: Record<string, unknown>): Asked {
  const { action } = frame
  if (typeof action !== 'string') return refused(400, 'action is missing')
  const lower = action.toLowerCase()
  if (!guarded.includes(lower)) {
    if (mentionsAttachment(frame)) return refused(400, `${action} with an attachment is not supported`)
    return { kind: configuring.includes(action) ? 'configure' : 'pass' }
  }
  switch (action) {
    case 'onAttachment':
      return announced(frame)
    case 'getAttachment':
    case 'deleteAttachment': {
      const { attachmentId, ...rest } = frame
      if (!isId(attachmentId)) return refused(4020, 'attachmentId is missing')
      if (mentionsAttachment({ ...rest, action: '' })) return refused(400, `${action} names one attachment`)
      return { kind: action === 'getAttachment' ? 'get' : 'delete', attachmentId }
    }
    case 'onMessage':
      return sent(frame)
    default:
      return refused(400, `action ${JSON.stringify(action)} is not supported`)
  }
}

function announced(frame: Record<string, unknown>): Asked {
  const { attachmentId: given, fileName, fileType, fileSize, errorsAsJson, ...rest } = frame
  const attachmentId = given ?? undefined
  if (attachmentId !== undefined && !isId(attachmentId)) return refused(400, 'attachmentId is no id')
  if (typeof fileName !== 'string' || fileName === '') return refused(4020, 'fileName is missing')
  if (typeof fileType !== 'string' || fileType === '') return refused(4020, 'fileType is missing')
  if (typeof fileSize !== 'number' || !Number.isSafeInteger(fileSize) || fileSize < 0)
    return refused(4020, 'fileSize is missing')
  if (fileName.length > 1024) return refused(4005, 'File name is too long')
  if (fileType.length > 255 || !isOneType(fileType)) return refused(4001, 'File type not supported')
  if (mentionsAttachment({ ...rest, action: '' })) return refused(400, 'onAttachment announces one attachment')
  return {
    kind: 'announce',
    attachmentId: attachmentId ?? null,
    fileName,
    fileType,
    fileSize,
    asJson: errorsAsJson === true,
  }
}

/** At most one, and by its id alone. */
function sent(frame: Record<string, unknown>): Asked {
  const { message } = frame
  const isContent = isRecord(message) && Array.isArray(message.content)
  const content: unknown[] = isContent ? (message.content as unknown[]) : []
  const items = content.filter((item) => isRecord(item) && item.contentType === 'Attachment')
  const [item, ...more] = items as Record<string, unknown>[]
  if (more.length > 0) return refused(400, 'Only one attachment is allowed')
  const rest = item
    ? { ...frame, message: { ...(message as object), content: content.filter((one) => one !== item) } }
    : frame
  if (mentionsAttachment(rest)) return refused(400, 'An attachment stands in content, with its id')
  // Another kind of content that leads to bytes which nobody has judged.
  if (content.some((one) => one !== item && namesAddress(one)))
    return refused(400, 'Content with an address is not supported')
  if (!item) return { kind: 'pass' }
  const { attachment, contentType: _, ...beside } = item
  if (!isRecord(attachment) || !isId(attachment.id) || Object.keys(beside).length > 0)
    return refused(400, 'An attachment stands in content, with its id')
  const { id, ...told } = attachment
  if (!Object.keys(told).every((name) => harmless.has(name)) || Object.values(told).some((value) => isObject(value)))
    return refused(400, 'An attachment is named by its id')
  return { kind: 'send', attachmentId: id }
}

/** Members whose content a reader may fetch, such as the image of a quick reply. */
const isAddressName = /url|uri|href|src|image|icon|thumbnail|picture|media|file|link|source/i
const isAddress = (value: unknown) => typeof value === 'string' && /^\s*([a-z][a-z0-9+.-]*:|\/\/)/i.test(value)

function namesAddress(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(namesAddress)
  if (!isRecord(value)) return false
  return Object.entries(value).some(
    ([name, inner]) =>
      /^(url|uri|href)$/i.test(name) || (isAddressName.test(name) && isAddress(inner)) || namesAddress(inner),
  )
}

/** By the name of any member at any depth, in whatever case, or as a kind of content. */
function mentionsAttachment(value: unknown): boolean {
  if (Array.isArray(value)) return value.some(mentionsAttachment)
  if (!isRecord(value)) return false
  return Object.entries(value).some(([name, inner]) => {
    const lower = name.toLowerCase()
    if (lower.includes('attachment')) return true
    if (lower === 'contenttype' && typeof inner === 'string' && inner.toLowerCase().includes('attachment')) return true
    return mentionsAttachment(inner)
  })
}

/** Null: no JSON object, which no client of the Guest API reads as a frame. */
export function readServerFrame(text: string): ServerFrame | null {
  try {
    const value: unknown = JSON.parse(text)
    return isRecord(value) ? value : null
  } catch {
    return null
  }
}

/** The attachments that a message has in it. */
export function attachmentsIn({ body }: ServerFrame): string[] {
  if (!isRecord(body) || !Array.isArray(body.content)) return []
  return body.content.flatMap((item) => {
    const attachment = isRecord(item) && isRecord(item.attachment) ? item.attachment : null
    return attachment && typeof attachment.id === 'string' ? [attachment.id] : []
  })
}

/** A frame about one file, under the id that its client knows. */
export function withId(frame: ServerFrame, text: string, attachmentId: string): string {
  const body = frame.body as Record<string, unknown>
  if (body.attachmentId === attachmentId) return text
  return JSON.stringify({ ...frame, body: { ...body, attachmentId } })
}

/** A message of a client with its one attachment under another id. */
export function sentUnder(frame: Record<string, unknown>, id: string): string {
  const message = frame.message as { content: { contentType?: unknown; attachment?: object }[] }
  const content = message.content.map((item) =>
    item.contentType === 'Attachment' ? { ...item, attachment: { ...item.attachment, id } } : item,
  )
  return JSON.stringify({ ...frame, message: { ...message, content } })
}

/** A message of the platform with its attachments under other ids. */
export function messageUnder(frame: ServerFrame, ids: ReadonlyMap<string, string>): string {
  const body = frame.body as { content: unknown[] }
  const content = body.content.map((item) => {
    if (!isRecord(item) || !isRecord(item.attachment)) return item
    const id = ids.get(String(item.attachment.id))
    return id === undefined ? item : { ...item, attachment: { ...item.attachment, id } }
  })
  return JSON.stringify({ ...frame, body: { ...body, content } })
}

/** As the platform refuses (FACTS 1.7), in both of its forms. */
export function refusal(
  { code, says, tracingId }: { code: number; says: string; tracingId: string | null },
  attachmentId: string | null = null,
): string {
  const traced = tracingId === null ? {} : { tracingId }
  if (attachmentId === null) return JSON.stringify({ type: 'response', class: 'string', code, body: says, ...traced })
  const body = { attachmentId, errorCode: code, errorMessage: says }
  return JSON.stringify({ type: 'response', class: 'GenerateUrlError', code: 400, body, ...traced })
}

/** That an upload came to nothing (FACTS 1.4). */
export function uploadFailure(attachmentId: string, code: number, says: string, at: Date): string {
  const body = { attachmentId, errorCode: code, errorMessage: says, timestamp: at.toISOString() }
  return JSON.stringify({ type: 'message', class: 'UploadFailureEvent', code: 200, body })
}

export function uploadSuccess(attachmentId: string, downloadUrl: string, at: Date): string {
  const body = { attachmentId, downloadUrl, timestamp: at.toISOString() }
  return JSON.stringify({ type: 'message', class: 'UploadSuccessEvent', code: 200, body })
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && /^[A-Za-z0-9_-]{1,100}$/.test(value)
}
