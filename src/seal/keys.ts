import { createCipheriv, createDecipheriv, createHash, createHmac, randomBytes } from 'node:crypto'
import { Damaged, Unavailable } from '../errors.ts'
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

/** A ring whose keys may become more while it is in use, and whose current one may become another. */
export interface LiveKeyRing extends KeyRing {
  /** Adds those that it has not. */
  learn(masterKeys: Buffer[]): void
  /** New files are wrapped with this one from now on. Throws `Error` when it is not here. */
  use(id: string): void
}

const wrapVersion = 1
const nonceBytes = 12
const tagBytes = 16

/** The last key given is the current one; the others open what was wrapped before. */
export function keyRing(masterKeys: Buffer[]): LiveKeyRing {
  const byId = new Map(masterKeys.map((key) => [masterKeyId(key), key]))
  const last = masterKeys.at(-1)
  if (!last) throw new Error('a key ring without a key')
  let currentId = masterKeyId(last)
  return {
    get currentId() {
      return currentId
    },
    get ids() {
      return [...byId.keys()]
    },
    learn(more) {
      for (const key of more) byId.set(masterKeyId(key), key)
    },
    use(id) {
      if (!byId.has(id)) throw new Error(`master key ${id} is not here`)
      currentId = id
    },
    newDataKey: () => randomBytes(dataKeyBytes),
    digests(secret) {
      const { [currentId]: current, ...others } = Object.fromEntries(byId)
      return [current!, ...Object.values(others).reverse()].map((key) =>
        createHmac('sha256', key).update('clipgate secret').update(secret).digest('hex'),
      )
    },
    wrap(dataKey, attachmentId) {
      const nonce = randomBytes(nonceBytes)
      const cipher = createCipheriv('aes-256-gcm', byId.get(currentId)!, nonce, { authTagLength: tagBytes })
      cipher.setAAD(wrapContext(attachmentId, currentId))
      const sealed = Buffer.concat([cipher.update(dataKey), cipher.final()])
      return {
        masterKeyId: currentId,
        wrapped: Buffer.concat([Buffer.from([wrapVersion]), nonce, sealed, cipher.getAuthTag()]),
      }
    },
    unwrap({ masterKeyId: id, wrapped }, attachmentId) {
      const key = byId.get(id)
      if (!key) throw new Unavailable(`master key ${id} is not here`)
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
export function masterKeyId(key: Buffer): string {
  return `mk_${createHash('sha256').update('clipgate master key id').update(key).digest('hex').slice(0, 16)}`
}
