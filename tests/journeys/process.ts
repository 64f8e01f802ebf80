import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { onTestFinished } from 'vitest'

export const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url))

/** A process of the built program. */
export interface Program {
  child: ChildProcess
  pid: number
  stdout(): string
  stderr(): string
  /** Resolves once a line of stdout matches. */
  until(pattern: RegExp): Promise<RegExpExecArray>
  /** The exit code, or the signal's name. */
  ended: Promise<number | string>
}

/**
 * Runs the program; it is killed with the test when it has not ended by then. `wrapper` goes before node, `input` is piped in.
 */
export function run(args: string[], env: Record<string, string>, wrapper: string[] = [], input?: string): Program {
  const [command, ...rest] = [...wrapper, process.execPath, mainFile, ...args]
  const child = spawn(command!, rest, {
    env: { PATH: process.env.PATH ?? '', HOME: process.env.HOME ?? '', ...env },
    stdio: [input === undefined ? 'ignore' : 'pipe', 'pipe', 'pipe'],
  })
  // One that does not read it may have ended.
  child.stdin?.on('error', () => {}).end(input)
  let stdout = ''
  let stderr = ''
  let wake: () => void = () => {}
  child.stdout!.on('data', (chunk) => {
    stdout += chunk
    wake()
  })
  child.stderr!.on('data', (chunk) => {
    stderr += chunk
  })
  let over = false
  const ended = new Promise<number | string>((resolve) =>
    child.on('close', (code, signal) => {
      over = true
      wake()
      resolve(code ?? signal ?? 'unknown')
    }),
  )
  onTestFinished(async () => {
    if (!over) child.kill('SIGKILL')
    await ended
  })
  return {
    child,
    pid: child.pid!,
    stdout: () => stdout,
    stderr: () => stderr,
    async until(pattern) {
      for (;;) {
        const found = pattern.exec(stdout)
        if (found) return found
        if (over) throw new Error(`ended without ${pattern}: ${stdout}${stderr}`)
        await new Promise<void>((resolve) => (wake = resolve))
      }
    },
    ended,
  }
}

export const servingAt = /"url":"(http:\/\/[^"]+)","msg":"serving"/
