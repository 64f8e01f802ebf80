import cliProgress from 'cli-progress'
import { systemClock } from '../clock.ts'
import type { Progress } from '../moving/progress.ts'
import type { Io } from './io.ts'

/** Without a terminal: a line at most so often. */
const tellEveryMs = 30_000

/** Long work shows how far it has come: a bar to a person, lines to a file. */
export function progressOf(io: Io): Progress {
  return io.isTerminal ? bars(io) : lines(io)
}

function bars(io: Io): Progress {
  const format = '{bar} {value}/{total} {what} | {eta_formatted} left'
  let shown: cliProgress.SingleBar | null = null
  const end = () => {
    shown?.stop()
    shown = null
  }
  return {
    begin(what, total) {
      end()
      if (total === 0) return io.err(`${what} …`)
      shown = new cliProgress.SingleBar({ format, hideCursor: true }, cliProgress.Presets.shades_classic)
      shown.start(total, 0, { what })
    },
    step: (by = 1) => shown?.increment(by),
    end,
  }
}

function lines(io: Io): Progress {
  let [what, total, done, toldAt] = ['', 0, 0, 0]
  const tell = () => {
    toldAt = systemClock.now().getTime()
    io.err(total > 0 ? `${done} of ${total} ${what}` : `${what} …`)
  }
  return {
    begin(begun, all) {
      ;[what, total, done] = [begun, all, 0]
      tell()
    },
    step(by = 1) {
      done += by
      if (systemClock.now().getTime() - toldAt >= tellEveryMs) tell()
    },
    end() {},
  }
}
