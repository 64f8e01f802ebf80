import type { Clock } from '../../clock.ts'
import type { changes } from '../records.ts'
import type { Connection } from './connection.ts'

/** Changes after which there may be something to do, also for other processes. */
export const owing = new Set<string>([
  'settle',
  'askLookups',
  'takeEvents',
  'settleLookup',
  'retryConfirmations',
  'retryFetches',
  'decide',
  'fileSent',
  'completeFile',
  'noteMessage',
  'foundMessage',
] satisfies (keyof typeof changes)[])

const channel = 'clipgate_work'

/** Who notices nothing asks every two seconds anyway: so there is time to come back. */
const reconnectMs = 1000

export interface Notices {
  /** `listener` is called when another process may have left something to do. */
  listen(listener: () => void): void
  /** Others may find something to do. Told while the last word is on its way, it is told once more after it. */
  tell(): void
  close(): Promise<void>
}

/** Word between processes over one database (LISTEN, NOTIFY). It may be lost, and nobody counts on it: it only saves time. */
export function createNotices(open: () => Promise<Connection>, clock: Clock): Notices {
  const closing = new AbortController()
  let listening: Promise<void> | null = null
  let connection: Connection | null = null
  let telling: Promise<void> | null = null
  let tellAgain = false
  /** Of the connection that listens. */
  let end = () => {}

  async function keepListening(listener: () => void): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        connection = await open()
        const { client, run } = connection
        const over = new Promise<void>((resolve) => {
          end = resolve
          client.once('end', resolve)
          client.once('error', () => resolve())
        })
        client.on('notification', ({ processId }) => {
          if (processId !== (client as unknown as { processID: number }).processID) listener()
        })
        if (closing.signal.aborted) end()
        await run(`LISTEN ${channel}`)
        // What was told while nobody listened.
        listener()
        await over
      } catch {
        // It is tried again; the readiness page says that the database is away.
      }
      void connection?.end()
      connection = null
      await clock.wait(reconnectMs, closing.signal)
    }
  }

  async function say(): Promise<void> {
    do {
      tellAgain = false
      await connection?.run(`NOTIFY ${channel}`).catch(() => {})
    } while (tellAgain)
    telling = null
  }

  return {
    listen(listener) {
      listening ??= keepListening(listener)
    },
    tell() {
      tellAgain = true
      telling ??= say()
    },
    async close() {
      closing.abort()
      end()
      await telling
      await listening
    },
  }
}
