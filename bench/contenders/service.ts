import type { ChildProcess } from 'node:child_process'
import { closeSync, openSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { end, spawnNode } from '../child.ts'

export const key = 'benchmark-key-0123456789'
export const authorization = `Bearer ${key}`

export interface Service {
  child: ChildProcess
  pid: number
  url: string
  /** Asks it to finish, and waits for that. */
  stop(): Promise<void>
}

/** The built product of a checkout as an operator runs it: its own settings, but what a machine without a platform needs. */
export async function startService(
  checkout: string,
  dataDir: string,
  emulatorUrl: string,
  settings: Record<string, string> = {},
  nodeFlags: string[] = [],
): Promise<Service> {
  const log = join(dataDir, 'bench.log')
  const output = openSync(log, 'w')
  const child = spawnNode(
    [...nodeFlags, join(checkout, 'dist', 'main.js'), 'serve'],
    environment(dataDir, emulatorUrl, settings),
    ['ignore', output, 'inherit'],
  )
  closeSync(output)
  const url = await said(child, log, /"url":"(http:\/\/[^"]+)","msg":"serving"/)
  return { child, pid: child.pid!, url, stop: () => end(child) }
}

function environment(dataDir: string, emulatorUrl: string, settings: Record<string, string>): Record<string, string> {
  const all = {
    PORT: '0',
    DATA_DIR: dataDir,
    // No engine is measured: which one a site runs decides its cost.
    SCAN: 'off',
    API_KEYS: `bench:push+pull+read+admin:${key}`,
    GENESYS_CLIENT_ID: 'demo-client',
    GENESYS_CLIENT_SECRET: 'demo-secret',
    GENESYS_LOGIN_URL: emulatorUrl,
    GENESYS_API_URL: emulatorUrl,
    ...settings,
  }
  // Credentials of a store have names of their own.
  return Object.fromEntries(
    Object.entries(all).map(([name, value]) => [name.startsWith('AWS_') ? name : `CLIPGATE_${name}`, value]),
  )
}

/** What a process wrote to its log, as soon as it did. The log is a file: reading a pipe would cost us during the run. */
async function said(child: ChildProcess, log: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const text = await readFile(log, 'utf8')
    const found = pattern.exec(text)
    if (found) return found[1]!
    if (child.exitCode !== null || child.signalCode !== null) throw new Error(`it did not start: ${text}`)
    await sleep(5)
  }
}

export interface Platform {
  url: string
  conversations: string[]
  stop(): Promise<void>
}

/** The emulator, with so many conversations that have an agent. */
export async function startPlatform(checkout: string, folder: string, conversations: number): Promise<Platform> {
  const log = join(folder, 'emulator.log')
  const output = openSync(log, 'w')
  const child = spawnNode([join(checkout, 'dist', 'main.js'), 'emulator', '--port', '0'], {}, [
    'ignore',
    output,
    'inherit',
  ])
  closeSync(output)
  const url = await said(child, log, /on (http:\/\/\S+)/)
  const ids: string[] = []
  const make = async () => {
    const answer = await fetch(`${url}/_emulator/conversations`, { method: 'POST' })
    ids.push(((await answer.json()) as { id: string }).id)
  }
  while (ids.length < conversations)
    await Promise.all(Array.from({ length: Math.min(20, conversations - ids.length) }, make))
  return { url, conversations: ids, stop: () => end(child) }
}
