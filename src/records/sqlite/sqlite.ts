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
      await Promise.all([reader.ask('masterKeyIds', []), writer.ask('forgetDeliveries', [nothing])])
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

/** A change that changes nothing and yet takes the write lock: asks whether the database can be written. */
const nothing = { before: new Date(0) }

/** Makes the file if it is not there, for its owner only; the log and its index take its mode. Durable when resolved. */
export async function createDatabaseFile(path: string): Promise<void> {
  const file = await open(path, 'a', 0o600)
  await file.sync()
  await file.close()
  await syncFolder(dirname(path))
}

const constraintViolated = 19

function askThread(options: ThreadOptions) {
  const open = new Map<number, { resolve(value: unknown): void; reject(error: Error): void }>()
  let nextId = 0
  let closing = false
  let worker = start()

  function start(): Worker {
    const started = new Worker(new URL(import.meta.resolve('#threads/records')), { workerData: options })
    started.on('message', ({ id, value, error }: Answer) => {
      const asked = open.get(id)
      open.delete(id)
      if (error) asked?.reject(toError(error, options.role))
      else asked?.resolve(value)
      if (open.size === 0) idle?.()
    })
    started.on('error', (cause) => {
      for (const { reject } of open.values()) reject(new OutcomeUnknown('the records thread died', { cause }))
      open.clear()
      idle?.()
      if (!closing) worker = start()
    })
    return started
  }
  let idle: (() => void) | null = null

  return {
    ask(name: string, args: unknown[]): Promise<unknown> {
      if (closing) return Promise.reject(new Unavailable('the records are closed'))
      return new Promise((resolve, reject) => {
        const id = nextId++
        open.set(id, { resolve, reject })
        worker.postMessage({ id, name, args } satisfies Question)
      })
    },
    /** After what was asked is answered. */
    async close(): Promise<void> {
      closing = true
      if (open.size > 0) await new Promise<void>((resolve) => (idle = resolve))
      const ended = new Promise((resolve) => worker.once('exit', resolve))
      worker.postMessage('close')
      await ended
    },
  }
}

function toError({ message, errcode, outcomeUnknown }: NonNullable<Answer['error']>, role: string): Error {
  const cause = Object.assign(new Error(message), { errcode })
  if (outcomeUnknown) return new OutcomeUnknown('a commit was not confirmed', { cause })
  if (errcode === undefined || (errcode & 0xff) === constraintViolated)
    return new Error(`the records thread (${role}) failed`, { cause })
  return new Unavailable(role === 'writer' ? 'the records cannot be written' : 'the records cannot be read', { cause })
}
