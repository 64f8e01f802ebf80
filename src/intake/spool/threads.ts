import { Worker } from 'node:worker_threads'
import { Unavailable } from '../../errors.ts'
import { gathered } from '../../thread.ts'
import { syncingOf } from './ahead.ts'
import { type PassResult, type PassStart, pieceBytes } from './pass.ts'
import type { FromThread, Order, Report, ThreadData } from './thread.ts'

/** Pieces that may be on their way to threads and back, of all files together: what is more waits in sockets. */
const piecesAtOnce = 32

/**
 * How many of them one file may have: few files keep threads busy by several each; of many, one each. Beyond eight a thread
 * has always something to do.
 */
const windowFor = (files: number) => Math.min(8, Math.max(1, Math.floor(piecesAtOnce / files)))

/** One file's way through a thread. Buffers come from `nextBuffer` and are given away by `send`. */
export interface ThreadPass {
  /** A buffer of one piece. Waits while the thread is behind; throws `Unavailable` when it failed. */
  nextBuffer(): Promise<Uint8Array>
  send(buffer: Uint8Array, length: number, last: boolean): void
  /** After the last piece was sent. */
  result(): Promise<PassResult>
  /** The plaintext of a file of one piece, once there is a result. Null: it has more, or was let go of. */
  plaintext(): Uint8Array | null
  /** Its memory is used for other files from now on. */
  letGo(): void
  /** Gives the file up. Resolves when its thread has removed what is written. Safe to call at any time and twice. */
  abort(): Promise<void>
}

export interface Threads {
  begin(start: PassStart): ThreadPass
  /** Files that are under way fail. */
  close(): Promise<void>
}

/** Longest time from a file's last piece until it is read; the readers' own bounds end long before. The machine's own time: threads take it. */
const longestMs = 30_000

interface Running {
  answered(report: Report): void
  died(error: Error): void
}

/**
 * Threads in which files are hashed, sealed and written, each file in one of them. Buffers travel there and back and are
 * used again, so memory follows the number of files at once, not their size.
 */
