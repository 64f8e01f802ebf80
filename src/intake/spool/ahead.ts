import { closeSync, fdatasync } from 'node:fs'
import { promisify } from 'node:util'

/** So much of a large file at a time goes to the disk while the rest still comes: at its end there is the less to wait for. */
const aheadBytes = 4 * 1024 * 1024

/**
 * Of all threads together: a sync takes one of the few places that the process has for whatever waits for a disk, and files
 * are read for agents there, too.
 */
const mostAtOnce = 2

/** Who syncs: a number for each thread, which threads share. */
export type Syncing = Int32Array<SharedArrayBuffer>

export const syncingOf = (threads: number): Syncing => new Int32Array(new SharedArrayBuffer(4 * threads))

/** A thread's turns to sync, one at a time. */
export interface Turns {
  /** False: others have them. */
  take(): boolean
  giveBack(): void
}

export function turnsOf(syncing: Syncing, thread: number): Turns {
  return {
    take() {
      if (Atomics.load(syncing, thread) === 1) return false
      let atOnce = 0
      for (let i = 0; i < syncing.length; i++) atOnce += Atomics.load(syncing, i)
      // Two that look in the same moment may both go: one more is no harm.
      if (atOnce >= mostAtOnce) return false
      Atomics.store(syncing, thread, 1)
      return true
    },
    giveBack() {
      Atomics.store(syncing, thread, 0)
    },
  }
}

export interface Ahead {
  /** How many bytes the file has by now, of which more will come. */
  wrote(total: number): void
  /** Whether the disk has not yet said what became of what it was given. */
  isWaiting(): boolean
  /** Closes the file when the disk has what it was given. Throws what the disk said: it says so once, and who syncs later is told that all is well. */
  close(): Promise<void>
}

const syncData = promisify(fdatasync)

/** For a file that is open, and written from its beginning to its end. */
export function givenAhead(file: number, turns: Turns, sync: (file: number) => Promise<void> = syncData): Ahead {
  let given = 0
  let waiting = false
  let taken: Promise<void> | null = null
  const give = async (before: Promise<void> | null) => {
    try {
      await before
      await sync(file)
    } finally {
      waiting = false
      turns.giveBack()
    }
  }
  return {
    wrote(total) {
      if (total - given < aheadBytes || !turns.take()) return
      given = total
      waiting = true
      taken = give(taken)
      // It is told when the file is closed.
      taken.catch(() => {})
    },
    isWaiting: () => waiting,
    async close() {
      try {
        await taken
      } finally {
        closeSync(file)
      }
    },
  }
}
