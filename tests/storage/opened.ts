import { randomUUID } from 'node:crypto'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { CreateBucketCommand, S3Client } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'
import { systemClock } from '../../src/clock.ts'
import { readS3Address } from '../../src/storage/s3/address.ts'
import { type S3Options, s3Storage } from '../../src/storage/s3/s3.ts'
import type { RealS3 } from './programs.ts'

/** As an operator's environment gives them. */
export function useCredentials({
  accessKeyId,
  secretAccessKey,
}: Pick<RealS3, 'accessKeyId' | 'secretAccessKey'>): void {
  Object.assign(process.env, {
    AWS_ACCESS_KEY_ID: accessKeyId,
    AWS_SECRET_ACCESS_KEY: secretAccessKey,
    AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED: 'true',
  })
}

/** `s3://…` of a bucket there; `more`: further parameters. */
export function addressOf(endpoint: string, bucket: string, more = ''): string {
  return `s3://${bucket}/clipgate?endpoint=${encodeURIComponent(endpoint)}&forcePathStyle=true${more}`
}

/** A storage in that bucket, with a spool of its own beside it. */
export async function openedS3(address: string, options: Partial<S3Options> = {}) {
  const spool = await mkdtemp(join(tmpdir(), 'clipgate-test-'))
  const storage = s3Storage(readS3Address(address), spool, { clock: systemClock, ...options })
  return {
    storage,
    spool,
    async sealedFile(bytes: Uint8Array) {
      await mkdir(spool, { recursive: true })
      const path = join(spool, randomUUID())
      await writeFile(path, bytes, { mode: 0o600 })
      return { path, sealedSize: bytes.length }
    },
    async close() {
      await storage.close()
      await rm(spool, { recursive: true, force: true })
    },
  }
}

/** A server for the tests of a file, and a fresh bucket for each who asks. */
export function s3ForThisFile(startServer: () => Promise<RealS3>) {
  let server: RealS3
  let client: S3Client
  beforeAll(async () => {
    server = await startServer()
    useCredentials(server)
    client = new S3Client({ endpoint: server.endpoint, region: 'us-east-1', forcePathStyle: true })
  }, 180_000)
  afterAll(async () => {
    client?.destroy()
    await server?.close()
  })
  return {
    client: () => client,
    /** The address of a bucket of its own. */
    async bucket(more = '', create: { ObjectLockEnabledForBucket?: boolean } = {}) {
      const bucket = `test-${randomUUID()}`
      await client.send(new CreateBucketCommand({ Bucket: bucket, ...create }))
      return { bucket, address: addressOf(server.endpoint, bucket, more) }
    },
  }
}
