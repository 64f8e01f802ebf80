import { randomUUID } from 'node:crypto'
import { Readable } from 'node:stream'
import { HeadObjectCommand, PutObjectCommand, PutObjectRetentionCommand } from '@aws-sdk/client-s3'
import type { SealedFile } from '../storage.ts'
import { type Asking, ask } from './ask.ts'
import { StrangeAnswer, statusOf } from './faults.ts'
import type { Features } from './features.ts'
import { uploadInParts } from './parts.ts'
import { readPiece } from './piece.ts'
import { begin, encryptionFields, lockFields, objectOf, type Store } from './store.ts'

/** Resolves once the store has said that it has the whole file. The file stays. */
export async function upload(store: Store, key: string, file: SealedFile, features: Features): Promise<void> {
  const asking = begin(store, { bytes: file.sealedSize })
  // By it we know again what we put, when the answer to that was lost.
  const id = randomUUID()
  const isOurs = () => isThere(store, key, { id, size: file.sealedSize }, asking)
  const fields = { ...objectOf(store, key), ...encryptionFields(store), ...lockFields(store), Metadata: { upload: id } }
  if (file.sealedSize > store.partBytes) {
    await uploadInParts(store, { file, fields, isOurs, features }, asking)
    return
  }
  const piece = await readPiece(file.path, 0, file.sealedSize, features.sha256)
  await ask(asking, async ({ signal, alive }) => {
    const body = piece.body(alive)
    const put = new PutObjectCommand({
      ...fields,
      Body: body,
      ContentLength: piece.length,
      ContentMD5: piece.md5,
      ...(piece.sha256 !== null && { ChecksumAlgorithm: 'SHA256', ChecksumSHA256: piece.sha256 }),
      ...(features.conditional && { IfNoneMatch: '*' }),
    })
    try {
      const { ETag } = await store.client.send(put, { abortSignal: signal })
      if (!ETag) throw new StrangeAnswer('a put was answered without an ETag')
    } catch (error) {
      // No key is written twice, so it is most likely what an attempt before has put, whose answer was lost.
      if (statusOf(error) === 412 && (await isOurs())) return
      throw error
    } finally {
      if (body instanceof Readable) body.destroy()
    }
  })
}

/** Whether the object under `key` is what the upload `id` has put, whole. It is locked afterwards, if it is to be. */
async function isThere(store: Store, key: string, { id, size }: { id: string; size: number }, asking: Asking) {
  const object = objectOf(store, key)
  const { Metadata, ContentLength, ObjectLockMode } = await ask(asking, ({ signal }) =>
    store.client.send(new HeadObjectCommand(object), { abortSignal: signal }),
  )
  if (Metadata?.upload !== id || ContentLength !== size) return false
  const { ObjectLockMode: Mode, ObjectLockRetainUntilDate: RetainUntilDate } = lockFields(store)
  // Ceph 16 forgets the lock of what comes in parts.
  if (Mode && !ObjectLockMode)
    await ask(asking, ({ signal }) =>
      store.client.send(new PutObjectRetentionCommand({ ...object, Retention: { Mode, RetainUntilDate } }), {
        abortSignal: signal,
      }),
    )
  return true
}
