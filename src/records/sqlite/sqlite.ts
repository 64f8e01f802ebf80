import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { Worker } from 'node:worker_threads'
import { syncFolder } from '../../durable.ts'
import { OutcomeUnknown, Unavailable } from '../../errors.ts'
import { changes, type Records, reads } from '../records.ts'
import type { Answer, Question, ThreadOptions } from './thread.ts'

/**
 * Records in one SQLite file: a thread that writes, and groups what waits into one commit; a thread that reads.
 * The schema must be up to date (`migrate.ts`).
 */
export async function sqliteRecords(path: string): Promise<Records> {
  const writer = askThread({ path, role: 'writer' })
  const reader = askThread({ path, role: 'reader' })
  const methods: Record<string, unknown> = {
    truncateLog: () => writer.ask('truncateLog', []),
    check: async () => {
      await Promise.all([reader.ask('masterKeyIds', []), writer.ask('touch', [])])
    },
    close: async () => {
      // The writer last: it empties the log, which a reader could hold.
      await reader.close()
      await writer.close()
    },
  }
  for (const name of Object.keys(reads)) methods[name] = (...args: unknown[]) => reader.ask(name, args)
  for (const name of Object.keys(changes)) methods[name] = (...args: unknown[]) => writer.ask(name, args)
  return methods as unknown as Records
}

/** Makes the file if it is not there, for its owner only; the log and its index take its mode. Durable when resolved. */
export async function createDatabaseFile(path: string): Promise<void> {
  try {
    const file = await open(path, 'wx', 0o600)
    await file.sync()
    await file.close()
  } catch (error) {
    // One that is there is not touched: closing any handle of it would drop the locks that this process has on it (POSIX).
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
  }
  await syncFolder(dirname(path))
}

const constraintViolated = 19

function askThread(options: ThreadOptions) {
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let nextId = 0
  let closed: Promise<void> | null = null
  let idle: (() => void) | null = null
  let worker: Worker | null = start()

  function start(): Worker {
    const started = new Worker(new URL(import.meta.resolve('#threads/records')), { workerData: options })
    started.on('message', ({ id, value, error }: Answer) => {
      const asked = open.get(id)
      open.delete(id)
      if (error) asked?.reject(toError(error, options.role))
      else asked?.resolve(value)
      if (open.size === 0) idle?.()
    })
    // The next question starts a new one: a fault that comes back is no endless loop.
    let cause = new Error('it ended')
    started.on('error', (error: Error) => (cause = error))
    started.on('exit', () => {
      worker = null
      const Failure = options.role === 'writer' ? OutcomeUnknown : Unavailable
      for (const { reject } of open.values()) reject(new Failure('the records thread died', { cause }))
      open.clear()
      idle?.()
    })
    return started
  }

  async function close(): Promise<void> {
    if (open.size > 0) await new Promise<void>((resolve) => (idle = resolve))
    const last = worker
    if (!last) return
    const ended = new Promise((resolve) => last.once('exit', resolve))
    last.postMessage('close')
    await ended
  }

  return {
    ask(name: string, args: unknown[]): Promise<unknown> {
      if (closed) return Promise.reject(new Unavailable('the records are closed'))
      return new Promise((resolve, reject) => {
        const id = nextId++
        worker ??= start()
        worker.postMessage({ id, name, args } satisfies Question)
        open.set(id, { resolve, reject })
      })
    },
    /** After what was asked is answered. */
    close(): Promise<void> {
      closed ??= close()
      return closed
    },
  }
}

function toError({ message, errcode, failed }: NonNullable<Answer['error']>, role: string): Error {
  const cause = Object.assign(new Error(message), { errcode })
  if (failed === 'commit') return new OutcomeUnknown('a commit was not confirmed', { cause })
  if (failed === 'question' && (errcode === undefined || (errcode & 0xff) === constraintViolated))
    return new Error(`the records thread (${role}) failed`, { cause })
  return new Unavailable(role === 'writer' ? 'the records cannot be written' : 'the records cannot be read', { cause })
}
