import type { Attachment, AttachmentState } from '../attachment.ts'
import { shownName } from './names.ts'

/**
 * What an agent's script is told, from the best to the worst: nothing to open and nothing to do; the customer must send
 * again; an agent may have opened what nobody could judge; someone must decide first; and worst, a file that may have been opened already and must not be trusted any more.
 */
const fromBestToWorst: AttachmentState[] = [
  'erased',
  'accepted',
  'fetching',
  'refused',
  'unfetched',
  'quarantined',
  'recalled',
]

const mostFiles = 10

/** Characters of the list as JSON. */
const longestList = 2000

/** The attributes that tell an agent's script of a conversation's files, which come newest first. */
export function attributesOf(attachments: Attachment[], now: Date): Record<string, string> {
  const files = attachments.slice(0, mostFiles).map(({ id, filename, state, code, receivedAt, agentMayHaveSeen }) => ({
    id,
    name: shownName(filename ?? ''),
    state,
    code,
    at: receivedAt,
    ...(agentMayHaveSeen && { seen: true }),
  }))
  while (JSON.stringify(files).length > longestList) files.pop()
  return {
    clipgate_state: worstOf(attachments),
    clipgate_files: JSON.stringify(files),
    clipgate_updated: now.toISOString(),
  }
}

/** Empty when there are none. */
function worstOf(attachments: Attachment[]): string {
  const worst = Math.max(...attachments.map(({ state }) => fromBestToWorst.indexOf(state)))
  return fromBestToWorst[worst] ?? ''
}
