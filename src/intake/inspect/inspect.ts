import { availableParallelism } from 'node:os'
import { type Clock, systemClock } from '../../clock.ts'
import { type RefusalCode, Refused, Unavailable } from '../../errors.ts'
import { type AskedThread, askThread } from '../../thread.ts'
import type { WholeFile } from '../spool/spool.ts'
import type { Examined } from './examine.ts'
import type { Strictness } from './limits.ts'
import type { SpooledFile } from './sealedSource.ts'

/** To a thread. */
export interface InspectionQuestion {
  file: SpooledFile
  asked: string
  strictness: Strictness
}

/** Back from it. `fault`: the spool could not be read, so there is no judgement. */
export type InspectionAnswer =
  | { examined: Examined }
  | { refused: { code: RefusalCode; detail: string } }
  | { fault: string }

export interface Inspector {
  /**
   * Reads the file's structure to its end, as the type that it is said to be, unless that was done as it came. Throws `Refused`, and
   * `Unavailable` when the spool cannot be read.
   */
  inspect(file: WholeFile, asked: string, strictness: Strictness): Promise<Examined>
  close(): Promise<void>
}

/** Every byte of a text is looked at as it comes, which is all that there is to it. */
export const isReadAsItComes = (type: string) => type === 'text/plain'

/** Longest time for one file; the readers' own bounds end long before. */
const longestMs = 30_000

/**
 * Readers of untrusted structure run in threads, each with one file at a time: one that hangs or takes too much memory ends
 * with its thread, and it is the file that is refused. The clock is the machine's own: threads take real time.
 */
export function createInspector(
  clock: Clock = systemClock,
  count = mostThreads(),
  entry = '#threads/inspect',
): Inspector {
  const idle = Array.from({ length: count }, () => startThread(entry))
  const all = [...idle]
  const waiting: ((thread: InspectionThread) => void)[] = []
  const free = (thread: InspectionThread) => {
    const next = waiting.shift()
    if (next) next(thread)
    else idle.push(thread)
  }
  return {
    async inspect({ path, id, dataKey, size, examined }, asked, strictness) {
      if (examined) return examined
      if (isReadAsItComes(asked)) return { type: asked, end: size }
      const thread = idle.pop() ?? (await new Promise<InspectionThread>((turn) => waiting.push(turn)))
      const over = new AbortController()
      try {
        const question = { file: { path, attachmentId: id, dataKey, size }, asked, strictness }
        const answered = thread.ask(question)
        const late = clock.wait(longestMs, over.signal).then(() => {
          if (!over.signal.aborted) return thread.kill(`reading it took more than ${longestMs / 1000} s`)
        })
        late.catch(() => {})
        return read(await answered)
      } finally {
        over.abort()
        free(thread)
      }
    },
    close: async () => {
      await Promise.all(all.map((thread) => thread.close()))
    },
  }
}

/** Half of the cores: the rest is for what a file needs besides, and each thread has garbage of its own. */
const mostThreads = () => Math.max(1, Math.min(4, Math.floor(availableParallelism() / 2)))

function read(answer: InspectionAnswer): Examined {
  if ('examined' in answer) return answer.examined
  if ('refused' in answer) throw new Refused(answer.refused.code, answer.refused.detail)
  throw new Unavailable('the spool cannot be inspected', { cause: new Error(answer.fault) })
}

type InspectionThread = AskedThread<InspectionQuestion, InspectionAnswer>

function startThread(entry: string): InspectionThread {
  return askThread({
    entry,
    resourceLimits: { maxOldGenerationSizeMb: 192, maxYoungGenerationSizeMb: 2 },
    died: (cause) => new Refused('unscannable', `it cannot be read: ${cause.message}`),
    closed: () => new Unavailable('the inspection is closed'),
  })
}
