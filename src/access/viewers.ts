import type { IncomingHttpHeaders } from 'node:http'
import type { Scope } from '../config/kinds.ts'
import type { Credentials } from './credentials.ts'

/** Who asks over HTTP, and what is shown to them. */
export interface Viewer {
  /** For the audit trail: a key's name, or a person. */
  who: string
  /** Null: by an API key. */
  session: { id: string } | null
  scopes: readonly Scope[]
  /** Whether every conversation's files are shown, and those of none. */
  seesAll: boolean
  /** Whether files are given as they came, and not only their safe copies. */
  mayOriginals: boolean
  /** Whether this conversation's files are shown. Throws `Unavailable` when that cannot be known now. */
  sees(conversationId: string | null): Promise<boolean>
}

/** What of a request says who asks. */
export interface Asker {
  method: string
  headers: IncomingHttpHeaders
}

export interface Viewers {
  /** Throws `Unauthorized` for no or wrong credentials, `Forbidden` for valid ones that may not do this. */
  require(asker: Asker, scope: Scope): Promise<Viewer>
}

/** By API keys alone: who has the scope sees all. */
export function apiKeyViewers(credentials: Credentials): Viewers {
  return {
    async require({ headers }, scope) {
      const who = credentials.require(headers.authorization, scope)
      return { who, session: null, scopes: [scope], seesAll: true, mayOriginals: true, sees: async () => true }
    },
  }
}
