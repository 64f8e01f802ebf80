/** What a server of the Guest API says (FACTS of the protocol: every frame is one JSON text message). */
export interface Frame {
  class: string
  code: number | null
  tracingId: string | null
  body: Record<string, unknown>
  /** Of a frame whose body is a text. */
  says: string | null
}

/** A message of the conversation, as frames and the history have it. */
export interface Message {
  id: string
  mine: boolean
  text: string
  at: Date
  files: { id: string; name: string; url: string | null }[]
}

/** Null: no frame, which is passed over as every client of the Guest API does. */
export function readFrame(text: string): Frame | null {
  let frame: unknown
  try {
    frame = JSON.parse(text)
  } catch {
    return null
  }
  if (!isRecord(frame) || typeof frame.class !== 'string') return null
  return {
    class: frame.class,
    code: typeof frame.code === 'number' ? frame.code : null,
    tracingId: typeof frame.tracingId === 'string' ? frame.tracingId : null,
    body: isRecord(frame.body) ? frame.body : {},
    says: typeof frame.body === 'string' ? frame.body : null,
  }
}

/** Null: an event, such as that somebody types. */
export function readMessage(body: Record<string, unknown>): Message | null {
  const { id, type, text, direction, channel, content } = body
  if (typeof id !== 'string' || (type !== 'Text' && type !== 'Structured')) return null
  const time = isRecord(channel) && typeof channel.time === 'string' ? new Date(channel.time) : new Date()
  const files = (Array.isArray(content) ? content : []).flatMap((item) => {
    const file = isRecord(item) && isRecord(item.attachment) ? item.attachment : null
    if (!file || typeof file.id !== 'string') return []
    const name = typeof file.filename === 'string' ? file.filename : ''
    return [{ id: file.id, name, url: webAddress(file.url) }]
  })
  return {
    id,
    mine: direction === 'Inbound',
    text: typeof text === 'string' ? text : '',
    at: Number.isNaN(time.getTime()) ? new Date() : time,
    files,
  }
}

/** A link of a stranger's goes to the web, or nowhere. */
function webAddress(url: unknown): string | null {
  if (typeof url !== 'string' || !URL.canParse(url)) return null
  return /^https?:$/.test(new URL(url).protocol) ? url : null
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
