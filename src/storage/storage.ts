import type { ByteRange } from '../seal/unseal.ts'

/** A sealed file on the local disk, whole and closed. */
export interface SealedFile {
  path: string
  /** Bytes of the sealed file. */
  sealedSize: number
}

export interface StoredObject {
  key: string
  storedAt: Date
}

/** `kept`: nothing is found under its key any more, but the store is set to keep the bytes, by a lock or as an older version. */
export type Removed = 'removed' | 'kept'

/** What a key looks like: so that nothing of a customer's can ever be one, or part of a path. */
export const storageKey = /^[a-z0-9_]{3,63}[0-9a-hjkmnp-tv-z]$/

/** Throws on what is no key: a fault of ours. */
export function requireKey(key: string): string {
  if (!storageKey.test(key)) throw new Error('not a storage key')
  return key
}

/**
 * Keeps sealed bytes under a key. Knows nothing of attachments, types or customers. Safe for concurrent use.
 * Keys match `storageKey`, end at random, and none is ever written twice.
 * Every operation throws `Unavailable` when the store cannot be reached, written or read.
 */
export interface Storage {
  /**
   * Takes over a sealed file: nothing is left at `file.path`. Resolves once its bytes would survive a crash.
   * A failed `adopt` may leave the file where it was, and an object without a record, which the sweep removes.
   */
  adopt(key: string, file: SealedFile): Promise<void>
  /** Throws `NotFound` if nothing is kept under `key`. A range is inclusive; of one that goes past the end comes what there is. */
  open(key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>>
  /** Resolves once it would not come back after a crash. Removing what is not there is success. */
  remove(key: string): Promise<Removed>
  /** Everything that is kept, in no order; what comes or goes meanwhile may be missed. For the sweep. */
  list(): AsyncIterable<StoredObject>
  /**
   * Whether what is kept here belongs to the installation whose records name these master keys: what it does not know may
   * else be another's. What belongs to nobody yet becomes its own. For the sweep.
   */
  isOwnedBy(masterKeyIds: string[]): Promise<boolean>
  /** Removes what an `adopt` that never ended has left where `list` does not show it, if it began before then. For the sweep. */
  removeUnfinished(before: Date): Promise<void>
  /** Throws `Unavailable` with the reason when a file could not be taken in now. */
  check(): Promise<void>
  /** After what is under way. Nothing may be asked afterwards. */
  close(): Promise<void>
}
