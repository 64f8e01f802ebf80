import type { Clock } from '../clock.ts'
import { Damaged, Unauthorized, Unavailable } from '../errors.ts'
import { AnswerLost, CredentialsRefused, GenesysUnavailable } from '../genesys/errors.ts'
import { type People, type Person, PersonRefused } from '../genesys/people.ts'
import type { SessionRole } from '../records/questions/sessions.ts'
import type { Session, Sessions } from './sessions.ts'

/** A person is what they were found to be for no longer than this. */
const verifiedForMs = 60_000

/** Whether sessions still speak for whom they were begun by. */
export interface Verifier {
  /**
   * The session as the person is now: asked anew when the last answer is a minute old, and then the session counts as used. Throws
   * `Unauthorized` when it has ended, also by this; `Unavailable` when the platform cannot be asked: nothing rests on an old answer.
   */
  verify(session: Session): Promise<Session>
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
  const known = new Map<string, { at: number; answer: Promise<Session> }>()
  sessions.onEnded((id) => known.delete(id))
  const isFresh = ({ at }: { at: number }) => Math.abs(clock.now().getTime() - at) < verifiedForMs

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
    let now = session
    if (session.kind === 'genesys') {
      const person = await ask(session, async (token) => {
        if (!people) throw new PersonRefused(session.subject, 'Nobody signs in by Genesys Cloud any more.')
        return people.verify(token)
      })
      now = { ...session, name: person.name, role: roleOf(person, adminPermissions) }
    }
    const goesOn = await sessions.touch(now).catch((error: unknown) => {
      // A disk that is full must not stop reading: who they are was found out, and that the session goes on was read.
      if (error instanceof Unavailable) return true
      throw error
    })
    if (!goesOn) throw new Unauthorized('The session has ended. Sign in again.')
    return now
  }

  return {
    ask,
    async verify(session) {
      const before = known.get(session.id)
      if (before && isFresh(before)) return before.answer
      for (const [id, one] of known) if (!isFresh(one)) known.delete(id)
      const asked = { at: clock.now().getTime(), answer: asNow(session) }
      known.set(session.id, asked)
      asked.answer.catch(() => {
        if (known.get(session.id) === asked) known.delete(session.id)
      })
      return asked.answer
    },
  }
}
