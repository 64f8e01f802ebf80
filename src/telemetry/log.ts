import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** Most that waits for a log that cannot be written, in bytes. What comes then is lost. */
const mostWaiting = 4 * 1024 * 1024

/**
 * Standard output may be a file on a disk that is full: what it does not take waits, and goes out with a later line. It
 * never ends the process, which pino does when nobody listens.
 */
function standardOutput(): DestinationStream {
  const output = pino.destination({ dest: 1, sync: false, maxLength: mostWaiting })
  let failing = false
  output.on('error', () => {
    failing = true
  })
  output.on('write', () => {
    failing = false
  })
  // At the process's end pino writes what waits, and tries for ever where it cannot.
  const flushSync = output.flushSync.bind(output)
  output.flushSync = () => {
    if (!failing) flushSync()
  }
  return output
}

/** JSON lines, times in ISO 8601 UTC. What is logged is decided in `events.ts`: never secrets, tokens, names or contents. */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  const options = { level, base: { service: 'clipgate' }, timestamp: pino.stdTimeFunctions.isoTime }
  return pino(options, destination ?? standardOutput())
}
