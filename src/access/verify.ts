import type { Clock } from '../clock.ts'
import { Damaged, Unauthorized, Unavailable } from '../errors.ts'
import { AnswerLost, CredentialsRefused, GenesysUnavailable } from '../genesys/errors.ts'
import { type People, type Person, PersonRefused } from '../genesys/people.ts'
import type { SessionRole } from '../records/questions/sessions.ts'
import type { Session, Sessions } from './sessions.ts'

/** A person is what they were found to be for no longer than this; that a session is used is noted as often. */
const verifiedForMs = 60_000

/** Whether sessions still speak for whom they were begun by. */
export interface Verifier {
  /**
   * The session as the person is now: asked anew when the last answer is a minute old. `isUse`: the session is used by this, and
   * goes on. Throws `Unauthorized` when it has ended, also by this; `Unavailable` when the platform cannot be asked: nothing rests on
   * an old answer.
   */
  verify(session: Session, isUse: boolean): Promise<Session>
  /**
   * What `work` finds out with the person's token. A token that is not taken any more ends the session, and what cannot be known
   * now is `Unavailable`.
   */
  ask<T>(session: Session, work: (token: string) => Promise<T>): Promise<T>
}

/** Any of the permissions makes an admin. */
export function roleOf({ permissions }: Person, adminPermissions: readonly string[]): SessionRole {
  return permissions.some((one) => adminPermissions.includes(one)) ? 'admin' : 'agent'
}

function whyEnded(error: CredentialsRefused | Damaged): string {
  if (error instanceof PersonRefused) return error.message
  return error instanceof Damaged ? 'Its token cannot be opened.' : 'Genesys Cloud does not take its token any more.'
}

export function createVerifier(parts: {
  sessions: Sessions
  /** Null: nobody signs in by the platform any more. */
  people: Pick<People, 'verify'> | null
  adminPermissions: readonly string[]
  clock: Clock
}): Verifier {
  const { sessions, people, adminPermissions, clock } = parts
  const persons = eachMinute(clock, asNow)
  const uses = eachMinute(clock, use)
  sessions.onEnded((id) => {
    persons.forget(id)
    uses.forget(id)
  })

  async function ask<T>(session: Session, work: (token: string) => Promise<T>): Promise<T> {
    try {
      return await work(session.token())
    } catch (error) {
      if (error instanceof GenesysUnavailable || error instanceof AnswerLost)
        throw new Unavailable('Genesys Cloud cannot be asked', {
          cause: error,
          ...(error.retryAfterSeconds !== null && { retryAfterSeconds: error.retryAfterSeconds }),
        })
      if (!(error instanceof CredentialsRefused || error instanceof Damaged)) throw error
      const told = whyEnded(error)
      await sessions.end(session, told, null)
      throw new Unauthorized(`The session has ended. ${told}`)
    }
  }

  async function asNow(session: Session): Promise<Session> {
    if (session.kind !== 'genesys') return session
    const person = await ask(session, async (token) => {
      if (!people) throw new PersonRefused(session.subject, 'Nobody signs in by Genesys Cloud any more.')
      return people.verify(token)
    })
    return { ...session, name: person.name, role: roleOf(person, adminPermissions) }
  }

  async function use(session: Session): Promise<void> {
    const goesOn = await sessions.touch(session).catch((error: unknown) => {
      // A disk that is full must not stop reading: who they are was found out, and that the session goes on was read.
      if (error instanceof Unavailable) return true
      throw error
    })
    if (!goesOn) throw new Unauthorized('The session has ended. Sign in again.')
  }

  return {
    ask,
    async verify(session, isUse) {
      const now = await persons.of(session)
      if (isUse) await uses.of(now)
      return now
    },
  }
}

/** What is found out about each session: once a minute, for all who ask. A failure is told to who waits for it, and not remembered. */
function eachMinute<T>(clock: Clock, find: (session: Session) => Promise<T>) {
  const known = new Map<string, { at: number; answer: Promise<T> }>()
  const isFresh = ({ at }: { at: number }) => Math.abs(clock.now().getTime() - at) < verifiedForMs
  return {
    of(session: Session): Promise<T> {
      const before = known.get(session.id)
      if (before && isFresh(before)) return before.answer
      for (const [id, one] of known) if (!isFresh(one)) known.delete(id)
      const asked = { at: clock.now().getTime(), answer: find(session) }
      known.set(session.id, asked)
      asked.answer.catch(() => {
        if (known.get(session.id) === asked) known.delete(session.id)
      })
      return asked.answer
    },
    forget: (id: string) => void known.delete(id),
  }
}
