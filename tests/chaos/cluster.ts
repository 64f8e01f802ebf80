import { readFileSync, writeFileSync } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import type { NetConnectOpts } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { type CutProxy, startCutProxy } from '../cutProxy.ts'
import { canMount, disks, mounted } from '../faults/disks.ts'
import { fakeTime } from '../faults/fakeTime.ts'
import { temporaryFolder } from '../folder.ts'
import { type Program, run, servingAt } from '../journeys/process.ts'

/** A process of the built program, which can be killed and started again. */
export interface Node {
  name: string
  /** Null while it is down. */
  url: string | null
  dataDir: string
  database: CutProxy
  storage: CutProxy
  /** The largest it was seen, in MiB. */
  mebibytes: number
  kill(): Promise<void>
  /** As an operator stops it: what it has begun is ended. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Its clock is off by so many seconds from now on. */
  setClock(seconds: number): void
}

export interface ClusterOptions {
  count: number
  /** Of the database and the store, which are reached through proxies. */
  database: { to: NetConnectOpts; url: (port: number) => string }
  storage: { to: NetConnectOpts; url: (port: number) => string }
  env: Record<string, string>
}

/** Whether a node has a disk of its own, which can be filled; where one may be mounted. */
const [tmpfs] = disks
export const hasOwnDisks = canMount(tmpfs!)

export async function startCluster({ count, database, storage, env }: ClusterOptions): Promise<Node[]> {
  const nodes: Node[] = []
  for (let i = 0; i < count; i++) {
    const proxies = { database: await startCutProxy(database.to), storage: await startCutProxy(storage.to) }
    const folder = await temporaryFolder()
    const dataDir = hasOwnDisks ? mounted(tmpfs!, 400) : join(folder, 'data')
    await mkdir(dataDir, { recursive: true, mode: 0o700 })
    const offset = join(folder, 'offset')
    writeFileSync(offset, '+0')
    const environment = {
      ...env,
      ...(fakeTime?.(offset) ?? {}),
      CLIPGATE_DATA_DIR: dataDir,
      CLIPGATE_PORT: '0',
      CLIPGATE_DATABASE_URL: database.url(proxies.database.port),
      CLIPGATE_STORAGE_URL: storage.url(proxies.storage.port),
    }
    nodes.push(node(`node ${i}`, dataDir, proxies, environment, offset))
  }
  for (const one of nodes) await one.start()
  return nodes
}

function node(
  name: string,
  dataDir: string,
  proxies: { database: CutProxy; storage: CutProxy },
  env: Record<string, string>,
  offset: string,
): Node {
  let program: Program | null = null
  const ended = async (signal: 'SIGKILL' | 'SIGTERM') => {
    one.url = null
    program?.child.kill(signal)
    await program?.ended
    program = null
  }
  const one: Node = {
    name,
    url: null,
    dataDir,
    ...proxies,
    mebibytes: 0,
    kill: () => ended('SIGKILL'),
    stop: () => ended('SIGTERM'),
    async start() {
      // What it leans on may be away: then it does not start, and is started again, as a supervisor would.
      for (;;) {
        program = run(['serve'], env)
        const url = await program.until(servingAt).then(
          ([, found]) => found!,
          () => null,
        )
        one.url = url
        if (url) return
        await program.ended
        await sleep(300)
      }
    },
    setClock: (seconds) => writeFileSync(offset, seconds < 0 ? String(seconds) : `+${seconds}`),
  }
  setInterval(() => {
    if (program && one.url) one.mebibytes = Math.max(one.mebibytes, residentMebibytes(program.pid))
  }, 1000).unref()
  return one
}

function residentMebibytes(pid: number): number {
  try {
    const [, kibibytes] = /VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? []
    return Number(kibibytes ?? 0) / 1024
  } catch {
    return 0
  }
}
