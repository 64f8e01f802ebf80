import { spawn } from 'node:child_process'
import type { Clock } from '../clock.ts'
import { ConfigError } from '../errors.ts'

const withinMs = 30_000
/** Bytes that it may say. */
const longestOutput = 64 * 1024
const longestComplaint = 4096

/**
 * What a program says on its standard output. No shell reads its command line. Its environment is ours without our own settings: it
 * needs its addresses and tokens, and none of our secrets. Throws `ConfigError` when it cannot be run, does not end well or in time,
 * or says too much; of its standard error the last line is told, of its output nothing.
 */
export async function outputOf([program, ...args]: string[], clock: Clock): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CLIPGATE_'))
  // A group of its own, so that what it starts ends with it.
  const child = spawn(program!, args, {
    stdio: ['ignore', 'pipe', 'pipe'],
    cwd: '/',
    env: Object.fromEntries(inherited),
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
    child.stderr.destroy()
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
  try {
    const code = await new Promise<number | string>((resolve) => {
      child.once('error', (error) => {
        trouble ??= error.message
        resolve('')
      })
      child.once('close', (code, signal) => resolve(code ?? signal ?? ''))
    })
    if (trouble === null && code !== 0) trouble = `it ended with ${code}${lastLine(complaint)}`
    if (trouble !== null) throw new ConfigError([`CLIPGATE_MASTER_KEY_COMMAND: ${program} gives no keys: ${trouble}.`])
    return Buffer.concat(output).toString('utf8')
  } finally {
    over.abort()
    giveUp('it is not wanted any more')
  }
}

/** One line, without what a terminal would obey. A line that could hold a key is left out. */
function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)?.replace(/\p{C}/gu, ' ').trim() ?? ''
  if (line === '') return ''
  return /[A-Za-z0-9+/]{43}=/.test(line) ? ', and what it says may hold a key' : `: ${line.slice(0, 300)}`
}
