import { type ChildProcess, fork, type StdioOptions, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFile, writeFile } from 'node:fs/promises'

const children = new Set<ChildProcess>()

/** Ends by their pid whatever is still running. */
export function endChildren(): void {
  for (const child of children) child.kill('SIGKILL')
}

function watched(child: ChildProcess): ChildProcess {
  children.add(child)
  child.on('exit', () => children.delete(child))
  return child
}

/** Node with these arguments and exactly this environment beside PATH. */
export function spawnNode(args: string[], env: Record<string, string>, stdio: StdioOptions): ChildProcess {
  const { PATH = '', HOME = '' } = process.env
  return watched(spawn(process.execPath, args, { env: { PATH, HOME, ...env }, stdio }))
}

export async function end(child: ChildProcess, signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill(signal)
  await ended
}

/** A process that answers one message by one message. */
export interface Asked {
  child: ChildProcess
  pid: number
  ask<Answer>(question: unknown): Promise<Answer>
}

/** Its first message says that it is ready, and is kept as `ready`. */
export async function forkNode<Ready>(file: string, args: string[]): Promise<Asked & { ready: Ready }> {
  const child = watched(fork(file, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] }))
  const answer = async () => {
    const over = new AbortController()
    const ended = once(child, 'exit', { signal: over.signal }).then(([code, signal]) => {
      throw new Error(`${file} ended: ${code ?? signal}`)
    })
    try {
      return (await Promise.race([once(child, 'message'), ended]))[0]
    } finally {
      over.abort()
      ended.catch(() => {})
    }
  }
  const ready = (await answer()) as Ready
  return {
    child,
    pid: child.pid!,
    ready,
    async ask<Answer>(question: unknown) {
      child.send(question as object)
      const { value, error } = (await answer()) as { value: Answer; error?: string }
      if (error !== undefined) throw new Error(error)
      return value
    },
  }
}

/** The other end of `forkNode`. */
export function answerWith<Question>(ready: unknown, answer: (question: Question) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit())
  process.on('message', (question) =>
    answer(question as Question).then(
      (value) => process.send!({ value }),
      (error: Error) => process.send!({ error: error.stack ?? String(error) }),
    ),
  )
  process.send!(ready)
}

/** Of all threads of a process. */
export interface Usage {
  cpuSeconds: number
  residentBytes: number
  /** The most that was resident since it started, or since `forgetPeak`. */
  peakBytes: number
}

/** Linux counts processor time in hundredths of a second (proc_pid_stat(5), `getconf CLK_TCK`). */
const ticksPerSecond = 100

export async function usageOf(pid: number): Promise<Usage> {
  const [stat, status] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/status`, 'utf8'),
  ])
  // The second field is the name, in brackets, and may hold anything; utime and stime are the 14th and 15th.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  const bytes = (field: string) => Number(new RegExp(`${field}:\\s+(\\d+) kB`).exec(status)?.[1]) * 1024
  return {
    cpuSeconds: (Number(fields[11]) + Number(fields[12])) / ticksPerSecond,
    residentBytes: bytes('VmRSS'),
    peakBytes: bytes('VmHWM'),
  }
}

/** 5 sets the peak back to what is held now (proc_pid_clear_refs(5)). */
export async function forgetPeak(pid: number): Promise<void> {
  await writeFile(`/proc/${pid}/clear_refs`, '5')
}
