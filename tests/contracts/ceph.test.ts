import { randomBytes } from 'node:crypto'
import {
  ListObjectsV2Command,
  ListObjectVersionsCommand,
  PutBucketVersioningCommand,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import { NotFound } from '../../src/errors.ts'
import { hasCeph, needsCeph, startCeph } from '../storage/ceph.ts'
import { storageJourney } from '../storage/journey.ts'
import { largeFiles } from '../storage/largeFiles.ts'
import { openedS3, s3ForThisFile } from '../storage/opened.ts'
import { storageContract } from './storage.ts'

describe.skipIf(!hasCeph)(needsCeph, () => {
  const { client, bucket } = s3ForThisFile(startCeph)
  const opened = async (more?: string, create?: { ObjectLockEnabledForBucket: boolean }) => {
    const { bucket: name, address } = await bucket(more, create)
    return { bucket: name, ...(await openedS3(address)) }
  }
  storageContract('Ceph', () => opened())
  largeFiles('Ceph', client, opened)

  storageJourney('Ceph', async () => {
    const { bucket: Bucket, address } = await bucket()
    return {
      address,
      async sealed() {
        const { Contents = [] } = await client().send(new ListObjectsV2Command({ Bucket }))
        return Contents.map(({ Key }) => Key!).filter((key) => key.endsWith('.sealed'))
      },
      putOrphan: async (key) =>
        void (await client().send(new PutObjectCommand({ Bucket, Key: `clipgate/${key}.sealed`, Body: 'x' }))),
    }
  })

  const versionsIn = async (Bucket: string) => {
    const { Versions = [], DeleteMarkers = [] } = await client().send(new ListObjectVersionsCommand({ Bucket }))
    return { bytes: Versions.map(({ Key }) => Key), markers: DeleteMarkers.length }
  }

  it('is seen to have conditional writes', async () => {
    const { storage, close } = await opened()
    onTestFinished(close)
    expect(await storage.features()).toMatchObject({ conditional: true, versioned: false, removed: 'removed' })
  })

  it('a bucket that keeps versions has nothing left of what was removed, nor of what was probed', async () => {
    const { storage, bucket: Bucket, sealedFile, close } = await opened()
    onTestFinished(close)
    await client().send(new PutBucketVersioningCommand({ Bucket, VersioningConfiguration: { Status: 'Enabled' } }))
    const key = newAttachmentId()
    await storage.adopt(key, await sealedFile(randomBytes(100)))
    expect(await storage.features()).toMatchObject({ versioned: true, removed: 'removed' })
    expect(await storage.remove(key)).toBe('removed')
    expect(await versionsIn(Bucket)).toEqual({ bytes: [], markers: 0 })
  })

  it.each([100, 9_000_000])(
    'a lock keeps the %i bytes of what was removed, and nothing is found there',
    async (size) => {
      const lock = '&objectLockMode=GOVERNANCE&objectLockDays=1'
      const { storage, bucket: Bucket, sealedFile, close } = await opened(lock, { ObjectLockEnabledForBucket: true })
      onTestFinished(close)
      const key = newAttachmentId()
      await storage.adopt(key, await sealedFile(randomBytes(size)))
      expect(await storage.remove(key)).toBe('kept')
      await expect(storage.open(key)).rejects.toThrow(NotFound)
      for await (const object of storage.list()) expect(object).toBeNull()
      expect((await versionsIn(Bucket)).bytes).toEqual([`clipgate/${key}.sealed`])
      expect(await storage.remove(key)).toBe('kept')
    },
  )
})
