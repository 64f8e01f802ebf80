import { randomBytes } from 'node:crypto'
import { onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { type Clock, systemClock } from '../../src/clock.ts'
import type { S3Options } from '../../src/storage/s3/s3.ts'
import type { BucketSettings } from './fakeBucket.ts'
import { startFakeS3 } from './fakeS3.ts'
import { addressOf, openedS3, useCredentials } from './opened.ts'

export const credentials = { accessKeyId: 'test-key-id', secretAccessKey: 'secret-that-nobody-may-see' }

/** Nobody waits before he tries again. */
const atOnce: Clock = { ...systemClock, wait: async () => {} }

/** A storage in a store that fails on command: parts are of 256 KiB, and nothing may stand still for longer than 200 ms. */
export async function started(
  settings: Partial<BucketSettings> = {},
  { more = '', ...options }: Partial<S3Options> & { more?: string } = {},
) {
  useCredentials(credentials)
  const store = await startFakeS3(settings)
  const { storage, spool, sealedFile, close } = await openedS3(addressOf(store.endpoint, 'bucket', more), {
    clock: atOnce,
    partBytes: 256 * 1024,
    ...options,
    times: { idleMs: 200, connectMs: 200, ...options.times },
  })
  onTestFinished(close)
  await storage.features()
  store.requests.splice(0)
  return {
    store,
    storage,
    spool,
    sealedFile,
    /** Takes a file over. */
    async adopt(bytes: Buffer = randomBytes(1000), key: string = newAttachmentId()) {
      const file = await sealedFile(bytes)
      await storage.adopt(key, file)
      return { key, file, bytes }
    },
    async read(key: string, range?: { start: number; end: number }) {
      const chunks: Uint8Array[] = []
      for await (const chunk of await storage.open(key, range)) chunks.push(chunk)
      return Buffer.concat(chunks)
    },
  }
}

export const isPut = ({ method }: { method: string }) => method === 'PUT'
export const isGet = ({ method }: { method: string }) => method === 'GET'
export const isDelete = ({ method }: { method: string }) => method === 'DELETE'
