import { describe } from 'vitest'
import { startFakeS3 } from '../storage/fakeS3.ts'
import { addressOf, openedS3, useCredentials } from '../storage/opened.ts'
import { storageContract } from './storage.ts'

useCredentials({ accessKeyId: 'test-key', secretAccessKey: 'test-secret' })

/** The store that the tests of faults lean on. */
describe('the S3 store of the tests', () => {
  const open = async (settings: Parameters<typeof startFakeS3>[0] = {}) =>
    openedS3(addressOf((await startFakeS3(settings)).endpoint, 'bucket'))
  storageContract('an S3 store with all that we use', () => open())
  storageContract('an S3 store that lacks what it may lack', () => open({ conditional: false, sha256: false }))
  storageContract('an S3 store that keeps versions', () => open({ versions: 'kept' }))
})
