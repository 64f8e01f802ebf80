import type { Credentials } from './access/credentials.ts'
import { createParticipation } from './access/participation.ts'
import { createSessions, type Sessions } from './access/sessions.ts'
import { createSignIn } from './access/signIn.ts'
import { createVerifier } from './access/verify.ts'
import { createViewers, type PeopleViewers } from './access/viewers.ts'
import type { Clock } from './clock.ts'
import type { Config, Secrets } from './config.ts'
import type { GenesysClient } from './genesys/client.ts'
import { createPeople } from './genesys/people.ts'
import type { Routes } from './http/server.ts'
import { sessionRoutes } from './http/session.ts'
import type { Records } from './records/records.ts'
import type { KeyRing } from './seal/keys.ts'
import type { Events } from './telemetry/events.ts'

/** Who may look at what, by API keys and as people who sign in. */
export interface PeopleAccess {
  viewers: PeopleViewers
  sessions: Sessions
  routes: Routes
}

export function createPeopleAccess(
  { config, secrets }: { config: Config; secrets: Secrets },
  parts: {
    credentials: Credentials
    records: Records
    keys: KeyRing
    /** The backend's own client. */
    genesys: GenesysClient | null
    publicUrl(): string
    clock: Clock
    events: Events
  },
): PeopleAccess {
  const { credentials, records, keys, genesys, publicUrl, clock, events } = parts
  const { login, originals, sessionMs } = config.people
  const adminPermissions = login?.adminPermissions ?? []
  const clientSecret = secrets.genesysLoginClientSecret
  const people = login && createPeople({ ...login, clientSecret, clock, events })
  const sessions = createSessions({ records, keys, lifeMs: sessionMs, clock })
  const verifier = createVerifier({ sessions, people, adminPermissions, clock })
  const participation = people && createParticipation({ people, genesys, verifier, clock })
  const viewers = createViewers({ credentials, sessions, verifier, participation, originals, publicUrl })
  const redirectUri = () => `${publicUrl()}/sign-in`
  const signIn = createSignIn({ sessions, records, people, adminPermissions, redirectUri, clock })
  const routes = sessionRoutes({
    viewers,
    signIn,
    sessions,
    records,
    genesys: login && { authorizeUrl: `${login.loginUrl}/oauth/authorize`, clientId: login.clientId },
    redirectUri,
    publicUrl,
  })
  return { viewers, sessions, routes }
}
