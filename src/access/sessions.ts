import { randomBytes } from 'node:crypto'
import type { Clock } from '../clock.ts'
import { Unauthorized, Unavailable } from '../errors.ts'
import type { KeptSession, SessionKind, SessionRole } from '../records/questions/sessions.ts'
import type { Records } from '../records/records.ts'
import type { KeyRing } from '../seal/keys.ts'
import { sealToken, unsealToken } from './sealedToken.ts'

/** Unless it is used for so long, a session ends. */
const idleMs = 60 * 60_000

/** A person who has signed in, for a while. */
export interface Session {
  id: string
  kind: SessionKind
  /** The user's id at the platform, or the account's name. */
  subject: string
  /** For people to read. */
  name: string
  role: SessionRole
  /** Whatever happens, it ends then. */
  expiresAt: Date
  /** The user's access token. Throws `Damaged` when it cannot be opened, and for an account, which has none. */
  token(): string
}

/** How a person is called in the audit trail. */
export function whoOf({ kind, subject }: Pick<Session, 'kind' | 'subject'>): string {
  return `${kind === 'genesys' ? 'user' : 'account'}:${subject}`
}

/** Who has signed in. */
export interface Entrant {
  kind: SessionKind
  subject: string
  name: string
  role: SessionRole
  /** Of a user, with when it ends; the session ends no later. */
  token: { value: string; expiresAt: Date } | null
  /** Of an account: what the password was compared with. */
  hash: string | null
}

export interface Sessions {
  /**
   * The secret itself is not kept: only a digest of it under a key of ours. `replaces`: a session that the same browser had, and
   * which ends. Throws `Unauthorized` when the account was changed meanwhile.
   */
  begin(
    entrant: Entrant,
    asked: { requestId: string; replaces: string | null },
  ): Promise<{ secret: string; session: Session }>
  /** Null: there is none, or it has ended. */
  find(secret: string): Promise<Session | null>
  /** It is used, by a person who is this now. False: it has ended meanwhile. */
  touch(session: Pick<Session, 'id' | 'name' | 'role' | 'expiresAt'>): Promise<boolean>
  /** Ends it before its time. What has ended already is left as it is. */
  end(session: Session, why: string, requestId: string | null): Promise<void>
  /** Whether it goes on. */
  isLive(id: string): Promise<boolean>
  /** `listener` hears of each session that this process ends; of those that others end, or time, `isLive` tells. */
  onEnded(listener: (id: string) => void): void
}

export function createSessions(parts: {
  records: Pick<Records, 'keepSession' | 'session' | 'touchSession' | 'endSession' | 'sessionIsLive'>
  keys: KeyRing
  /** Longest life. */
  lifeMs: number
  clock: Clock
}): Sessions {
  const { records, keys, lifeMs, clock } = parts
  const listeners: ((id: string) => void)[] = []
  const tellEnded = (id: string) => {
    for (const listener of listeners) listener(id)
  }
  const liveUntil = (now: Date, expiresAt: Date) => new Date(Math.min(now.getTime() + idleMs, expiresAt.getTime()))

  function opened({ token, masterKeyId, ...kept }: KeptSession): Session {
    const { id, kind, subject, name, role, expiresAt } = kept
    const open = () => unsealToken(token ?? new Uint8Array(), masterKeyId, id, keys)
    return { id, kind, subject, name, role, expiresAt, token: open }
  }

  return {
    async begin({ token, hash, ...entrant }, { requestId, replaces }) {
      const id = `ses_${randomBytes(15).toString('hex')}`
      const secret = randomBytes(32).toString('base64url')
      const now = clock.now()
      const lasts = now.getTime() + lifeMs
      const expiresAt = new Date(token ? Math.min(lasts, token.expiresAt.getTime()) : lasts)
      const under = keys.currentId
      const sealed = token && sealToken(token.value, id, keys)
      const session: KeptSession = {
        id,
        digest: keys.digests(secret)[0]!,
        ...entrant,
        masterKeyId: under,
        token: sealed?.sealed ?? null,
        beganAt: now,
        expiresAt,
        liveUntil: liveUntil(now, expiresAt),
      }
      const audit = {
        at: now,
        who: whoOf(entrant),
        what: 'sign_in',
        object: id,
        outcome: entrant.role,
        requestId,
        detail: JSON.stringify({ until: expiresAt }),
      } as const
      const kept = await records.keepSession({ session, account: hash === null ? null : { hash }, replaces, audit })
      if (kept.kind === 'account_changed') throw new Unauthorized('The account was changed. Sign in again.')
      if (kept.kind === 'key_retired') throw new Unavailable('the master key was retired meanwhile')
      if (replaces !== null) tellEnded(replaces)
      return { secret, session: opened(session) }
    },
    async find(secret) {
      const found = await records.session({ digests: keys.digests(secret), now: clock.now() })
      return found && opened(found)
    },
    touch({ id, name, role, expiresAt }) {
      const now = clock.now()
      return records.touchSession({ id, now, liveUntil: liveUntil(now, expiresAt), name, role })
    },
    async end(session, why, requestId) {
      const entry = { at: clock.now(), who: whoOf(session), what: 'sign_out', object: session.id, requestId } as const
      await records.endSession({ id: session.id, audit: { ...entry, outcome: why, detail: null } })
      tellEnded(session.id)
    },
    isLive: (id) => records.sessionIsLive({ id, now: clock.now() }),
    onEnded: (listener) => void listeners.push(listener),
  }
}
