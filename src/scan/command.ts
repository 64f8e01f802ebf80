import { constants } from 'node:fs'
import { access } from 'node:fs/promises'
import { delimiter, isAbsolute, join } from 'node:path'
import type { Clock } from '../clock.ts'
import { NotRun, runProgram } from '../program.ts'
import { type Engine, NoReply, oneLine, type Said } from './engine.ts'
import type { Scannable } from './scanner.ts'

export interface CommandOptions {
  /** The program and its arguments, as they are: no shell reads them. */
  command: string[]
  clock: Clock
  atOnce?: number
}

const scanMs = 150_000

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

async function run(line: string[], file: Scannable, clock: Clock): Promise<Said> {
  const env = { PATH: process.env.PATH }
  const ran = await runProgram(line, { input: file.open(), env, withinMs: scanMs, clock }).catch((error: unknown) => {
    throw error instanceof NotRun ? new NoReply(error.message) : error
  })
  return saidBy(ran.code, ran.output.toString('latin1'), ran.tookAll)
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
