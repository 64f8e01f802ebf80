import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { type Engine, NoReply, oneLine, type Said } from './engine.ts'
import type { Scannable } from './scanner.ts'

export interface CommandOptions {
  /** The program and its arguments, as they are: no shell reads them. */
  command: string[]
  clock: Clock
  atOnce?: number
}

const scanMs = 150_000
/** Bytes that it may say. */
const longestOutput = 64 * 1024

/**
 * A program that reads the file on its standard input. It ends with 0: clean; 1: infected; 3: it could not look into it. Any
 * other end is no verdict. The first line of its standard output is the detail; a line `signatures: …` tells their version.
 * Its environment has PATH alone.
 */
export function command({ command: line, clock, atOnce = 4 }: CommandOptions): Engine {
  return {
    name: 'command',
    atOnce,
    judge: (file) => run(line, file, clock),
    async signatures() {
      const [program] = line
      if (!(await isThere(program!))) throw new NoReply(`${program} is not there, or may not be run`)
      return null
    },
  }
}

async function run([program, ...args]: string[], file: Scannable, clock: Clock): Promise<Said> {
  // A group of its own, so that what it starts ends with it.
  const child = spawn(program!, args, {
    stdio: ['pipe', 'pipe', 'ignore'],
    cwd: '/',
    env: { PATH: process.env.PATH },
    detached: true,
  })
  let trouble: string | null = null
  const giveUp = (why: string) => {
    trouble ??= why
    try {
      if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL')
    } catch {
      // It has ended.
    }
    child.stdout.destroy()
  }
  const over = new AbortController()
  void clock.wait(scanMs, over.signal).then(() => {
    if (!over.signal.aborted) giveUp(`no verdict within ${scanMs} ms`)
  })
  const output: Buffer[] = []
  let size = 0
  child.stdout.on('data', (piece: Buffer) => {
    size += piece.length
    if (size > longestOutput) giveUp('it says too much')
    else output.push(piece)
  })
  const ended = new Promise<number | null>((resolve) => {
    child.once('error', (error) => {
      trouble ??= error.message
      resolve(null)
    })
    child.once('close', (code) => resolve(code))
  })
  try {
    const whole = await write(child.stdin, file)
    const code = await ended
    if (trouble !== null) throw new NoReply(trouble)
    return saidBy(code, Buffer.concat(output).toString('latin1'), whole)
  } finally {
    over.abort()
    giveUp('it is not wanted any more')
  }
}

/** False: it closed its input before it had all of it. */
async function write(input: NodeJS.WritableStream & { destroyed: boolean }, file: Scannable): Promise<boolean> {
  let broken = false
  input.on('error', () => {
    broken = true
  })
  const closed = once(input, 'close').catch(() => {})
  for await (const piece of file.open()) {
    if (broken || input.destroyed) return false
    if (!input.write(piece)) await Promise.race([once(input, 'drain').catch(() => {}), closed])
  }
  input.end()
  await closed
  return !broken
}

function saidBy(code: number | null, output: string, whole: boolean): Said {
  const lines = output.split(/\r?\n/)
  const version = oneLine(lines.find((line) => line.startsWith('signatures: '))?.slice(12) ?? '')
  const detail = oneLine(lines.find((line) => line !== '' && !line.startsWith('signatures: ')) ?? '')
  const rest = { ...(detail !== '' && { detail }), ...(version !== '' && { signatures: version }) }
  if (code === 1) return { verdict: 'infected', ...rest }
  if (code === 3) return { verdict: 'unscannable', ...rest }
  if (code !== 0) throw new NoReply(code === null ? 'it was ended' : `it ended with ${code}${detail && `: ${detail}`}`)
  if (!whole) throw new NoReply('it ended before it had the file')
  return { verdict: 'clean', ...(version !== '' && { signatures: version }) }
}

async function isThere(program: string): Promise<boolean> {
  const folders = isAbsolute(program) ? [''] : (process.env.PATH ?? '').split(delimiter)
  for (const folder of folders)
    if (
      await access(join(folder, program), constants.X_OK).then(
        () => true,
        () => false,
      )
    )
      return true
  return false
}
