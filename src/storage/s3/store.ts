import { S3Client } from '@aws-sdk/client-s3'
import type { Clock } from '../../clock.ts'
import { requireKey, storageKey } from '../storage.ts'
import type { S3Place } from './address.ts'
import type { Asking, StoreTimes } from './ask.ts'

/** One bucket of a store, and how we talk to it. */
export interface Store {
  client: S3Client
  place: S3Place
  clock: Clock
  times: StoreTimes
  /** Bytes: what is larger goes up in parts of that size. */
  partBytes: number
}

/** The client would warn on the console of what `ask` repeats. */
const silent = { trace() {}, debug() {}, info() {}, warn() {}, error() {} }

/** Of our objects' names: what others put beside them is never taken for ours, and so never swept. */
const ending = '.sealed'

/** Nothing is asked of the store yet. */
export function createClient({ endpoint, region, forcePathStyle }: S3Place, { connectMs }: StoreTimes): S3Client {
  return new S3Client({
    ...(endpoint !== null && { endpoint }),
    ...(region !== null && { region }),
    forcePathStyle,
    logger: silent,
    // `ask` repeats: the client cannot send a stream twice, and knows of no time for all attempts together.
    maxAttempts: 1,
    // Other stores than AWS stumble over checksums that come behind the body.
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      // None for what stands still, which would end a reader who takes his time: `ask` and `read.ts` see to it.
      connectionTimeout: connectMs,
      // As many as there are files under way, which admission bounds: one that waits for a socket would seem to stall.
      httpAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
      httpsAgent: { keepAlive: true, maxSockets: Number.POSITIVE_INFINITY },
    },
  })
}

export function objectOf({ place }: Store, key: string): { Bucket: string; Key: string } {
  return { Bucket: place.bucket, Key: place.prefix + requireKey(key) + ending }
}

/** Null: it is none of ours. */
export function keyOf({ place }: Store, objectKey: string | undefined): string | null {
  if (!objectKey?.startsWith(place.prefix) || !objectKey.endsWith(ending)) return null
  const key = objectKey.slice(place.prefix.length, -ending.length)
  return storageKey.test(key) ? key : null
}

/** An operation that begins now. `bytes`: how much it has to move. */
export function begin(store: Store, { bytes = 0, ms = store.times.budgetMs } = {}): Asking {
  const { clock, times } = store
  return { clock, times, until: clock.now().getTime() + ms + (bytes * 1000) / times.leastBytesPerSecond }
}

/** What the store is to do to each object, as fields of a request. */
export function encryptionFields({ place: { encryption } }: Store) {
  if (encryption === null) return {}
  if (encryption.kind === 'AES256') return { ServerSideEncryption: 'AES256' as const }
  const key = encryption.keyId === null ? {} : { SSEKMSKeyId: encryption.keyId }
  return { ServerSideEncryption: 'aws:kms' as const, ...key }
}

export function lockFields({ place: { objectLock }, clock }: Store): {
  ObjectLockMode?: 'GOVERNANCE' | 'COMPLIANCE'
  ObjectLockRetainUntilDate?: Date
} {
  if (objectLock === null) return {}
  const { mode, days } = objectLock
  return {
    ObjectLockMode: mode,
    ObjectLockRetainUntilDate: new Date(clock.now().getTime() + days * 24 * 60 * 60 * 1000),
  }
}
