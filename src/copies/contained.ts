import { type ChildProcess, spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import type { Clock } from '../clock.ts'
import { mostCopyBytes, NoCopy } from './copy.ts'

export interface Caps {
  /** From the wish to the copy. */
  ms: number
  /** Resident memory, in bytes. */
  memory: number
}

export interface Contained {
  /** What it wrote, once it has ended. Throws `NoCopy` with the cap that it broke, and what reading the input throws. */
  output: Promise<Buffer>
  /** Ends it, with all that it started. */
  kill(why: string): void
}

const lookEveryMs = 50

/** Runs a program on this input, within caps. The clock is the machine's own: processes take real time. */
export function runContained(
  [command, ...args]: readonly string[],
  input: AsyncIterable<Uint8Array>,
  caps: Caps,
  clock: Clock,
): Contained {
  // A group of its own, so that whatever it starts ends with it; an empty environment, so that it learns nothing.
  const child = spawn(command!, args, { env: {}, cwd: '/', detached: true, stdio: ['pipe', 'pipe', 'ignore'] })
  const ended = new Promise<void>((resolve) => {
    child.once('error', () => resolve())
    child.once('exit', () => resolve())
  })
  let breach: string | null = null
  const kill = (why: string) => {
    breach ??= why
    if (child.pid !== undefined) killGroup(child.pid)
  }
  return { output: outputOf(child, input), kill }

  async function outputOf(child: ChildProcess, input: AsyncIterable<Uint8Array>): Promise<Buffer> {
    const over = new AbortController()
    void clock
      .wait(caps.ms, over.signal)
      .then(() => over.signal.aborted || kill(`it took more than ${caps.ms / 1000} s`))
    void watchMemory(child, caps.memory, clock, over.signal, () =>
      kill(`it took more than ${caps.memory / 1024 / 1024} MB of memory`),
    )
    try {
      const [output] = await Promise.all([
        collect(child, mostCopyBytes + 4096, () => kill('its copy is too large')),
        feed(child, input).catch((error: unknown) => {
          kill('its bytes cannot be read')
          throw error
        }),
      ])
      await ended
      if (breach !== null) throw new NoCopy(breach)
      return output
    } finally {
      over.abort()
      if (child.pid !== undefined) killGroup(child.pid)
      await ended
    }
  }
}

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL')
  } catch {
    // It is gone already.
  }
}

/** A process that ends early has said why, or its answer is missing. */
async function feed({ stdin }: ChildProcess, input: AsyncIterable<Uint8Array>): Promise<void> {
  let gone = false
  stdin!.on('error', () => {
    gone = true
  })
  stdin!.on('close', () => {
    gone = true
  })
  for await (const piece of input) {
    if (gone) break
    if (!stdin!.write(piece))
      await new Promise<void>((resolve) => void stdin!.once('drain', resolve).once('close', resolve))
  }
  stdin!.end()
}

async function collect({ stdout }: ChildProcess, most: number, tooMuch: () => void): Promise<Buffer> {
  const pieces: Buffer[] = []
  let size = 0
  for await (const piece of stdout as AsyncIterable<Buffer>) {
    size += piece.length
    if (size > most) {
      tooMuch()
      break
    }
    pieces.push(piece)
  }
  return Buffer.concat(pieces)
}

/** Where the system tells it (Linux), memory is looked at often enough that a breach is noticed before it hurts. */
async function watchMemory(
  { pid }: ChildProcess,
  most: number,
  clock: Clock,
  signal: AbortSignal,
  breach: () => void,
): Promise<void> {
  while (!signal.aborted && pid !== undefined) {
    const pages = await readFile(`/proc/${pid}/statm`, 'latin1').then(
      (text) => Number(text.split(' ')[1]),
      () => null,
    )
    if (pages === null) return
    if (pages * 4096 > most) return breach()
    await clock.wait(lookEveryMs, signal)
  }
}
