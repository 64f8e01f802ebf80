import { describe, expect, it, onTestFinished } from 'vitest'
import { largeFiles } from '../storage/largeFiles.ts'
import { openedS3, s3ForThisFile } from '../storage/opened.ts'
import { hasSwift, needsSwift, startSwift } from '../storage/swift.ts'
import { storageContract } from './storage.ts'

describe.skipIf(!hasSwift)(needsSwift, () => {
  const { client, bucket } = s3ForThisFile(startSwift)
  const opened = async () => {
    const { bucket: name, address } = await bucket()
    return { bucket: name, ...(await openedS3(address)) }
  }
  storageContract('Swift', opened)
  largeFiles('Swift', client, opened)

  it('is seen to lack conditional writes and SHA-256', async () => {
    const { storage, close } = await opened()
    onTestFinished(close)
    expect(await storage.features()).toMatchObject({ conditional: false, sha256: false })
  })
})
