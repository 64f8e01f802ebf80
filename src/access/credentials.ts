import { createHash, timingSafeEqual } from 'node:crypto'
import type { ApiKey, Scope } from '../config/kinds.ts'
import { Forbidden, Unauthorized } from '../errors.ts'

/** Who a request comes from: a key's name, or `anyone` where the door is open. */
export interface Credentials {
  /** Throws `Unauthorized` for no or wrong credentials, `Forbidden` for valid ones that may not do this. */
  require(authorization: string | undefined, scope: Scope): string
}

/** `openPush`: whoever reaches this process may push; wrong credentials are still wrong. */
export function apiKeyCredentials(keys: ApiKey[], openPush: boolean): Credentials {
  return {
    require(authorization, scope) {
      if (authorization === undefined && scope === 'push' && openPush) return 'anyone'
      const secret = /^Bearer ([A-Za-z0-9_-]{20,})$/i.exec(authorization ?? '')?.[1]
      const digest = createHash('sha256')
        .update(secret ?? '')
        .digest()
      // Every key is compared, and by digest, so that the time taken tells nothing.
      const key = keys.filter(({ secretSha256 }) => timingSafeEqual(secretSha256, digest))[0]
      if (secret === undefined || !key) throw new Unauthorized('A valid API key is needed.')
      if (!key.scopes.includes(scope)) throw new Forbidden(`This key has not the scope ${scope}.`, key.name)
      return key.name
    },
  }
}
