import mime from 'mime'
import type { MessageData } from '../../genesys/client.ts'
import type { Sides } from '../../genesys/conversation.ts'
import type { MediaSource } from '../../genesys/media/download.ts'
import { canonicalType, typeOfName } from '../../intake/types.ts'
import type { Learned } from '../../records/questions/fetches.ts'

/** An attachment of a message, and where its bytes are for a while. */
export interface Source extends Learned {
  media: MediaSource
}

/** The platform keeps what lies behind an attachment's address for so long after it was sent (FACTS 2.6). */
export const keptDays = 30

/** The files that came with a message. Links are no files. */
export function sourcesOf({ id: messageId, direction, normalizedMessage }: MessageData, sides: Sides): Source[] {
  const isInbound = (direction ?? normalizedMessage?.direction)?.toLowerCase() === 'inbound'
  if (messageId === undefined || (!isInbound && sides === 'customer')) return []
  const ours = normalizedMessage?.originatingEntity === 'Bot' ? 'bot' : 'agent'
  return (normalizedMessage?.content ?? []).flatMap(({ contentType, attachment }, index) => {
    if (contentType !== 'Attachment' || !attachment || attachment.mediaType === 'Link') return []
    const { id, url, filename, mime, contentSizeBytes, sha256 } = attachment
    const name = filename || nameOf(mime)
    return [
      {
        messageId,
        // Its id is optional in the platform's description; its place in the message does not change.
        sourceId: id ?? `#${index}`,
        filename: name,
        sentBy: isInbound ? null : ours,
        declaredType: mime ? canonicalType(mime).slice(0, 255) : typeOfName(name),
        media: {
          url: url ?? '',
          size: contentSizeBytes ?? null,
          sha256: sha256 || null,
        },
      },
    ]
  })
}

/** For a file that has none: customers' clients name theirs, since the platform asks for an ending. */
function nameOf(type: string | undefined): string {
  const ending = type === undefined ? null : mime.getExtension(canonicalType(type))
  return ending === null ? 'file' : `file.${ending}`
}

/** Whether the platform has surely let go of what came with this message. */
export function isTooOld({ timestamp }: Pick<MessageData, 'timestamp'>, now: Date): boolean {
  const sentAt = Date.parse(timestamp ?? '')
  return now.getTime() - sentAt >= keptDays * 24 * 3600 * 1000
}
