import { type OpenParts, openStored } from '../access/download.ts'
import type { Attachment, Verdict } from '../attachment.ts'
import { Damaged, Gone, Refused, Unavailable } from '../errors.ts'
import { requireClean, type Scanner, scanWithAll } from '../scan/scanner.ts'
import type { Events } from '../telemetry/events.ts'
import type { Late } from './decisions.ts'

export interface LateParts extends OpenParts {
  scanners: Scanner[]
  events: Events
}

/**
 * What engines say now of a stored file, behind those that come in. Null: nothing, since one has no verdict or the file cannot be
 * read now. Gone: it was erased meanwhile, or is damaged, so that nothing can be said of it.
 */
export async function judgeStored(
  attachment: Attachment,
  parts: LateParts,
): Promise<Omit<Late, 'keep'> | 'unreadable' | null> {
  let verdicts: Verdict[] = []
  try {
    const { attachment: stored, bytes } = await openStored(attachment, parts)
    const file = { size: stored.size, sha256: stored.sha256, open: () => bytes() }
    verdicts = await scanWithAll(parts.scanners, file, { background: true })
    requireClean(verdicts)
    return { code: null, detail: null, verdicts }
  } catch (error) {
    if (error instanceof Refused) return { code: error.code, detail: error.detail, verdicts }
    if (error instanceof Gone) return 'unreadable'
    if (error instanceof Damaged) {
      parts.events.fileDamaged(attachment.id, null, error)
      return 'unreadable'
    }
    if (error instanceof Unavailable) return null
    throw error
  }
}
