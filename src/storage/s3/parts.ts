import { Readable } from 'node:stream'
import {
  AbortMultipartUploadCommand,
  type CompletedPart,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  type CreateMultipartUploadCommandInput,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import type { SealedFile } from '../storage.ts'
import { type Asking, ask } from './ask.ts'
import { StrangeAnswer, statusOf } from './faults.ts'
import type { Features } from './features.ts'
import { readPiece } from './piece.ts'
import { begin, type Store } from './store.ts'

/** Parts of one file on their way at once. */
const atOnce = 3
/** S3 takes no more of them. */
const mostParts = 10_000
const mebibyte = 1024 * 1024

export interface LargeFile {
  file: SealedFile
  fields: CreateMultipartUploadCommandInput & { Bucket: string; Key: string }
  /** Whether the object is there, as we put it. */
  isOurs(): Promise<boolean>
  features: Features
}

/** Parts are read from the disk as they go: memory is that of a few chunks. On failure the upload is given up. */
export async function uploadInParts(store: Store, { file, fields, isOurs, features }: LargeFile, asking: Asking) {
  const { client } = store
  const { Bucket, Key } = fields
  const checked = features.sha256 ? { ChecksumAlgorithm: 'SHA256' as const } : {}
  const { UploadId } = await ask(asking, ({ signal }) =>
    client.send(new CreateMultipartUploadCommand({ ...fields, ...checked }), { abortSignal: signal }),
  )
  if (!UploadId) throw new StrangeAnswer('an upload was begun without an id')
  const upload = { Bucket, Key, UploadId }
  try {
    const Parts = await inTurns(sizesOf(file.sealedSize, store.partBytes), asking, async (part, within) => {
      const piece = await readPiece(file.path, part.start, part.length, features.sha256)
      const sha256 = piece.sha256 === null ? {} : { ChecksumSHA256: piece.sha256 }
      return ask(within, async ({ signal, alive }) => {
        const Body = piece.body(alive)
        const numbered = { ...upload, PartNumber: part.number }
        const command = { ...numbered, Body, ContentLength: piece.length, ContentMD5: piece.md5, ...checked, ...sha256 }
        try {
          const { ETag } = await client.send(new UploadPartCommand(command), { abortSignal: signal })
          if (!ETag) throw new StrangeAnswer('a part was answered without an ETag')
          return { PartNumber: part.number, ETag, ...sha256 }
        } finally {
          if (Body instanceof Readable) Body.destroy()
        }
      })
    })
    // To join thousands of parts takes a store its time, and it says nothing meanwhile.
    const patient = { ...asking, times: { idleMs: asking.times.idleMs * 3 } }
    await ask(patient, ({ signal }) =>
      client.send(new CompleteMultipartUploadCommand({ ...upload, MultipartUpload: { Parts } }), {
        abortSignal: signal,
      }),
    ).catch((error: unknown) => {
      // Perhaps an attempt before has ended it, and its answer was lost: the object will tell.
      if (statusOf(error) !== 404) throw error
    })
    if (!(await isOurs())) throw new StrangeAnswer('what was put in parts is not there as it was put')
  } catch (error) {
    await ask(begin(store, { ms: store.times.checkMs }), ({ signal }) =>
      client.send(new AbortMultipartUploadCommand(upload), { abortSignal: signal }),
    ).catch(() => {
      // What is left of it the sweep gives up.
    })
    throw error
  }
}

interface Part {
  number: number
  start: number
  length: number
}

function sizesOf(size: number, partBytes: number): Part[] {
  const each = size > partBytes * mostParts ? Math.ceil(size / mostParts / mebibyte) * mebibyte : partBytes
  return Array.from({ length: Math.ceil(size / each) }, (_, at) => ({
    number: at + 1,
    start: at * each,
    length: Math.min(each, size - at * each),
  }))
}

/** A few at once, in order. The first that fails ends the others, and all have ended when this does. */
async function inTurns(
  parts: Part[],
  asking: Asking,
  work: (part: Part, asking: Asking) => Promise<CompletedPart>,
): Promise<CompletedPart[]> {
  const failed = new AbortController()
  const failures: unknown[] = []
  const done: CompletedPart[] = []
  let next = 0
  const turn = async () => {
    for (let part = parts[next++]; part && !failed.signal.aborted; part = parts[next++])
      done[part.number - 1] = await work(part, { ...asking, signal: failed.signal })
  }
  const turns = Array.from({ length: atOnce }, () =>
    turn().catch((error: unknown) => {
      failures.push(error)
      failed.abort()
    }),
  )
  await Promise.all(turns)
  if (failures.length > 0) throw failures[0]
  return done
}
