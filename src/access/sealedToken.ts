import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { Damaged } from '../errors.ts'
import type { KeyRing } from '../seal/keys.ts'

const nonceBytes = 12
const tagBytes = 16
/** Of a data key that is wrapped: version, nonce, sealed key, tag. */
const wrappedBytes = 61

/** A secret that must be read again, under a data key of its own, which a master key wraps for `owner` alone. */
export function sealToken(token: string, owner: string, keys: KeyRing): { masterKeyId: string; sealed: Buffer } {
  const dataKey = keys.newDataKey()
  const { masterKeyId, wrapped } = keys.wrap(dataKey, owner)
  const nonce = randomBytes(nonceBytes)
  const cipher = createCipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: tagBytes })
  const sealed = Buffer.concat([cipher.update(token, 'utf8'), cipher.final()])
  return { masterKeyId, sealed: Buffer.concat([wrapped, nonce, sealed, cipher.getAuthTag()]) }
}

/** Throws `Damaged` if it was sealed for another owner or changed, `Unavailable` if its master key is not here. */
export function unsealToken(sealed: Uint8Array, masterKeyId: string, owner: string, keys: KeyRing): string {
  if (sealed.length < wrappedBytes + nonceBytes + tagBytes) throw new Damaged('sealed token')
  const dataKey = keys.unwrap({ masterKeyId, wrapped: sealed.subarray(0, wrappedBytes) }, owner)
  const nonce = sealed.subarray(wrappedBytes, wrappedBytes + nonceBytes)
  const decipher = createDecipheriv('aes-256-gcm', dataKey, nonce, { authTagLength: tagBytes })
  decipher.setAuthTag(sealed.subarray(-tagBytes))
  try {
    const body = sealed.subarray(wrappedBytes + nonceBytes, -tagBytes)
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
  } catch (cause) {
    throw new Damaged('sealed token', { cause })
  }
}
