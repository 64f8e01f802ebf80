import type { AttachmentId } from '../attachment.ts'
import type { Clock } from '../clock.ts'
import { NotFound } from '../errors.ts'
import type { Records } from '../records/records.ts'
import type { Removed, Storage } from '../storage/storage.ts'
import type { Events } from '../telemetry/events.ts'

export interface EraseParts {
  records: Records
  storage: Storage
  clock: Clock
  events: Events
}

/** Proof that a file cannot be read any more. */
export interface Receipt {
  attachmentId: AttachmentId
  /** ISO 8601, UTC. */
  erasedAt: string
  key: 'destroyed'
  /** `kept`: the store is set to keep them, by a lock or as an older version; without the key they cannot be read. */
  bytes: Removed
  /** SHA-256, in hex, of the record as it was before. */
  digestOfRecord: string
}

/**
 * Erases one attachment: first the key, gone from the database's own files too, then the bytes. The same again gives the
 * same receipt, and finishes what was cut short. Throws `NotFound`, or `Unavailable` when it could not be finished now;
 * the sweep then finishes it.
 */
export async function erase(
  id: AttachmentId,
  { who, requestId, unsentBefore = null }: { who: string; requestId: string | null; unsentBefore?: Date | null },
  { records, storage, clock, events }: EraseParts,
): Promise<Receipt> {
  const at = clock.now()
  const erased = await records.erase({
    id,
    at,
    unsentBefore,
    audit: { at, who, what: 'erase', object: id, outcome: 'erased', requestId, detail: null },
  })
  if (!erased) throw new NotFound('attachment')
  await records.truncateLog()
  // Asked again for one that was erased before, the store tells what has become of its bytes since.
  const bytes = erased.stored || !erased.now ? await storage.remove(id) : 'removed'
  if (erased.stored) await records.bytesRemoved(id)
  if (erased.now) events.fileErased(id, who)
  return {
    attachmentId: id,
    erasedAt: erased.erasedAt.toISOString(),
    key: 'destroyed',
    bytes,
    digestOfRecord: erased.recordDigest,
  }
}
