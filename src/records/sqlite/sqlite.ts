import { open } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncFolder } from '../../durable.ts'
import { OutcomeUnknown, Unavailable } from '../../errors.ts'
import { askThread } from '../../thread.ts'
import { changes, type Records, reads } from '../records.ts'
import type { Answer, Question, ThreadOptions } from './thread.ts'

/**
 * Records in one SQLite file: a thread that writes, and groups what waits into one commit; a thread that reads.
 * The schema must be up to date (`migrate.ts`).
 */
export async function sqliteRecords(path: string): Promise<Records> {
  const writer = databaseThread({ path, role: 'writer' })
  const reader = databaseThread({ path, role: 'reader' })
  const methods: Record<string, unknown> = {
    alone: true,
    clock: null,
    onWork: () => {},
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

function databaseThread(options: ThreadOptions) {
  const Died = options.role === 'writer' ? OutcomeUnknown : Unavailable
  const thread = askThread<Question, Answer>({
    entry: '#threads/records',
    data: options,
    died: (cause) => new Died('the records thread died', { cause }),
    closed: () => new Unavailable('the records are closed'),
  })
  return {
    async ask(name: string, args: unknown[]): Promise<unknown> {
      const { value, error } = await thread.ask({ name, args })
      if (error) throw toError(error, options.role)
      return value
    },
    close: () => thread.close(),
  }
}

function toError({ message, errcode, failed }: NonNullable<Answer['error']>, role: string): Error {
  const cause = Object.assign(new Error(message), { errcode })
  if (failed === 'commit') return new OutcomeUnknown('a commit was not confirmed', { cause })
  if (failed === 'question' && (errcode === undefined || (errcode & 0xff) === constraintViolated))
    return new Error(`the records thread (${role}) failed`, { cause })
  return new Unavailable(role === 'writer' ? 'the records cannot be written' : 'the records cannot be read', { cause })
}
