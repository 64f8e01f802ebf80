import { systemClock } from '../clock.ts'
import type { Config } from '../config.ts'
import { dataPaths } from '../installation.ts'
import type { Features } from '../storage/s3/features.ts'
import type { Find } from './finding.ts'

/** Where sealed files go, what that store does, and whether it lets us write now. */
export async function examineStorage({ storage, dataDir }: Config, find: Find): Promise<void> {
  const { objects, spool } = dataPaths(dataDir)
  if (storage.kind === 'fs') return find('storage', 'ok', `files in ${objects}`)
  const { s3Storage } = await import('../storage/s3/s3.ts')
  const store = s3Storage(storage, spool, { clock: systemClock })
  const where = `s3://${storage.bucket}/${storage.prefix} at ${storage.endpoint ?? 'AWS'}`
  try {
    const features = await store.features()
    find('storage', 'ok', `${where} was written: ${abilities(features)}`)
    if (storage.objectLock)
      find(
        'storage',
        'warning',
        `what is erased stays for up to ${storage.objectLock.days} days, unreadable without its key: the lock keeps it`,
      )
    else if (features.removed === 'kept')
      find(
        'storage',
        'warning',
        'what is removed stays as an older version, which we may not remove: allow s3:DeleteObjectVersion, or set a rule that does it',
      )
  } catch (error) {
    const { message, cause } = error as Error
    find('storage', 'failed', `${where}: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`)
  } finally {
    await store.close()
  }
}

function abilities({ conditional, sha256 }: Features): string {
  const writes = conditional ? 'it has conditional writes' : 'it has no conditional writes'
  return `${writes}, and ${sha256 ? 'refuses bytes of another SHA-256' : 'checks MD5 and no SHA-256'}`
}
