import { randomBytes } from 'node:crypto'

/** Message ids are 32 hex digits, not UUIDs, in every live payload seen. */
export function newMessageId(): string {
  return randomBytes(16).toString('hex')
}

/** 16 hex digits: the form of guest addresses and of download ids in the payloads seen; both are opaque to callers. */
export function newOpaqueId(): string {
  return randomBytes(8).toString('hex')
}
