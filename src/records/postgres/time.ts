import { type Clock, systemClock } from '../../clock.ts'
import type { Connection } from './connection.ts'

/** Clocks of machines drift by less than this matters. */
const freshMs = 10_000

/** The time of the database, which is the same for every process over it, however their own clocks differ or jump. */
export interface SharedTime {
  /** Until the database was asked for the first time, this machine's. */
  clock: Clock
  /** Asks for it, unless it was asked a moment ago. */
  keep(connection: Pick<Connection, 'run'>): Promise<void>
}

/** What was asked goes on by this process's own steady clock, which nobody sets. */
export function createSharedTime(steady: () => number = () => performance.now()): SharedTime {
  let asked: { time: number; at: number } | null = null
  return {
    clock: {
      now: () => (asked ? new Date(asked.time + Math.round(steady() - asked.at)) : systemClock.now()),
      wait: systemClock.wait,
    },
    async keep({ run }) {
      if (asked && steady() - asked.at < freshMs) return
      const before = steady()
      const { rows } = await run('SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint AS time')
      // Half of the way has passed when the server looked.
      asked = { time: (rows[0] as { time: number }).time, at: (before + steady()) / 2 }
    },
  }
}
