import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { appendFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { promisify } from 'node:util'

export const run = promisify(execFile)

/** Whether all of these can be run; with TEST_REQUIRE=all it is an error when not. */
export function hasPrograms(names: string[], packages: string): boolean {
  const places = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin']
  const has = names.every((name) => places.some((place) => existsSync(join(place, name))))
  if (!has && process.env.TEST_REQUIRE === 'all')
    throw new Error(`${names.join(', ')}: missing. apt-get install --no-install-recommends ${packages}`)
  return has
}

/** A server's processes. What they say is kept for a start that fails. */
export function processes(folder: string) {
  const children: ChildProcess[] = []
  const log = join(folder, 'said.log')
  return {
    start(program: string, args: string[], env: Record<string, string> = {}) {
      const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...env } })
      for (const stream of [child.stdout, child.stderr])
        stream.on('data', (chunk) => void appendFile(log, chunk).catch(() => {}))
      children.push(child)
    },
    /** Asks until it holds; throws when one of the processes has ended. */
    async until(what: string, holds: () => Promise<boolean>) {
      while (!(await holds().catch(() => false))) {
        const ended = children.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null)
        if (ended) throw new Error(`${what}: ${ended.spawnfile} has ended; see ${log}`)
        // Others may go on: it is the program that starts.
        await pause(50)
      }
    },
    /** All at once: nothing of theirs is wanted any more. */
    async end() {
      const running = children.filter(({ exitCode, signalCode }) => exitCode === null && signalCode === null)
      const ended = running.map((child) => once(child, 'exit'))
      for (const child of running) child.kill('SIGKILL')
      await Promise.all(ended)
    },
  }
}

/** A real S3 server, for the tests of a file. */
export interface RealS3 {
  endpoint: string
  accessKeyId: string
  secretAccessKey: string
  close(): Promise<void>
}
