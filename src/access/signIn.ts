import type { Clock } from '../clock.ts'
import { Forbidden, Unauthorized, Unavailable } from '../errors.ts'
import { CredentialsRefused, GenesysUnavailable } from '../genesys/errors.ts'
import { type People, PersonRefused } from '../genesys/people.ts'
import type { Records } from '../records/records.ts'
import { type Counted, createAttempts, sourceOf } from './attempts.ts'
import { createPasswords } from './passwords.ts'
import type { Entrant, Session, Sessions } from './sessions.ts'
import { roleOf } from './verify.ts'

/** Wrong passwords in a quarter of an hour: for one name, and from one address. Of codes, which nobody guesses, to bound the work. */
const most = { passwordsOfName: 5, passwordsFrom: 30, codesFrom: 1000 }

/** From where somebody signs in, and what they had before. */
export interface Entry {
  address: string
  requestId: string
  /** The secret of a session that the same browser has. */
  before: string | null
}

export interface Begun {
  secret: string
  session: Session
}

/**
 * How people get a session. All throw `Unauthorized` for what is wrong, `Forbidden` for somebody known whom we do not let in,
 * `Throttled` after too many failures, and `Unavailable` when it cannot be known now.
 */
export interface SignIn {
  /** With what the platform has given to the page: a code, and the verifier that goes with it. */
  byCode(given: { code: string; codeVerifier: string }, entry: Entry): Promise<Begun>
  byPassword(given: { name: string; password: string }, entry: Entry): Promise<Begun>
}

export function createSignIn(parts: {
  sessions: Sessions
  records: Pick<Records, 'accountOf'>
  /** Null: nobody signs in by the platform. */
  people: Pick<People, 'exchange' | 'verify'> | null
  adminPermissions: readonly string[]
  /** As it is registered for the client at the platform. */
  redirectUri(): string
  clock: Clock
}): SignIn {
  const { sessions, records, people, adminPermissions, redirectUri, clock } = parts
  const attempts = createAttempts(clock)
  const passwords = createPasswords()

  /** Only what is wrong counts as a failure: not what could not be known. */
  async function counting(counted: Counted[], entry: Entry, find: () => Promise<Entrant>): Promise<Begun> {
    const takeBack = attempts.begin(...counted)
    let entrant: Entrant
    try {
      entrant = await find()
      takeBack()
    } catch (error) {
      if (!(error instanceof Unauthorized)) takeBack()
      throw error
    }
    const before = entry.before === null ? null : await sessions.find(entry.before)
    return sessions.begin(entrant, { requestId: entry.requestId, replaces: before?.id ?? null })
  }

  async function byPlatform({ code, codeVerifier }: { code: string; codeVerifier: string }): Promise<Entrant> {
    if (!people) throw new Forbidden('Nobody signs in by Genesys Cloud here.')
    try {
      const { accessToken, expiresAt } = await people.exchange({
        code,
        verifier: codeVerifier,
        redirectUri: redirectUri(),
      })
      const person = await people.verify(accessToken)
      const role = roleOf(person, adminPermissions)
      const token = { value: accessToken, expiresAt }
      return { kind: 'genesys', subject: person.id, name: person.name, role, token, hash: null }
    } catch (error) {
      if (error instanceof PersonRefused) throw new Forbidden(error.message, `user:${error.userId}`)
      if (error instanceof CredentialsRefused)
        throw new Unauthorized('Genesys Cloud does not take this sign-in. Begin again.')
      if (error instanceof GenesysUnavailable) throw new Unavailable('Genesys Cloud cannot be asked', { cause: error })
      throw error
    }
  }

  async function byAccount({ name, password }: { name: string; password: string }): Promise<Entrant> {
    const account = await records.accountOf(name)
    const isRight = await passwords.match(password, account?.hash ?? null)
    if (!account || !isRight) throw new Unauthorized('The name or the password is wrong.')
    return { kind: 'account', subject: name, name, role: account.role, token: null, hash: account.hash }
  }

  return {
    byCode: (given, entry) =>
      counting([{ key: `code from ${sourceOf(entry.address)}`, most: most.codesFrom }], entry, () => byPlatform(given)),
    byPassword(given, entry) {
      const name = given.name.toLowerCase()
      const counted = [
        { key: `name ${name}`, most: most.passwordsOfName },
        { key: `from ${sourceOf(entry.address)}`, most: most.passwordsFrom },
      ]
      return counting(counted, entry, () => byAccount({ name, password: given.password }))
    },
  }
}
