import type { Clock } from '../clock.ts'
import { ConfigError } from '../errors.ts'
import { NotRun, runProgram } from '../program.ts'

const withinMs = 30_000

/**
 * What a program says on its standard output. Its environment is ours without our own settings: it needs its addresses and tokens,
 * and none of our secrets. Throws `ConfigError` when it cannot be run, does not end well or in time, or says too much; of its
 * standard error the last line is told, of its output nothing.
 */
export async function outputOf(line: string[], clock: Clock): Promise<string> {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('CLIPGATE_'))
  const noKeys = (why: string) => new ConfigError([`CLIPGATE_MASTER_KEY_COMMAND: ${line[0]} gives no keys: ${why}.`])
  const ran = await runProgram(line, { env: Object.fromEntries(inherited), withinMs, clock }).catch(
    (error: unknown) => {
      throw error instanceof NotRun ? noKeys(error.message) : error
    },
  )
  if (ran.code !== 0) throw noKeys(`it ended with ${ran.code ?? ran.signal}${lastLine(ran.complaint)}`)
  return ran.output.toString('utf8')
}

/** One line, without what a terminal would obey. A line that could hold a key is left out. */
function lastLine(text: string): string {
  const line = text.trim().split('\n').at(-1)?.replace(/\p{C}/gu, ' ').trim() ?? ''
  if (line === '') return ''
  return /[A-Za-z0-9+/]{43}=/.test(line) ? ', and what it says may hold a key' : `: ${line.slice(0, 300)}`
}
