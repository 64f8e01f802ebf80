import type { Clock } from './clock.ts'

/** Work that comes again and again, one round after the other. */
export interface Loop {
  start(): void
  /** There may be something to do: the next round begins at once. */
  wake(): void
  /** Begins no more; resolves when the round that runs has ended. */
  stop(): Promise<void>
}

export interface LoopOptions {
  /** Its end is near when `signal` aborts: what has begun is ended, nothing more is begun. */
  round(signal: AbortSignal): Promise<void>
  restMs: number
  clock: Clock
  /** A round has thrown: the next one comes all the same. */
  failed(error: unknown): void
}

export function createLoop({ round, restMs, clock, failed }: LoopOptions): Loop {
  const stopping = new AbortController()
  let rest = new AbortController()
  let running: Promise<void> | null = null

  async function run(): Promise<void> {
    while (!stopping.signal.aborted) {
      // Made before the round: who wakes us from here on is not missed.
      rest = new AbortController()
      await round(stopping.signal).catch(failed)
      if (!stopping.signal.aborted) await clock.wait(restMs, rest.signal)
    }
  }

  return {
    start() {
      running ??= run()
    },
    wake: () => rest.abort(),
    async stop() {
      stopping.abort()
      rest.abort()
      await running
    },
  }
}
