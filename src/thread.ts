import { setImmediate as nextTurn } from 'node:timers/promises'
import { parentPort, type ResourceLimits, Worker } from 'node:worker_threads'

/**
 * To a thread: as many questions as there are, or that it should end when it has answered what was asked before. Waking a
 * thread costs more than most questions, so what is asked in one turn of the event loop goes together.
 */
type ToThread<Question> = { id: number; question: Question }[] | 'close'

/** From a thread: as many answers as it has. Each wakes the one who asked, so several in one message cost as much as one. */
type FromThread<Answer> = { id: number; answer: Answer }[]

/** What is put in one turn of the event loop is given on together at its end, or when it is flushed. */
export function gathered<T>(give: (all: T[]) => void): { put(one: T): void; flush(): void; clear(): void } {
  let waiting: T[] = []
  const flush = () => {
    const all = waiting
    waiting = []
    if (all.length > 0) give(all)
  }
  return {
    put(one) {
      if (waiting.length === 0) setImmediate(flush)
      waiting.push(one)
    },
    flush,
    clear() {
      waiting = []
    },
  }
}

export interface AskedThread<Question, Answer> {
  /** Rejects with what `died` says when the thread dies, and with what `closed` says after `close`. */
  ask(question: Question): Promise<Answer>
  /** How many questions it has not answered yet. */
  asked(): number
  /** Ends it in mid-work: what it was asked fails with this cause. The next question starts another. */
  kill(cause: string): void
  /** Resolves when what was asked is answered and the thread has ended. Safe to call twice. */
  close(): Promise<void>
}

export interface ThreadUse {
  /** `#threads/…`, a file of its own in dist/. */
  entry: string
  /** What it finds as its `workerData`. */
  data?: unknown
  resourceLimits?: ResourceLimits
  died(cause: Error): Error
  closed(): Error
}

/**
 * A thread that answers questions; the first one starts it. One that dies fails what it was asked, and the next question
 * starts another, so that a fault that comes back is no endless loop.
 */
export function askThread<Question, Answer>(use: ThreadUse): AskedThread<Question, Answer> {
  const open = new Map<number, { resolve(answer: Answer): void; reject(error: Error): void }>()
  let nextId = 0
  let closing: Promise<void> | null = null
  let idle: (() => void) | null = null
  let worker: Worker | null = null
  let fault = new Error('it ended')

  function start(): Worker {
    const started = new Worker(new URL(import.meta.resolve(use.entry)), {
      workerData: use.data,
      ...(use.resourceLimits && { resourceLimits: use.resourceLimits }),
    })
    started.on('message', (answers: FromThread<Answer>) => {
      for (const { id, answer } of answers) {
        open.get(id)?.resolve(answer)
        open.delete(id)
      }
      if (open.size === 0) idle?.()
    })
    fault = new Error('it ended')
    started.on('error', (error: Error) => (fault = error))
    started.on('exit', () => {
      worker = null
      for (const { reject } of open.values()) reject(use.died(fault))
      open.clear()
      unsent.clear()
      idle?.()
    })
    return started
  }

  function send(questions: { id: number; question: Question }[]): void {
    worker ??= start()
    worker.postMessage(questions satisfies ToThread<Question>)
  }

  const unsent = gathered((questions: { id: number; question: Question }[]) => {
    try {
      send(questions)
    } catch {
      // One of them cannot be copied to another thread: its neighbours can.
      for (const one of questions) {
        try {
          send([one])
        } catch (error) {
          open.get(one.id)?.reject(error as Error)
          open.delete(one.id)
        }
      }
    }
    if (open.size === 0) idle?.()
  })

  async function close(): Promise<void> {
    if (open.size > 0) await new Promise<void>((resolve) => (idle = resolve))
    const last = worker
    if (!last) return
    const ended = new Promise((resolve) => last.once('exit', resolve))
    last.postMessage('close' satisfies ToThread<Question>)
    await ended
  }

  return {
    ask(question) {
      if (closing) return Promise.reject(use.closed())
      return new Promise((resolve, reject) => {
        const id = nextId++
        open.set(id, { resolve, reject })
        unsent.put({ id, question })
      })
    },
    asked: () => open.size,
    kill(cause) {
      // What it was asked in this turn too fails with it.
      unsent.flush()
      fault = new Error(cause)
      void worker?.terminate()
    },
    close() {
      closing ??= close()
      return closing
    },
  }
}

/**
 * In the thread: answers all questions that wait at once, in their order. What comes meanwhile waits for the next time.
 * `close` is called when nothing more will be asked.
 */
export function answerQuestions<Question, Answer>(
  answer: (questions: Question[]) => Answer[] | Promise<Answer[]>,
  close: () => void = () => {},
): void {
  let waiting: { id: number; question: Question }[] = []
  let working = false

  async function work(): Promise<void> {
    working = true
    while (waiting.length > 0) {
      const batch = waiting
      waiting = []
      const answers = await answer(batch.map(({ question }) => question))
      parentPort?.postMessage(batch.map(({ id }, i) => ({ id, answer: answers[i]! })) satisfies FromThread<Answer>)
      // Lets in what was asked meanwhile, so that it is answered together.
      await nextTurn()
    }
    working = false
  }

  parentPort?.on('message', (message: ToThread<Question>) => {
    if (message === 'close') {
      close()
      parentPort?.close()
      return
    }
    waiting.push(...message)
    if (!working) void work()
  })
}
