import type { Scope } from '../config/kinds.ts'
import { Forbidden, Unauthorized } from '../errors.ts'
import type { SessionRole } from '../records/questions/sessions.ts'
import type { Asker } from './asker.ts'
import { readCookie } from './cookie.ts'
import type { Credentials } from './credentials.ts'
import { requireOwnPage } from './ownPages.ts'
import type { Participation } from './participation.ts'
import { type Session, type Sessions, whoOf } from './sessions.ts'
import type { Verifier } from './verify.ts'

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

export interface Viewers {
  /**
   * `watches`: it is asked for by a page that stands open, which is no use of a session. Throws `Unauthorized` for no or wrong
   * credentials, `Forbidden` for valid ones that may not do this.
   */
  require(asker: Asker, scope: Scope, watches?: 'watches'): Promise<Viewer>
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

/** A person, and the session that they have. */
export interface SignedIn {
  viewer: Viewer
  session: Session
}

export interface PeopleViewers extends Viewers {
  /**
   * Who comes with a session, verified. Null: nobody does. Throws `Unauthorized` for one that has ended, `Forbidden` for what a page
   * of another site has asked for, `Unavailable` when who they are cannot be known now.
   */
  signedIn(asker: Asker): Promise<SignedIn | null>
  /** What this session's person is shown. */
  of(session: Session): Viewer
}

const scopesOf: Record<SessionRole, readonly Scope[]> = {
  agent: ['read'],
  reader: ['read'],
  admin: ['read', 'admin'],
}

/** API keys, and people. Whoever sends an `Authorization` header is no person: then the cookie does not count. */
export function createViewers(parts: {
  credentials: Credentials
  sessions: Pick<Sessions, 'find'>
  verifier: Pick<Verifier, 'verify'>
  /** Null: agents do not sign in here. */
  participation: Participation | null
  /** Who of those who are not admins is given files as they came. */
  originals: 'admins' | 'everyone'
  publicUrl(): string
}): PeopleViewers {
  const { credentials, sessions, verifier, participation, originals, publicUrl } = parts
  const byKey = apiKeyViewers(credentials)

  function viewerOf(session: Session): Viewer {
    const seesAll = session.role !== 'agent'
    return {
      who: whoOf(session),
      session: { id: session.id },
      scopes: scopesOf[session.role],
      seesAll,
      mayOriginals: session.role === 'admin' || originals === 'everyone',
      async sees(conversationId) {
        if (seesAll) return true
        if (conversationId === null || participation === null) return false
        return participation.takesPart(session, conversationId)
      },
    }
  }

  async function signedIn(asker: Asker, watches?: 'watches'): Promise<SignedIn | null> {
    const secret = asker.headers.authorization === undefined ? readCookie(asker.headers) : null
    if (secret === null) return null
    requireOwnPage(asker, publicUrl())
    const found = await sessions.find(secret)
    if (!found) throw new Unauthorized('The session has ended. Sign in again.')
    const session = await verifier.verify(found, watches === undefined)
    return { session, viewer: viewerOf(session) }
  }

  return {
    signedIn: (asker) => signedIn(asker),
    of: viewerOf,
    async require(asker, scope, watches) {
      const { viewer } = (await signedIn(asker, watches)) ?? {}
      if (!viewer) return byKey.require(asker, scope)
      if (!viewer.scopes.includes(scope)) throw new Forbidden(`This person has not the scope ${scope}.`, viewer.who)
      return viewer
    },
  }
}
