import type { Clock } from '../../clock.ts'
import type { PresignedTarget } from '../../genesys/guest/upload.ts'
import type { KeyRing } from '../../seal/keys.ts'

/** An open connection of a client, as those see it who have something to tell it. */
export interface Connection {
  /** False: it is not open any more. */
  tell(frame: string): boolean
  /** Asks the platform whether it has a file, whose success it has not told. */
  confirm(sourceId: string): void
}

/** What is known of a customer's session in this process. Its token is a secret, so that only a keyed digest stands for it. */
export interface GuestSession {
  digest: string
  connections: Set<Connection>
  uploads: Map<string, Upload>
  /** Outcomes of uploads by the platform's id of the file, told again after a reconnection until the client acts on them. */
  outcomes: Map<string, { frame: string; until: number }>
}

/** A file that was announced and is not decided on yet. */
export interface Upload {
  session: GuestSession
  sourceId: string
  deploymentId: string
  fileName: string
  fileType: string
  fileSize: number
  language: string | null
  /** Of the frame that announced it: what refuses it carries the same. */
  tracingId: string | null
  /**
   * `asked`: the platform was asked for an address. `linked`: the client has one of ours. `coming`: its bytes are. `kept`: they are
   * judged clean and stored. `cleared`: the platform has them.
   */
  state: 'asked' | 'linked' | 'coming' | 'kept' | 'cleared'
  target: PresignedTarget | null
  link: { token: string; secret: string; until: number } | null
  /** The platform's word that it has the file, which waits for ours. */
  success: string | null
}

export interface Sessions {
  ofToken(token: string): GuestSession
  connect(session: GuestSession, connection: Connection): void
  disconnect(session: GuestSession, connection: Connection): void
  /** To every connection that the session has. What is told of an upload is told again to whoever comes back. */
  tellOutcome(session: GuestSession, sourceId: string, frame: string): void
  /** Nothing is left of an upload: the session is forgotten when that was the last of it. */
  uploadEnded(session: GuestSession): void
  count(): number
}

/** A client comes back within five minutes or not at all (FACTS 1.6). */
const rememberedMs = 10 * 60_000
const mostOutcomes = 50

export function createSessions(keys: Pick<KeyRing, 'digests'>, clock: Clock): Sessions {
  const known = new Map<string, GuestSession>()

  /** Whether nobody could come back to anything of it. */
  const isOver = ({ connections, uploads, outcomes }: GuestSession) => {
    const now = clock.now().getTime()
    for (const [id, { until }] of outcomes) if (until <= now) outcomes.delete(id)
    return connections.size === 0 && uploads.size === 0 && outcomes.size === 0
  }

  const forget = (session: GuestSession) => {
    if (isOver(session) && known.get(session.digest) === session) known.delete(session.digest)
  }
  const forgetLater = (session: GuestSession) => {
    if (isOver(session)) forget(session)
    else void clock.wait(rememberedMs + 1).then(() => forget(session))
  }

  return {
    ofToken(token) {
      const digest = keys.digests(token)[0]!
      const session = known.get(digest) ?? {
        digest,
        connections: new Set(),
        uploads: new Map(),
        outcomes: new Map(),
      }
      known.set(digest, session)
      return session
    },
    connect: (session, connection) => void session.connections.add(connection),
    disconnect(session, connection) {
      session.connections.delete(connection)
      forgetLater(session)
    },
    uploadEnded: forget,
    tellOutcome(session, sourceId, frame) {
      if (session.outcomes.size >= mostOutcomes) session.outcomes.delete(session.outcomes.keys().next().value!)
      session.outcomes.set(sourceId, { frame, until: clock.now().getTime() + rememberedMs })
      for (const connection of session.connections) connection.tell(frame)
      if (session.connections.size === 0) forgetLater(session)
    },
    count: () => known.size,
  }
}
