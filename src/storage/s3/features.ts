import { createHash, randomUUID } from 'node:crypto'
import { PutObjectCommand, type PutObjectCommandInput } from '@aws-sdk/client-s3'
import type { Removed } from '../storage.ts'
import { ask } from './ask.ts'
import { statusOf } from './faults.ts'
import { removeObject } from './remove.ts'
import { begin, encryptionFields, type Store } from './store.ts'

/** What a store was seen to do. */
export interface Features {
  /** It refuses to write a key a second time, when asked to. */
  conditional: boolean
  /** It refuses bytes that have not the SHA-256 that they came with. */
  sha256: boolean
  /** What is removed becomes an older version, which is to be removed as well. */
  versioned: boolean
  /** What became of the probes when they were removed. */
  removed: Removed
}

const body = Buffer.from('probe')
const digest = (name: string, bytes: Buffer) => createHash(name).update(bytes).digest('base64')

/** Puts small objects, right and wrong ones, looks at the answers, and removes them: proves too that we may write. */
export async function probeFeatures(store: Store): Promise<Features> {
  const object = { Bucket: store.place.bucket, Key: `${store.place.prefix}.probe-${randomUUID()}` }
  const asking = begin(store, { ms: store.times.checkMs })
  let versioned = false
  /** The status with which it was refused, or 200. Throws what says nothing of the feature. */
  const put = (fields: Partial<PutObjectCommandInput>) =>
    ask(asking, async ({ signal }) => {
      const base = { ...object, ...encryptionFields(store), Body: body, ContentMD5: digest('md5', body) }
      try {
        const { VersionId } = await store.client.send(new PutObjectCommand({ ...base, ...fields }), {
          abortSignal: signal,
        })
        versioned ||= VersionId !== undefined && VersionId !== 'null'
        return 200
      } catch (error) {
        const status = statusOf(error)
        if (status !== undefined && [400, 412, 422, 501].includes(status) && Object.keys(fields).length > 0)
          return status
        throw error
      }
    })
  const ofSha256 = (bytes: Buffer) =>
    ({ ChecksumAlgorithm: 'SHA256', ChecksumSHA256: digest('sha256', bytes) }) as const

  let seen: Pick<Features, 'conditional' | 'sha256'>
  let removed: Removed
  await put({})
  try {
    const conditional = (await put({ IfNoneMatch: '*' })) === 412
    const enforced = (await put(ofSha256(Buffer.from('another')))) !== 200
    // One that refuses the right one too does not know it.
    seen = { conditional, sha256: enforced && (await put(ofSha256(body))) === 200 }
  } finally {
    removed = await removeObject(store, object, asking, versioned)
  }
  return { ...seen, versioned, removed }
}
