import type { Clock } from '../clock.ts'
import type { GenesysClient } from '../genesys/client.ts'
import { type Conversation, hadAgent, hasEnded } from '../genesys/conversation.ts'
import { CredentialsRefused, GenesysRefused, GenesysUnavailable } from '../genesys/errors.ts'
import type { People } from '../genesys/people.ts'
import { createRateLimit } from './rate.ts'
import type { Session } from './sessions.ts'
import type { Verifier } from './verify.ts'

/** How long an answer holds. A no is short: the agent may just be taking the conversation. */
const yesMs = 60_000
const noMs = 10_000

/** Conversations that one person may have looked up in a minute, so that nobody tries ids, or uses up what the platform allows us. */
const lookupsPerMinute = 120

/** Which users take, or took, part in which conversation. */
export interface Participation {
  /**
   * In one that goes on: whether they are in it now. In one that has ended: whether they were. Throws `Unavailable` when that cannot
   * be known now, `Unauthorized` when that ends the session, `Throttled` when it is asked too often.
   */
  takesPart(session: Session, conversationId: string): Promise<boolean>
}

export function createParticipation(parts: {
  people: Pick<People, 'conversations' | 'conversation'>
  /** The backend's own client. Null: there is none, and the user's token must do. */
  genesys: Pick<GenesysClient, 'getConversation'> | null
  verifier: Pick<Verifier, 'ask'>
  clock: Clock
}): Participation {
  const { people, genesys, verifier, clock } = parts
  const rate = createRateLimit(lookupsPerMinute, clock)
  const known = new Map<string, { at: number; forMs: number; answer: Promise<boolean> }>()
  const isFresh = ({ at, forMs }: { at: number; forMs: number }) => Math.abs(clock.now().getTime() - at) < forMs

  async function find(token: string, userId: string, conversationId: string): Promise<boolean> {
    if ((await people.conversations(token)).includes(conversationId)) return true
    const view = await (genesys ? byBackend(genesys, conversationId) : people.conversation(token, conversationId))
    return view !== null && hasEnded(view) && hadAgent(view, userId)
  }

  return {
    async takesPart(session, conversationId) {
      const key = `${session.id} ${conversationId}`
      const before = known.get(key)
      if (before && isFresh(before)) return before.answer
      for (const [other, one] of known) if (!isFresh(one)) known.delete(other)
      rate.count(session.subject)
      const asked = {
        at: clock.now().getTime(),
        forMs: yesMs,
        answer: verifier.ask(session, (token) => find(token, session.subject, conversationId)),
      }
      known.set(key, asked)
      asked.answer.then(
        (isTheirs) => {
          if (!isTheirs) asked.forMs = noMs
        },
        () => {
          if (known.get(key) === asked) known.delete(key)
        },
      )
      return asked.answer
    },
  }
}

/** Null: there is none, or our client may not see it. Trouble with our own client says nothing of the user. */
async function byBackend(
  genesys: Pick<GenesysClient, 'getConversation'>,
  conversationId: string,
): Promise<Conversation | null> {
  try {
    return await genesys.getConversation(conversationId)
  } catch (error) {
    if (error instanceof GenesysRefused) return null
    if (error instanceof CredentialsRefused)
      throw new GenesysUnavailable('the backend’s own client is refused', { cause: error })
    throw error
  }
}
