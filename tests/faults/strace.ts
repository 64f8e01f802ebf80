import { execFileSync, spawn, spawnSync } from 'node:child_process'
import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { temporaryFolder } from '../folder.ts'
import type { Program } from '../journeys/process.ts'

export const hasStrace = spawnSync('strace', ['-V']).status === 0
if (!hasStrace && process.env.TEST_REQUIRE === 'all') throw new Error('strace is missing: apt-get install strace')

/** System calls that fail: the `when`-th of these calls in each thread, counted from now; `3+` is that and all after. */
export interface Fault {
  calls: string[]
  error: 'EIO' | 'ENOSPC' | 'EMFILE' | 'EROFS'
  when: number | `${number}+`
  /** Only on exactly these files and folders; empty: on all. */
  paths?: string[]
}

/** What goes before a program so that calls of it fail from its first on. */
export function failing({ calls, error, when, paths = [] }: Fault): string[] {
  const inject = `inject=${calls}:error=${error}:when=${when}`
  return [
    'strace',
    '-f',
    '-qq',
    '-o',
    '/dev/null',
    '-e',
    `trace=${calls}`,
    '-e',
    inject,
    ...paths.flatMap((path) => ['-P', path]),
  ]
}

/** Ends a program that was begun under strace: told by its own pid, since strace does not pass signals on. */
export async function endTraced({ pid, ended }: Program, signal: 'SIGTERM' | 'SIGKILL' = 'SIGKILL'): Promise<void> {
  const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')
  process.kill(Number(children.trim().split(' ')[0]), signal)
  await ended
}

/** Makes calls of a running process fail while `work` runs, and tells which did, one line a call. */
export async function whileFailing(
  pid: number,
  { calls, error, when, paths = [] }: Fault,
  work: () => Promise<void>,
): Promise<string[]> {
  const log = join(await temporaryFolder(), 'strace.log')
  const options = ['-f', '-y', '-o', log, '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}:when=${when}`]
  const strace = spawn('strace', [...options, ...paths.flatMap((path) => ['-P', path]), '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = new Promise((resolve) => strace.on('close', resolve))
  let told = ''
  await new Promise<void>((resolve, reject) => {
    strace.stderr.on('data', (chunk) => {
      told += chunk
      if (/ attached/.test(told)) resolve()
    })
    void ended.then(() => reject(new Error(`strace ended: ${told}`)))
  })
  try {
    await work()
  } finally {
    strace.kill('SIGINT')
    await ended
  }
  const lines = (await readFile(log, 'utf8')).split('\n').filter((line) => line.includes('INJECTED'))
  await rm(log)
  return lines
}

/** Changes what a running process may have: bytes in a file that it writes, or descriptors. */
export function limitFiles(pid: number, limit: 'fsize' | 'nofile', most: number | 'unlimited'): void {
  execFileSync('prlimit', [`--pid=${pid}`, `--${limit}=${most}:`])
}
