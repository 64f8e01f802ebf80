import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes, randomUUID } from 'node:crypto'
import { link, open, readFile, rm, stat } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../durable.ts'
import { ConfigError, Damaged, Unavailable } from '../errors.ts'
import { dataKeyBytes } from './format.ts'

/** A file's data key under a master key. Kept in a table of its own, never beside the sealed bytes. */
export interface WrappedKey {
  masterKeyId: string
  /** Version, nonce, sealed data key, tag. */
  wrapped: Uint8Array
}

/** Holds the master keys. Data keys come from here and go back wrapped; master keys never leave. */
export interface KeyRing {
  /** The master key that new files are wrapped with. */
  readonly currentId: string
  readonly ids: string[]
  newDataKey(): Buffer
  /**
   * Digests of a secret that is not to be kept, in hex: one under each master key, the current one's first. Who has the
   * records without the keys cannot try guesses against them.
   */
  digests(secret: string): string[]
  wrap(dataKey: Uint8Array, attachmentId: string): WrappedKey
  /** Throws `Damaged` if it was wrapped for another attachment or changed, `Unavailable` if its master key is not here. */
  unwrap(key: WrappedKey, attachmentId: string): Buffer
}

const wrapVersion = 1
const nonceBytes = 12
const tagBytes = 16

/** The last key given is the current one; the others open what was wrapped before. */
export function keyRing(masterKeys: Buffer[]): KeyRing {
  const byId = new Map(masterKeys.map((key) => [masterKeyId(key), key]))
  const current = masterKeys.at(-1)
  if (!current) throw new Error('a key ring without a key')
  const currentId = masterKeyId(current)
  return {
    currentId,
    ids: [...byId.keys()],
    newDataKey: () => randomBytes(dataKeyBytes),
    digests: (secret) =>
      [...byId.values()]
        .reverse()
        .map((key) => createHmac('sha256', key).update('clipgate secret').update(secret).digest('hex')),
    wrap(dataKey, attachmentId) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', current, nonce, { authTagLength: tagBytes })
      cipher.setAAD(wrapContext(attachmentId, currentId))
      const sealed = Buffer.concat([cipher.update(dataKey), cipher.final()])
      return {
        masterKeyId: currentId,
        wrapped: Buffer.concat([Buffer.from([wrapVersion]), nonce, sealed, cipher.getAuthTag()]),
      }
    },
    unwrap({ masterKeyId: id, wrapped }, attachmentId) {
      const key = byId.get(id)
      if (!key) throw new Unavailable(`master key ${id} is not in the key file`)
      if (wrapped.length !== 1 + nonceBytes + dataKeyBytes + tagBytes || wrapped[0] !== wrapVersion)
        throw new Damaged('wrapped key')
      const decipher = createDecipheriv('aes-256-gcm', key, wrapped.subarray(1, 1 + nonceBytes), {
        authTagLength: tagBytes,
      })
      decipher.setAAD(wrapContext(attachmentId, id))
      decipher.setAuthTag(wrapped.subarray(-tagBytes))
      try {
        return Buffer.concat([decipher.update(wrapped.subarray(1 + nonceBytes, -tagBytes)), decipher.final()])
      } catch (cause) {
        throw new Damaged('wrapped key', { cause })
      }
    },
  }
}

function wrapContext(attachmentId: string, keyId: string): Buffer {
  return Buffer.from(JSON.stringify(['clipgate data key', wrapVersion, keyId, attachmentId]))
}

/** Names a master key without telling anything of it. */
function masterKeyId(key: Buffer): string {
  return `mk_${createHash('sha256').update('clipgate master key id').update(key).digest('hex').slice(0, 16)}`
}

/**
 * A key file has one key a line, `<id> <base64 of 32 bytes>`; the last one is current. Lines that begin with # are notes.
 * Throws `ConfigError` when it is unreadable, open to others, or says something else. `null`: there is no such file.
 */
export async function readKeyFile(path: string): Promise<Buffer[] | null> {
  let text: string
  try {
    const { mode, uid } = await stat(path)
    // What root hands to a group, as Kubernetes and systemd hand secrets to a service, is not ours to close.
    const handed = uid === 0 && process.geteuid?.() !== 0
    if ((mode & (handed ? 0o037 : 0o077)) !== 0)
      throw new ConfigError([`The key file ${path} can be read by others. Run: chmod 600 ${path}`])
    text = await readFile(path, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    if (error instanceof ConfigError) throw error
    throw new ConfigError([`The key file ${path} cannot be read: ${(error as Error).message}`])
  }
  const keys = text
    .split('\n')
    .map((line, index) => ({ line: line.trim(), number: index + 1 }))
    .filter(({ line }) => line !== '' && !line.startsWith('#'))
    .map(({ line, number }) => {
      const [id, encoded] = line.split(/\s+/)
      const key = Buffer.from(encoded ?? '', 'base64')
      // What the line says is not told: it may be a key.
      if (key.length !== dataKeyBytes || masterKeyId(key) !== id)
        throw new ConfigError([`The key file ${path} is damaged: line ${number} does not hold a key and its name.`])
      return key
    })
  if (keys.length === 0) throw new ConfigError([`The key file ${path} has no key.`])
  return keys
}

/**
 * Makes a key file with one new key, durable before this resolves. Never replaces a file: throws `ConfigError`. It takes its
 * name only when it is whole: half a key file, left by a process that died, would refuse every start after it.
 */
export async function createKeyFile(path: string): Promise<Buffer[]> {
  const key = randomBytes(dataKeyBytes)
  const lines = `# Clipgate master key. Without it no stored file can be read: keep a copy in a safe place.\n${masterKeyId(key)} ${key.toString('base64')}\n`
  const unnamed = `${path}.${randomUUID()}`
  try {
    try {
      const file = await open(unnamed, 'wx', 0o600)
      try {
        await file.writeFile(lines)
        await file.sync()
      } finally {
        await file.close()
      }
      await link(unnamed, path)
    } finally {
      await rm(unnamed, { force: true })
    }
    await syncFolder(dirname(path))
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code
    throw new ConfigError([
      code === 'EEXIST'
        ? `${path} exists already and is left as it is.`
        : `${path} cannot be written: ${(error as Error).message}`,
    ])
  }
  return [key]
}
