import { createHash, timingSafeEqual } from 'node:crypto'
import type { Attachment } from '../attachment.ts'
import { Conflict, Damaged, Gone, NotFound } from '../errors.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'
import { type ByteRange, unseal } from '../seal/unseal.ts'
import type { Storage } from '../storage/storage.ts'

/** What opening a stored file needs. */
export interface OpenParts {
  records: Pick<Records, 'dataKey'>
  keys: KeyRing
  storage: Storage
}

export interface DownloadParts extends OpenParts {
  records: Records
}

/** A stored attachment and its plaintext. */
export interface Content {
  attachment: Attachment & { size: number; sha256: string; type: string }
  /**
   * Yields the plaintext, each 64 KiB only after its tag has proved it. Read whole, the digest is compared before the
   * last piece leaves. Throws `Damaged` at the first thing that is not as it was stored.
   */
  bytes(range?: ByteRange): AsyncGenerator<Buffer>
}

/** Throws `Conflict('not_accepted')` or `Gone` when there is nothing to read. */
export function requireReadable({ state }: Attachment): void {
  if (state === 'erased' || state === 'recalled') throw new Gone(`The file was ${state}.`)
  if (state !== 'accepted') throw new Conflict('not_accepted', `The file is ${state}, so it cannot be read.`)
}

/** Throws `Conflict('not_accepted')`, `Gone` or `NotFound` when there is nothing to read. */
export async function openContent(attachment: Attachment, parts: OpenParts): Promise<Content> {
  requireReadable(attachment)
  if (attachment.type === null) throw new Damaged('the record of an accepted file')
  return openStored(attachment, parts)
}

/** Whatever its state: for engines and for drawing, never to be handed out. Throws `Gone` when there is no key to it any more. */
export async function openStored(attachment: Attachment, { records, keys, storage }: OpenParts): Promise<Content> {
  const { id, size, sha256 } = attachment
  const type = attachment.type ?? 'application/octet-stream'
  if (size === null || sha256 === null) throw new Damaged('the record of a stored file')
  const wrapped = await records.dataKey(id)
  // Erased between the two questions.
  if (!wrapped) throw new Gone('The file was erased.')
  const sealed = {
    dataKey: keys.unwrap(wrapped, id),
    attachmentId: id,
    size,
    open: async (range?: ByteRange) => {
      try {
        return await storage.open(id, range)
      } catch (error) {
        if (error instanceof NotFound) {
          // Erased since its record was read?
          if (!(await records.dataKey(id))) throw new Gone('The file was erased.')
          throw new Damaged('the stored bytes are missing', { cause: error })
        }
        throw error
      }
    },
  }
  return {
    attachment: { ...attachment, size, sha256, type },
    bytes: (range) => (range ? unseal(sealed, range) : comparedWithDigest(unseal(sealed), sha256)),
  }
}

async function* comparedWithDigest(pieces: AsyncGenerator<Buffer>, sha256: string): AsyncGenerator<Buffer> {
  const digest = createHash('sha256')
  let held: Buffer | null = null
  for await (const piece of pieces) {
    digest.update(piece)
    if (held) yield held
    held = piece
  }
  if (!timingSafeEqual(digest.digest(), Buffer.from(sha256, 'hex'))) throw new Damaged('digest of the file')
  if (held) yield held
}
