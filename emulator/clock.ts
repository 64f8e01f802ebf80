/** The emulator's time: its host's, or the one handed in, plus what scripts have added to it. */
export interface Clock {
  now(): Date
  /** Runs `task` once, when that many seconds have passed. Gives what takes it back. */
  after(seconds: number, task: () => void): () => void
  /** Runs `task` again and again, each time when that many seconds have passed. Gives what ends it. */
  every(seconds: number, task: () => void): () => void
  /** Runs what falls due on the way, each task at its own time. 0 runs what is due already. */
  advance(seconds: number): void
  /** Nothing runs from here on. */
  stop(): void
}

interface Due {
  at: number
  task: () => void
}

/** Longest time that Node's own timers can wait. */
const longestWaitMs = 2 ** 31 - 1

/** `base` may stand still, as tests have it; then tasks run only when `advance` is called. */
export function createClock(base: () => Date): Clock {
  let addedMs = 0
  let waiting: Due[] = []
  let timer: NodeJS.Timeout | undefined

  const nowMs = () => base().getTime() + addedMs
  const earliest = () =>
    waiting.reduce<Due | undefined>((first, due) => (!first || due.at < first.at ? due : first), undefined)

  function runUntil(targetMs: number): void {
    for (let next = earliest(); next && next.at <= targetMs; next = earliest()) {
      addedMs += Math.max(0, next.at - nowMs())
      remove(next)
      next.task()
    }
    arm()
  }

  /** The host's timer for what is next; it keeps no process alive. */
  function arm(): void {
    clearTimeout(timer)
    const next = earliest()
    if (!next) return
    const waitMs = Math.min(Math.max(next.at - nowMs(), 1), longestWaitMs)
    timer = setTimeout(() => runUntil(nowMs()), waitMs).unref()
  }

  function remove(due: Due): void {
    waiting = waiting.filter((one) => one !== due)
  }

  function after(seconds: number, task: () => void): () => void {
    const due = { at: nowMs() + seconds * 1000, task }
    waiting.push(due)
    arm()
    return () => remove(due)
  }

  return {
    now: () => new Date(nowMs()),
    after,
    every(seconds, task) {
      let takeBack = after(seconds, again)
      function again() {
        takeBack = after(seconds, again)
        task()
      }
      return () => takeBack()
    },
    advance(seconds) {
      const target = nowMs() + seconds * 1000
      runUntil(target)
      addedMs += Math.max(0, target - nowMs())
    },
    stop() {
      waiting = []
      clearTimeout(timer)
    },
  }
}
