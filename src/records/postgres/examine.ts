import { clientConfig, connect } from './connection.ts'
import { toError } from './faults.ts'

/** What a server does with a commit, and how we reach it. */
export interface ServerFacts {
  version: string
  /** False: what is committed may be gone, or damaged, after a crash of the server's machine. */
  keepsCommits: boolean
  /** Null: in the clear. */
  tls: string | null
}

/** Throws `Unavailable` when it cannot be asked. */
export async function examineServer(url: string): Promise<ServerFacts> {
  const config = clientConfig(url)
  const connection = await connect(config).catch((error: unknown) => {
    throw toError(error, 'read')
  })
  try {
    const { rows } = await connection.run(
      `SELECT current_setting('server_version') AS version,
              current_setting('fsync')::boolean AND current_setting('full_page_writes')::boolean AS keeps_commits,
              (SELECT version FROM pg_stat_ssl WHERE pid = pg_backend_pid() AND ssl) AS tls`,
    )
    const row = rows[0] as { version: string; keeps_commits: boolean; tls: string | null }
    return { version: row.version, keepsCommits: row.keeps_commits, tls: row.tls }
  } catch (error) {
    throw toError(error, 'read')
  } finally {
    await connection.end()
  }
}
