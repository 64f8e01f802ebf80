import type { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput, ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { ByteRange } from '../../seal/unseal.ts'
import type { StoredObject } from '../storage.ts'
import { ask } from './ask.ts'
import { Stalled, StrangeAnswer, statusOf, toError } from './faults.ts'
import { begin, keyOf, objectOf, type Store } from './store.ts'

/** Resolves once the store has begun to answer. */
export async function openObject(store: Store, key: string, range?: ByteRange): Promise<AsyncIterable<Uint8Array>> {
  const Range = range && `bytes=${range.start}-${range.end}`
  const get = new GetObjectCommand({ ...objectOf(store, key), ...(Range && { Range }) })
  try {
    const answer = await ask(begin(store), async ({ signal }) => {
      const got = await store.client.send(get, { abortSignal: signal })
      requireAsked(got, range)
      return got
    })
    return bodyOf(answer, store.times.idleMs)
  } catch (error) {
    // The object is there, and ends before the range begins.
    if (range && statusOf(error) === 416) return nothing()
    throw error
  }
}

/** That the answer is that part of the object, and says how long it is. */
function requireAsked(got: GetObjectCommandOutput, range: ByteRange | undefined): void {
  const [, start, end] = /^bytes (\d+)-(\d+)\//.exec(got.ContentRange ?? '') ?? []
  const isAsked = range
    ? Number(start) === range.start && Number(end) <= range.end && got.ContentLength === Number(end) - Number(start) + 1
    : got.ContentRange === undefined && got.ContentLength !== undefined
  if (isAsked) return
  ;(got.Body as Readable | undefined)?.destroy()
  throw new StrangeAnswer('another part of an object was given than was asked for')
}

/** Throws when bytes stop coming, and when fewer came than were said to: never ends early by itself. */
async function* bodyOf({ Body, ContentLength }: GetObjectCommandOutput, idleMs: number): AsyncGenerator<Uint8Array> {
  const body = Body as Readable
  const chunks = body[Symbol.asyncIterator]()
  let left = ContentLength ?? 0
  try {
    for (;;) {
      // Only while we wait for the store: a reader may take its time.
      const idle = setTimeout(() => body.destroy(new Stalled(`nothing came for ${idleMs} ms`)), idleMs)
      const next = await chunks.next().finally(() => clearTimeout(idle))
      if (next.done) break
      left -= next.value.length
      yield next.value
    }
    if (left !== 0) throw new StrangeAnswer(`${left} bytes of an object did not come`)
  } catch (error) {
    throw toError('storage cannot read a file to its end', error)
  } finally {
    body.destroy()
  }
}

async function* nothing(): AsyncGenerator<Uint8Array> {}

/** Page by page; what is not named by a key of ours is left out. */
export async function* listObjects(store: Store): AsyncGenerator<StoredObject> {
  const { client, place } = store
  let ContinuationToken: string | undefined
  do {
    const list = new ListObjectsV2Command({
      Bucket: place.bucket,
      ...(place.prefix !== '' && { Prefix: place.prefix }),
      ...(ContinuationToken !== undefined && { ContinuationToken }),
    })
    const page = await ask(begin(store), ({ signal }) => client.send(list, { abortSignal: signal }))
    for (const { Key, LastModified } of page.Contents ?? []) {
      const key = keyOf(store, Key)
      if (key !== null && LastModified) yield { key, storedAt: LastModified }
    }
    if (page.IsTruncated && !page.NextContinuationToken)
      throw new StrangeAnswer('a list goes on, and does not say where')
    ContinuationToken = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (ContinuationToken !== undefined)
}
