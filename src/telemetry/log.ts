import { type DestinationStream, type Logger, pino } from 'pino'

export type Log = Logger

export const logLevels = ['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'] as const
export type LogLevel = (typeof logLevels)[number]

/** JSON lines, times in ISO 8601 UTC. What is logged is decided in `events.ts`: never secrets, tokens, names or contents. */
export function createLog(level: LogLevel, destination?: DestinationStream): Log {
  const options = { level, base: { service: 'clipgate' }, timestamp: pino.stdTimeFunctions.isoTime }
  return destination ? pino(options, destination) : pino(options)
}
