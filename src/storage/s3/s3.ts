import { unlink } from 'node:fs/promises'
import { AbortMultipartUploadCommand, CreateMultipartUploadCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import type { Clock } from '../../clock.ts'
import type { Storage } from '../storage.ts'
import { requireWritable } from '../writable.ts'
import type { S3Place } from './address.ts'
import { ask, type StoreTimes, storeTimes } from './ask.ts'
import { toError } from './faults.ts'
import { type Features, probeFeatures } from './features.ts'
import { isOwnedBy } from './owner.ts'
import { listObjects, openObject } from './read.ts'
import { abortUploads, removeObject } from './remove.ts'
import { begin, createClient, encryptionFields, objectOf, type Store } from './store.ts'
import { upload } from './upload.ts'

export interface S3Storage extends Storage {
  /** What the store was seen to do; it is probed once. */
  features(): Promise<Features>
}

export interface S3Options {
  clock: Clock
  times?: Partial<StoreTimes>
  partBytes?: number
}

/** What has been written is proof for this long that we may write: readiness is asked often, and a put costs money. */
const writtenServesMs = 60_000

/**
 * Keeps objects in a bucket: one request for a file of up to 8 MiB, parts of 8 MiB of a larger one. Nothing is asked of the
 * store before the first operation.
 */
export function s3Storage(place: S3Place, spoolDir: string, options: S3Options): S3Storage {
  const { clock, partBytes = 8 * 1024 * 1024 } = options
  const times = { ...storeTimes, ...options.times }
  const store: Store = { client: createClient(place, times), place, clock, times, partBytes }
  const running = new Set<Promise<unknown>>()
  let known: Promise<Features> | null = null
  /** Null: not known yet; to remove something nothing need be written first. */
  let versioned: boolean | null = null
  let checking: Promise<void> | null = null
  let writtenAt = Number.NEGATIVE_INFINITY

  const features = () => {
    known ??= probeFeatures(store).then(
      (seen) => {
        writtenAt = clock.now().getTime()
        versioned = seen.versioned
        return seen
      },
      (error: unknown) => {
        known = null
        throw error
      },
    )
    return known
  }
  /** What it throws is one of our errors, and `close` waits for it. */
  const operation = async <T>(what: string, work: () => Promise<T>): Promise<T> => {
    const promise = work()
    running.add(promise)
    try {
      return await promise
    } catch (error) {
      throw toError(what, error)
    } finally {
      running.delete(promise)
    }
  }
  const prove = async () => {
    // Probed just now, which is proof enough.
    if (known === null) return void (await features())
    await proveWrite(store, (await features()).versioned)
    writtenAt = clock.now().getTime()
  }

  return {
    async adopt(key, file) {
      objectOf(store, key)
      await operation('storage cannot keep a file', async () => {
        try {
          await upload(store, key, file, await features())
          writtenAt = clock.now().getTime()
        } catch (error) {
          writtenAt = Number.NEGATIVE_INFINITY
          throw error
        }
        await unlink(file.path)
      })
    },

    async open(key, range) {
      objectOf(store, key)
      return operation('storage cannot open a file', () => openObject(store, key, range))
    },

    async remove(key) {
      const object = objectOf(store, key)
      return operation('storage cannot remove a file', () => removeObject(store, object, begin(store), versioned))
    },

    async *list() {
      try {
        yield* listObjects(store)
      } catch (error) {
        throw toError('storage cannot be listed', error)
      }
    },

    async isOwnedBy(ids) {
      return operation('storage cannot tell whose it is', async () =>
        isOwnedBy(store, ids, (await features()).conditional),
      )
    },

    async removeUnfinished(before) {
      await operation('storage cannot give up unfinished uploads', () => abortUploads(store, before))
    },

    async check() {
      await requireWritable(spoolDir)
      const age = clock.now().getTime() - writtenAt
      if (age >= 0 && age < writtenServesMs) return
      checking ??= operation('storage cannot be written', prove).finally(() => {
        checking = null
      })
      await checking
    },

    async close() {
      await Promise.allSettled(running)
      store.client.destroy()
    },

    features: () => operation('storage cannot be written', features),
  }
}

/** Where the store keeps what is removed, only begins to write: each probe would stay as an older version. */
async function proveWrite(store: Store, versioned: boolean): Promise<void> {
  const { client } = store
  const object = { Bucket: store.place.bucket, Key: `${store.place.prefix}.probe`, ...encryptionFields(store) }
  const asking = begin(store, { ms: store.times.checkMs })
  if (!versioned) {
    await ask(asking, ({ signal }) =>
      client.send(new PutObjectCommand({ ...object, Body: Buffer.from('probe') }), { abortSignal: signal }),
    )
    await removeObject(store, object, asking, false)
    return
  }
  const { UploadId } = await ask(asking, ({ signal }) =>
    client.send(new CreateMultipartUploadCommand(object), { abortSignal: signal }),
  )
  await ask(asking, ({ signal }) =>
    client.send(new AbortMultipartUploadCommand({ ...object, UploadId }), { abortSignal: signal }),
  )
}
