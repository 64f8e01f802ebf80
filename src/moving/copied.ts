import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { open, rename, rm } from 'node:fs/promises'

/** What a file is known again by. */
export interface Fingerprint {
  /** Bytes of the file as it lies there: of a sealed one, sealed. */
  bytes: number
  /** In lower-case hex, of the same bytes. */
  sha256: string
}

/**
 * Writes bytes to a file of mode 0600. It takes its name when its bytes would survive a crash: what has the name is whole. The
 * folder is not synced. On failure nothing of it is left. The bytes are asked for when there is somebody to read them: a stream
 * that fails before that would end the process.
 */
export async function writeWhole(
  path: string,
  source: () => AsyncIterable<Uint8Array> | Promise<AsyncIterable<Uint8Array>>,
): Promise<Fingerprint> {
  const unnamed = `${path}.unnamed`
  const digest = createHash('sha256')
  let bytes = 0
  try {
    const file = await open(unnamed, 'w', 0o600)
    try {
      for await (const chunk of await source()) {
        digest.update(chunk)
        bytes += chunk.length
        await file.writeFile(chunk)
      }
      await file.datasync()
    } finally {
      await file.close()
    }
    await rename(unnamed, path)
  } catch (error) {
    await rm(unnamed, { force: true })
    throw error
  }
  return { bytes, sha256: digest.digest('hex') }
}

/** Null: there is no such file. */
export async function fingerprintOf(path: string): Promise<Fingerprint | null> {
  try {
    return await fingerprintOfAll(createReadStream(path, { highWaterMark: 256 * 1024 }))
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw error
  }
}

export async function fingerprintOfAll(chunks: AsyncIterable<Uint8Array>): Promise<Fingerprint> {
  const digest = createHash('sha256')
  let bytes = 0
  for await (const chunk of chunks) {
    digest.update(chunk)
    bytes += chunk.length
  }
  return { bytes, sha256: digest.digest('hex') }
}

export function isSame(one: Fingerprint | null, other: Fingerprint): boolean {
  return one !== null && one.bytes === other.bytes && one.sha256 === other.sha256
}
