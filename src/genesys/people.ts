import type { Clock } from '../clock.ts'
import type { Events } from '../telemetry/events.ts'
import { objectIn, segment } from './answers.ts'
import type { components } from './api.d.ts'
import type { Answer } from './ask.ts'
import type { Conversation } from './conversation.ts'
import { CredentialsRefused, GenesysRefused, GenesysUnavailable } from './errors.ts'
import { askOnce, type CodeClient, type Exchanged, exchangeCode } from './exchange.ts'

type Schemas = components['schemas']

/** A user of the organization, as the platform knows them now. */
export interface Person {
  id: string
  name: string
  permissions: string[]
}

/** The token is good, and we do not let in whom it speaks for. The message is for that person to read. */
export class PersonRefused extends CredentialsRefused {
  readonly userId: string
  constructor(userId: string, message: string) {
    super(message)
    this.userId = userId
  }
}

/**
 * What is asked with the tokens of people who sign in, always at the configured region. One try each: a page waits for it. All
 * throw `GenesysUnavailable` when the platform cannot be asked, and `CredentialsRefused` when it does not take the token.
 */
export interface People {
  exchange(asked: { code: string; verifier: string; redirectUri: string }): Promise<Exchanged>
  /** Throws `PersonRefused` for whoever is not an active user of our organization, themselves, by our client. */
  verify(token: string): Promise<Person>
  /** The message conversations that the user takes part in now. */
  conversations(token: string): Promise<string[]>
  /** Null: there is none, or the user may not see it. */
  conversation(token: string, id: string): Promise<Conversation | null>
}

export interface PeopleOptions extends CodeClient {
  /** Origin, without a slash at the end. */
  apiUrl: string
  /** Whose users are let in. */
  organizationId: string
  clock: Clock
  events: Pick<Events, 'genesysAnswered'>
}

export function createPeople(options: PeopleOptions): People {
  const { apiUrl, clientId, organizationId, clock, events } = options

  async function get(token: string, route: string, path = route): Promise<Answer> {
    const tell = (status: number) =>
      events.genesysAnswered({ route: `GET ${route}`, status, count: null, allowed: null })
    try {
      const headers = { authorization: `Bearer ${token}`, accept: 'application/json' }
      const answer = await askOnce(`${apiUrl}${path}`, { headers }, clock)
      tell(answer.status)
      if (answer.status === 401) throw new CredentialsRefused(`${route}: 401`)
      return answer
    } catch (error) {
      if (error instanceof GenesysUnavailable) tell(0)
      throw error
    }
  }

  async function whole<Shape extends object>(token: string, route: string, path = route): Promise<Shape> {
    const { status, body } = await get(token, route, path)
    if (status !== 200) throw new CredentialsRefused(`${route}: ${status}`)
    return objectIn<Shape>(body)
  }

  return {
    exchange: (asked) => exchangeCode(options, asked, clock),
    async verify(token) {
      // The parameter is repeated, as the official SDK sends it. That looking at a token does not keep it alive is what the
      // last one asks for; whether users/me does is UNCONFIRMED.
      const [me, info] = await Promise.all([
        whole<Partial<Schemas['UserMe']>>(
          token,
          '/api/v2/users/me',
          '/api/v2/users/me?expand=authorization&expand=organization&expand=token',
        ),
        whole<Schemas['TokenInfo']>(token, '/api/v2/tokens/me', '/api/v2/tokens/me?preserveIdleTTL=true'),
      ])
      const { id, name, state, organization, authorization } = me
      if (!id) throw new CredentialsRefused('/api/v2/users/me: no id')
      const refuse = (why: string) => new PersonRefused(id, why)
      if (state !== 'active') throw refuse('This user is not active in Genesys Cloud.')
      if (organization?.id !== organizationId || info.organization?.id !== organizationId)
        throw refuse('This user is of another organization.')
      if (info.OAuthClient?.id !== clientId) throw refuse('This token was given to another application.')
      if (info.clonedUser) throw refuse('Somebody else acts in the place of this user.')
      return { id, name: name ?? id, permissions: authorization?.permissions ?? [] }
    },
    async conversations(token) {
      const { entities = [] } = await whole<Schemas['MessageConversationEntityListing']>(
        token,
        '/api/v2/conversations/messages',
      )
      return entities.flatMap(({ id }) => (id === undefined ? [] : [id]))
    },
    async conversation(token, id) {
      let path: string
      try {
        path = `/api/v2/conversations/${segment(id)}`
      } catch (error) {
        if (error instanceof GenesysRefused) return null
        throw error
      }
      const { status, body } = await get(token, '/api/v2/conversations/{id}', path)
      return status === 200 ? objectIn<Conversation>(body) : null
    },
  }
}
