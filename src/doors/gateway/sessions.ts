import type { Clock } from '../../clock.ts'
import type { PresignedTarget } from '../../genesys/guest/upload.ts'
import type { Records } from '../../records/records.ts'
import type { KeyRing } from '../../seal/keys.ts'
import type { ServerFrame } from './frames.ts'

/** An open connection of a client, as those see it who have something to tell it. */
export interface Connection {
  /** False: it is not open any more. */
  tell(frame: string): boolean
  /** Asks the platform something of our own, in the client's session. Null: no answer came, and none will. */
  ask(request: { action: string } & Record<string, unknown>): Promise<ServerFrame | null>
}

/** What is known of a customer's session in this process. Its token is a secret, so that only a keyed digest stands for it. */
export interface GuestSession {
  digest: string
  /** Whether the records were asked what a process before this one had not told. */
  recalled: boolean
  connections: Set<Connection>
  /** Those that the platform has taken up, so that it can be asked something. */
  ready: Set<Connection>
  uploads: Map<string, Upload>
  /** Outcomes of uploads by the platform's id of the file, told again after a reconnection until the client acts on them. */
  outcomes: Map<string, { frame: string; until: number }>
}

/** A file that was announced and is not decided on yet. */
export interface Upload {
  session: GuestSession
  /** Its client's id of it. */
  sourceId: string
  /** The platform's, which is another once it is announced anew. */
  platformId: string
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
  /** When nobody puts its bytes any more, in milliseconds. Null: they are here. */
  endsAt: number | null
  /** Aborts when nothing is left of it. */
  ended: AbortController
}

export interface Sessions {
  /** The one that is known by any of the token's digests: it stays the same when the master key becomes another. */
  ofToken(token: string): Promise<GuestSession>
  connect(session: GuestSession, connection: Connection): void
  /** The platform has taken it up. */
  cameBack(session: GuestSession, connection: Connection): void
  /** A connection of it that the platform has taken up, now or within a while. Null: there was none. */
  ready(session: GuestSession, withinMs: number, signal: AbortSignal): Promise<Connection | null>
  disconnect(session: GuestSession, connection: Connection): void
  /** To every connection that the session has. What is told of an upload is told again to whoever comes back. */
  tellOutcome(session: GuestSession, sourceId: string, frame: string): void
  /** Something of an upload is to come. */
  begin(about: Omit<Upload, 'target' | 'link' | 'success' | 'ended'>): Upload
  /** Nothing is left of an upload: the session is forgotten when that was the last of it. */
  end(upload: Upload): void
  count(): number
}

/** A client comes back within five minutes or not at all (FACTS 1.6). */
export const rememberedMs = 10 * 60_000
const mostOutcomes = 50

/** How long a file that is not sent is kept: so long its session goes on under the digest that it was announced by. */
const digestMs = 24 * 60 * 60_000

export function createSessions(
  keys: Pick<KeyRing, 'digests'>,
  records: Pick<Records, 'sessionAmong'>,
  clock: Clock,
): Sessions {
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
  /** Who waits for a connection of a session. */
  const awaited = new Map<GuestSession, Set<AbortController>>()

  const forgetLater = (session: GuestSession) => {
    if (isOver(session)) forget(session)
    else void clock.wait(rememberedMs + 1).then(() => forget(session))
  }

  return {
    async ofToken(token) {
      const digests = keys.digests(token)
      const here = () => digests.map((digest) => known.get(digest)).find((session) => session !== undefined)
      const since = new Date(clock.now().getTime() - digestMs)
      const recorded = here() || digests.length === 1 ? null : await records.sessionAmong({ digests, since })
      const digest = recorded ?? digests[0]!
      const session = here() ?? {
        digest,
        recalled: false,
        connections: new Set(),
        ready: new Set(),
        uploads: new Map(),
        outcomes: new Map(),
      }
      known.set(session.digest, session)
      return session
    },
    connect: (session, connection) => void session.connections.add(connection),
    cameBack(session, connection) {
      session.ready.add(connection)
      for (const one of awaited.get(session) ?? []) one.abort()
    },
    async ready(session, withinMs, signal) {
      if (session.ready.size === 0) {
        const arrival = new AbortController()
        const all = awaited.get(session) ?? new Set()
        awaited.set(session, all.add(arrival))
        await clock.wait(withinMs, AbortSignal.any([arrival.signal, signal]))
        all.delete(arrival)
        if (all.size === 0) awaited.delete(session)
      }
      const [connection = null] = session.ready
      return connection
    },
    disconnect(session, connection) {
      session.connections.delete(connection)
      session.ready.delete(connection)
      forgetLater(session)
    },
    begin(about) {
      const upload: Upload = { ...about, target: null, link: null, success: null, ended: new AbortController() }
      about.session.uploads.set(about.sourceId, upload)
      return upload
    },
    end(upload) {
      const { session, sourceId, ended } = upload
      ended.abort()
      if (session.uploads.get(sourceId) === upload) session.uploads.delete(sourceId)
      forget(session)
    },
    tellOutcome(session, sourceId, frame) {
      if (session.outcomes.size >= mostOutcomes) session.outcomes.delete(session.outcomes.keys().next().value!)
      session.outcomes.set(sourceId, { frame, until: clock.now().getTime() + rememberedMs })
      for (const connection of session.connections) connection.tell(frame)
      if (session.connections.size === 0) forgetLater(session)
    },
    count: () => known.size,
  }
}
