import type { Role } from './config/kinds.ts'

/** What goes on by itself while the service runs. */
export interface Work {
  /** Processes with this role do it. */
  role: Role
  start(): void
  /** Begins no more; resolves when what runs has ended, or after a bound. */
  stop(): Promise<unknown>
}

/** Work that goes on until it is told to end. */
export function until(role: Role, work: (ended: AbortSignal) => Promise<unknown>): Work {
  const ended = new AbortController()
  let running: Promise<unknown> | null = null
  return {
    role,
    start() {
      running ??= work(ended.signal)
    },
    async stop() {
      ended.abort()
      await running
    },
  }
}