export function createThreads(count: number, entry = '#threads/spool'): Threads {
  const spare: Uint8Array[] = []
  const running = new Map<number, Running>()
  const syncing = syncingOf(count)
  const threads = Array.from({ length: count }, (_, thread) => startThread(running, entry, { syncing, thread }))
  const giveBack = (buffer: Uint8Array) => {
    if (spare.length < 512) spare.push(buffer)
  }
  let nextFile = 0
  let closed = false
  /** Until reading a file on the way has ended a thread: then what is read is read in the inspection's own threads, which are for that. */
  let inspects = true

  return {
    begin(asked) {
      if (closed) throw new Unavailable('the spool is closed')
      const start = inspects ? asked : { ...asked, inspection: null }
      const file = nextFile++
      const thread = threads.reduce((least, candidate) => (candidate.files < least.files ? candidate : least))
      thread.files++
      let onTheWay = 0
      let began = false
      let failure: Error | null = null
      let result: PassResult | null = null
      let wake: (() => void) | null = null
      let over = false
      let aborted = false
      let isDead = false
      let isRead = false
      let sent = 0
      let held: Uint8Array | null = null
      /** But for the first, pieces go in messages of half a window: the thread has the other half to work on meanwhile. */
      let unposted: Order[] = []
      const post = () => {
        for (const order of unposted) thread.post(order)
        unposted = []
      }

      const finish = () => {
        if (over) return
        over = true
        running.delete(file)
        thread.files--
      }
      const changed = () => new Promise<void>((resolve) => (wake = resolve))
      const woken = () => {
        wake?.()
        wake = null
      }
      running.set(file, {
        answered(report) {
          if ('aborted' in report) {
            aborted = true
            return woken()
          }
          if ('read' in report) {
            isRead = true
            return
          }
          onTheWay--
          if (report.result && sent <= pieceBytes) held = new Uint8Array(report.buffer)
          else giveBack(new Uint8Array(report.buffer))
          if (report.error)
            failure ??= new Unavailable('the spool cannot be written', {
              cause: Object.assign(new Error(report.error.message), { code: report.error.code }),
            })
          if (report.result) result = report.result
          woken()
        },
        died(error) {
          isDead = !closed
          onTheWay = 0
          aborted = true
          failure ??= new Unavailable('the spool thread died', { cause: error })
          woken()
        },
      })

      return {
        async nextBuffer() {
          while (onTheWay >= windowFor(running.size) && !failure) {
            post()
            await changed()
          }
          if (failure) throw failure
          return spare.pop() ?? new Uint8Array(pieceBytes)
        },
        send(buffer, length, last) {
          if (failure) return
          const order: Order = { file, buffer: buffer.buffer as ArrayBuffer, length, last }
          if (!began) order.begin = start
          sent += length
          onTheWay++
          unposted.push(order)
          if (!began || last || unposted.length >= windowFor(running.size) / 2) post()
          began = true
        },
        async result() {
          const kill = () => isRead || thread.kill('reading a file took too long')
          const late = start.inspection && setTimeout(kill, longestMs)
          late?.unref()
          while (!result && !failure) await changed()
          if (late) clearTimeout(late)
          // It may be this file that ended it: it does so once.
          if (isDead && start.inspection) inspects = false
          finish()
          if (failure) throw failure
          return result!
        },
        plaintext: () => held?.subarray(0, sent) ?? null,
        letGo() {
          if (held) giveBack(held)
          held = null
        },
        async abort() {
          if (over) return
          if (began && !failure) {
            post()
            thread.post({ file, abort: true })
            while (!aborted) await changed()
          }
          finish()
        },
      }
    },
    close: async () => {
      closed = true
      await Promise.all(threads.map((thread) => thread.stop()))
      for (const file of running.values()) file.died(new Error('it was closed'))
    },
  }
}

interface Thread {
  files: number
  /** With all that is posted in this turn of the event loop. */
  post(order: Order): void
  /** Ends it in mid-work: its files fail with this cause. */
  kill(cause: string): void
  stop(): Promise<void>
}

/** A thread that dies fails the files that it had; the next file starts a new one, so that a fault is no endless loop. */
function startThread(running: Map<number, Running>, entry: string, data: ThreadData): Thread {
  const mine = new Set<number>()
  let fault = new Error('it ended')
  let worker: Worker | null = start()

  function start(): Worker {
    const started = new Worker(new URL(import.meta.resolve(entry)), {
      workerData: data,
      // Sealed segments are garbage at once: a small young generation lets go of them early (20 MB less at 200 files).
      resourceLimits: { maxYoungGenerationSizeMb: 2 },
    })
    fault = new Error('it ended')
    started.unref()
    started.on('message', (reports: FromThread) => {
      for (const report of reports) {
        if ('aborted' in report || ('buffer' in report && (report.result || report.error))) mine.delete(report.file)
        running.get(report.file)?.answered(report)
      }
    })
    started.on('error', (error: Error) => (fault = error))
    started.on('exit', () => {
      worker = null
      unsent.clear()
      Atomics.store(data.syncing, data.thread, 0)
      for (const file of mine) running.get(file)?.died(fault)
      mine.clear()
    })
    return started
  }

  const unsent = gathered((orders: Order[]) => {
    worker ??= start()
    worker.postMessage(
      orders,
      orders.flatMap((order) => ('buffer' in order ? [order.buffer] : [])),
    )
  })

  return {
    files: 0,
    post(order) {
      mine.add(order.file)
      unsent.put(order)
    },
    kill(cause) {
      unsent.flush()
      fault = new Error(cause)
      void worker?.terminate()
    },
    async stop() {
      // Who waits for the end must not find that the process has nothing left to wait for.
      worker?.ref()
      await worker?.terminate()
    },
  }
}
