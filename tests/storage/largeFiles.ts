import { randomBytes } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { CreateMultipartUploadCommand, ListMultipartUploadsCommand, type S3Client } from '@aws-sdk/client-s3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { newAttachmentId } from '../../src/attachment.ts'
import type { openedS3 } from './opened.ts'

const mebibyte = 1024 * 1024
const anHour = 3_600_000

/** What a store that takes files in parts must do beyond the contract of every storage. */
export function largeFiles(
  name: string,
  client: () => S3Client,
  open: () => Promise<{ bucket: string } & Awaited<ReturnType<typeof openedS3>>>,
): void {
  describe(`a large file in ${name}`, () => {
    it.each([
      ['of one byte less than goes up at once', -1],
      ['of as much as goes up at once', 0],
      ['of one byte more', 1],
      ['of three parts', 13 * mebibyte + 7],
    ])('%s comes back as it was', async (_, more) => {
      const { storage, sealedFile, close } = await open()
      onTestFinished(close)
      const bytes = randomBytes(8 * mebibyte + more)
      const [key, file] = [newAttachmentId(), await sealedFile(bytes)]
      await storage.adopt(key, file)
      await expect(stat(file.path)).rejects.toThrow('ENOENT')
      const chunks: Uint8Array[] = []
      for await (const chunk of await storage.open(key)) chunks.push(chunk)
      expect(Buffer.concat(chunks).equals(bytes)).toBe(true)
    })

    it('or any other may be removed by a process that has put nothing yet', async () => {
      const { storage, close } = await open()
      onTestFinished(close)
      expect(await storage.remove(newAttachmentId())).toBe('removed')
    })

    it('that was never ended is given up when it is old, and no younger one, and none of another program', async () => {
      const { storage, bucket, close } = await open()
      onTestFinished(close)
      for (const key of [`${newAttachmentId()}.sealed`, 'theirs'])
        await client().send(new CreateMultipartUploadCommand({ Bucket: bucket, Key: `clipgate/${key}` }))
      const uploads = async () =>
        (await client().send(new ListMultipartUploadsCommand({ Bucket: bucket }))).Uploads?.map(({ Key }) => Key) ?? []
      await storage.removeUnfinished(new Date(Date.now() - anHour))
      expect(await uploads()).toHaveLength(2)
      await storage.removeUnfinished(new Date(Date.now() + anHour))
      expect(await uploads()).toEqual(['clipgate/theirs'])
    })
  })
}
