import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { Clock } from './clock.ts'

/** Bytes that a program may say. */
const longestOutput = 64 * 1024
const longestComplaint = 4096

export interface Ran {
  /** Null: it was ended by `signal`. */
  code: number | null
  signal: string | null
  output: Buffer
  /** The end of its standard error. */
  complaint: string
  /** False: it closed its input before it had all of it. */
  tookAll: boolean
}

/** Why nothing can be said of how a program ended: it could not be run, took too long, or said too much. */
export class NotRun extends Error {}

/**
 * Runs a program to its end, without a shell, in a group of its own, so that what it starts ends with it. Throws `NotRun`, or what
 * `input` throws; nothing of it is left running.
 */
export async function runProgram(
  [program, ...args]: string[],
  {
    input,
    env,
    withinMs,
    clock,
  }: {
    input?: AsyncIterable<Uint8Array>
    env: Record<string, string | undefined>
    withinMs: number
    clock: Clock
  },
): Promise<Ran> {
  const child = spawn(program!, args, { stdio: ['pipe', 'pipe', 'pipe'], cwd: '/', env, detached: true })
  let trouble: string | null = null
  const giveUp = (why: string) => {
    trouble ??= why
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    for (const stream of [child.stdin, child.stdout, child.stderr]) stream.destroy()
  }
  const over = new AbortController()
  void clock.wait(withinMs, over.signal).then(() => {
    if (!over.signal.aborted) giveUp(`it did not end within ${withinMs / 1000} s`)
  })
  const output: Buffer[] = []
  let size = 0
  child.stdout.on('data', (piece: Buffer) => {
    size += piece.length
    if (size > longestOutput) giveUp('it says too much')
    else output.push(piece)
  })
  let complaint = ''
  child.stderr.on('data', (piece: Buffer) => {
    complaint = (complaint + piece.toString('utf8')).slice(-longestComplaint)
  })
  const ended = new Promise<Pick<Ran, 'code' | 'signal'>>((resolve) => {
    child.once('error', (error) => {
      trouble ??= error.message
      resolve({ code: null, signal: null })
    })
    child.once('close', (code, signal) => resolve({ code, signal }))
  })
  try {
    const tookAll = await write(child.stdin, input)
    const end = await ended
    if (trouble !== null) throw new NotRun(trouble)
    return { ...end, output: Buffer.concat(output), complaint, tookAll }
  } finally {
    over.abort()
    giveUp('it is not wanted any more')
  }
}

async function write(
  stdin: NodeJS.WritableStream & { destroyed: boolean },
  input: AsyncIterable<Uint8Array> | undefined,
): Promise<boolean> {
  let broken = false
  stdin.on('error', () => {
    broken = true
  })
  const closed = once(stdin, 'close').catch(() => {})
  for await (const piece of input ?? []) {
    if (broken || stdin.destroyed) return false
    if (!stdin.write(piece)) await Promise.race([once(stdin, 'drain').catch(() => {}), closed])
  }
  stdin.end()
  await closed
  return !broken
}
