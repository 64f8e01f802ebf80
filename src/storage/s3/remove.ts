import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectVersionsCommand,
} from '@aws-sdk/client-s3'
import type { Removed } from '../storage.ts'
import { type Asking, ask } from './ask.ts'
import { statusOf } from './faults.ts'
import { begin, keyOf, type Store } from './store.ts'

interface ObjectName {
  Bucket: string
  Key: string
}

/**
 * Removes an object and, where the store keeps such, its older versions. `kept`: it does not let go of those.
 * `versioned`: whether it is known to keep them, or null. Some say nothing of them when a marker hides them already.
 */
export async function removeObject(
  store: Store,
  object: ObjectName,
  asking: Asking,
  versioned: boolean | null,
): Promise<Removed> {
  const marked = await deleted(store, object, asking)
  if (!marked && versioned === false) return 'removed'
  // What of it may not go now stays hidden behind the marker.
  try {
    for (const VersionId of await versionsOf(store, object, asking))
      await deleted(store, { ...object, VersionId }, asking)
    return 'removed'
  } catch (error) {
    const status = statusOf(error)
    // Who does not show versions to us, and set no marker, has none as far as we know.
    if (status === 403 || status === 405 || status === 501) return marked || versioned ? 'kept' : 'removed'
    throw error
  }
}

/** Whether only a marker was set. What is not there is deleted already. */
async function deleted(store: Store, object: ObjectName & { VersionId?: string }, asking: Asking): Promise<boolean> {
  try {
    const { DeleteMarker } = await ask(asking, ({ signal }) =>
      store.client.send(new DeleteObjectCommand(object), { abortSignal: signal }),
    )
    return DeleteMarker === true && object.VersionId === undefined
  } catch (error) {
    if (['NoSuchKey', 'NoSuchVersion'].includes((error as Error).name)) return false
    throw error
  }
}

/** Those with bytes first: a marker goes last, so that nothing comes to light when it is cut short. */
async function versionsOf({ client }: Store, { Bucket, Key }: ObjectName, asking: Asking): Promise<string[]> {
  const page = await ask(asking, ({ signal }) =>
    client.send(new ListObjectVersionsCommand({ Bucket, Prefix: Key }), { abortSignal: signal }),
  )
  const listed = [...(page.Versions ?? []), ...(page.DeleteMarkers ?? [])]
  return listed.flatMap((one) => (one.Key === Key && one.VersionId ? [one.VersionId] : []))
}

/** Gives up uploads of ours in parts that were begun before `before` and never ended. */
export async function abortUploads(store: Store, before: Date): Promise<void> {
  const { client, place } = store
  let marker: { KeyMarker?: string; UploadIdMarker?: string } = {}
  do {
    const asked = { Bucket: place.bucket, ...(place.prefix !== '' && { Prefix: place.prefix }), ...marker }
    const page = await ask(begin(store), ({ signal }) =>
      client.send(new ListMultipartUploadsCommand(asked), { abortSignal: signal }),
    )
    for (const { Key, UploadId, Initiated } of page.Uploads ?? []) {
      if (keyOf(store, Key) === null || !UploadId || !Initiated || Initiated >= before) continue
      const upload = { Bucket: place.bucket, Key, UploadId }
      await ask(begin(store), ({ signal }) =>
        client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal }),
      ).catch((error: unknown) => {
        if (statusOf(error) !== 404) throw error
      })
    }
    const { NextKeyMarker, NextUploadIdMarker } = page
    marker =
      page.IsTruncated && NextKeyMarker
        ? { KeyMarker: NextKeyMarker, ...(NextUploadIdMarker && { UploadIdMarker: NextUploadIdMarker }) }
        : {}
  } while (marker.KeyMarker !== undefined)
}
