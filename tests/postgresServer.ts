import { type ChildProcess, execFileSync, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { chownSync, existsSync, readdirSync, writeFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { freePort } from './freePort.ts'

/** Debian's place of the newest, else what stands in the path. */
function binaries(): string | null {
  const place = '/usr/lib/postgresql'
  const versions = existsSync(place) ? readdirSync(place).sort((a, b) => Number(a) - Number(b)) : []
  const folders = versions
    .map((version) => join(place, version, 'bin'))
    .filter((bin) => existsSync(join(bin, 'initdb')))
  return folders.at(-1) ?? (spawnSync('initdb', ['--version']).status === 0 ? '' : null)
}

const bin = binaries()
export const tool = (name: string) => join(bin ?? '', name)
export const hasPostgres = bin !== null
if (!hasPostgres && process.env.TEST_REQUIRE === 'all')
  throw new Error('PostgreSQL is missing: apt-get install --no-install-recommends postgresql')

/** It does not run for root: then for nobody. */
const user = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {}

export interface PostgresServer {
  /** The address of a database, over the Unix socket or over TCP. */
  url(database?: string, how?: 'socket' | 'tcp'): string
  folder: string
  port: number
  /** As the machine's power going, for the server. */
  kill(): Promise<void>
  /** As an operator stops it: connections are ended. */
  stop(): Promise<void>
  startAgain(): Promise<void>
}

/** A real server in a folder of its own. `close` ends it and removes the folder. */
export async function startPostgres(
  settings: Record<string, string> = {},
): Promise<PostgresServer & { close(): Promise<void> }> {
  const folder = await mkdtemp(join(tmpdir(), 'clipgate-pg-'))
  if (user.uid !== undefined) chownSync(folder, user.uid, user.gid)
  const data = join(folder, 'data')
  execFileSync(
    tool('initdb'),
    ['-D', data, '-U', 'postgres', '--auth=trust', '-E', 'UTF8', '--locale=C.UTF-8', '--no-sync', '--no-instructions'],
    { ...user, cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] },
  )
  const port = await freePort()
  const all = {
    // The machine's own crash is not what is tested by it; a server that is killed loses nothing by this.
    fsync: 'off',
    listen_addresses: '127.0.0.1',
    port: String(port),
    unix_socket_directories: folder,
    shared_buffers: '32MB',
    max_connections: '200',
    log_min_messages: 'warning',
    ...settings,
  }
  writeFileSync(
    join(data, 'postgresql.auto.conf'),
    Object.entries(all)
      .map(([name, value]) => `${name} = '${value}'\n`)
      .join(''),
  )
  let child = await run()

  async function run(): Promise<ChildProcess> {
    const started = spawn(tool('postgres'), ['-D', data], { ...user, cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] })
    let said = ''
    for (const stream of [started.stdout, started.stderr])
      stream.on('data', (chunk) => (said = (said + chunk).slice(-5000)))
    while (!(await answers(url('postgres'))))
      if (started.exitCode !== null || started.signalCode !== null) throw new Error(`postgres did not start: ${said}`)
    return started
  }
  async function end(signal: NodeJS.Signals): Promise<void> {
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill(signal)
    await ended
  }
  function url(database = 'postgres', how: 'socket' | 'tcp' = 'socket'): string {
    const query = how === 'socket' ? `?host=${encodeURIComponent(folder)}` : ''
    return `postgres://postgres@127.0.0.1:${port}/${database}${query}`
  }
  return {
    url,
    folder,
    port,
    // SIGQUIT: at once, without a checkpoint, and with the children, which SIGKILL would leave behind.
    kill: () => end('SIGQUIT'),
    stop: () => end('SIGINT'),
    async startAgain() {
      child = await run()
    },
    async close() {
      await end('SIGQUIT')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function answers(url: string): Promise<boolean> {
  const client = new pg.Client(url)
  client.on('error', () => {})
  const answer = await client.connect().then(
    () => true,
    () => false,
  )
  await client.end().catch(() => {})
  return answer
}

/** Runs statements of a test's own. */
export async function statement(
  url: string,
  sql: string,
  parameters: unknown[] = [],
): Promise<Record<string, unknown>[]> {
  const client = new pg.Client(url)
  await client.connect()
  try {
    const result = await client.query(sql, parameters)
    return result.rows ?? []
  } finally {
    await client.end()
  }
}
