import { workerData } from 'node:worker_threads'
import type { Kysely } from 'kysely'
import { answerQuestions } from '../../thread.ts'
import { Undo } from '../questions/undo.ts'
import { changes, reads } from '../records.ts'
import type { Schema } from '../schema.ts'
import { abandon, type Database, openDatabase } from './database.ts'
import { queriesOver } from './queries.ts'

/** The writer has the only connection that changes anything; a reader has one that cannot. */
export interface ThreadOptions {
  path: string
  role: 'writer' | 'reader'
}

export interface Question {
  name: string
  args: unknown[]
}

export interface Answer {
  value?: unknown
  error?: {
    message: string
    /** SQLite's result code; undefined: the fault is ours, not the database's. */
    errcode: number | undefined
    /** This question alone; the transaction that it shared, of which nothing stands; or its commit, which may stand. */
    failed: 'question' | 'transaction' | 'commit'
  }
}

type Ask = (db: Kysely<Schema>, ...args: unknown[]) => Promise<unknown>

const { path, role } = workerData as ThreadOptions
/** Writes though it changes nothing: whether the disk takes a commit is not known before one was tried. */
const touch = async () => void connection().exec('PRAGMA user_version = 0')
const questions = { ...(role === 'writer' ? { ...changes, touch } : reads) } as unknown as Record<string, Ask>
let database: Database | null = null
let db: Kysely<Schema>

answerQuestions(
  (batch: Question[]) => (role === 'writer' ? write(batch) : read(batch)),
  () => {
    // So that a copy of the database file alone is whole.
    if (database && role === 'writer') truncateLog()
    closeDatabase()
  },
)

function connection(): Database {
  if (!database) {
    database = openDatabase(path)
    if (role === 'reader') database.exec('PRAGMA query_only = ON')
    db = queriesOver(database)
  }
  return database
}

async function read(batch: Question[]): Promise<Answer[]> {
  const answers = await Promise.all(
    batch.map(async ({ name, args }): Promise<Answer> => {
      try {
        connection()
        return { value: await ask(name, args) }
      } catch (error) {
        return { error: faultOf(error, 'question') }
      }
    }),
  )
  // A connection that met a broken disk or file may never recover: the next question opens another.
  if (answers.some(({ error }) => error?.errcode !== undefined && broken.has(error.errcode & 0xff))) closeDatabase()
  return answers
}

/** SQLITE_IOERR, SQLITE_CORRUPT, SQLITE_CANTOPEN, SQLITE_NOTADB */
const broken = new Set([10, 11, 14, 26])

/** All changes that wait, in one transaction; each in a savepoint, so that one that fails does not fail its neighbours. */
async function write(batch: Question[]): Promise<Answer[]> {
  const asked = batch.filter(({ name }) => name !== 'truncateLog')
  const answers = asked.length > 0 ? await writeTogether(asked) : []
  if (asked.length === batch.length) return answers
  // Of what stands before it in the batch, nothing may be left in the log.
  const fault = truncateLog()
  return batch.map(({ name }) => (name === 'truncateLog' ? (fault ? { error: fault } : {}) : answers.shift()!))
}

async function writeTogether(batch: Question[]): Promise<Answer[]> {
  const answers: Answer[] = []
  try {
    const database = connection()
    database.exec('BEGIN IMMEDIATE')
    for (const { name, args } of batch) {
      database.exec('SAVEPOINT item')
      try {
        const value = await ask(name, args)
        database.exec('RELEASE item')
        answers.push({ value })
      } catch (error) {
        try {
          database.exec('ROLLBACK TO item; RELEASE item')
        } catch {
          // SQLite has given up the whole transaction, and the savepoint with it: a full or broken disk.
          throw error
        }
        answers.push(error instanceof Undo ? { value: error.answer } : { error: faultOf(error, 'question') })
      }
    }
  } catch (error) {
    // The transaction could not begin, or SQLite gave it up as a whole: nothing of it stands.
    closeDatabase()
    return batch.map(() => ({ error: faultOf(error, 'transaction') }))
  }
  try {
    connection().exec('COMMIT')
    return answers
  } catch (error) {
    closeDatabase()
    const fault = faultOf(error, 'commit')
    // A disk that is full did not take the last frame, which is the one that commits: this much is known.
    if (fault.errcode === full) fault.failed = 'transaction'
    return batch.map(() => ({ error: fault }))
  }
}

/** SQLITE_FULL */
const full = 13

async function ask(name: string, args: unknown[]): Promise<unknown> {
  const question = questions[name]
  if (!question) throw new Error(`no question ${name}`)
  return question(db, ...args)
}

/** So many words are indexed anew within a fraction of a second. */
const mostWords = 200_000

/**
 * Entries of an index are moved between pages, and what they leave behind in the old one is not overwritten when they are
 * deleted: only an index that is made anew is rid of them. NOTE: above `mostWords` that would hold up every commit, so a
 * word of an erased name may stay in free room of the file until it is vacuumed.
 */
function forgetMovedWords(): void {
  const row = connection().prepare('SELECT max(rowid) AS words FROM attachment_words').get() as { words: number | null }
  if ((row.words ?? 0) > mostWords) return
  try {
    connection().exec('REINDEX attachment_words_by_word')
  } catch {
    // It needs room, which a full disk has not; erasing makes room and must go on. The next sweep does it again.
  }
}

/** A reader in another process can hold the log for a moment: then it stays, and that is an error. */
function truncateLog(): Answer['error'] | null {
  try {
    forgetMovedWords()
    const row = connection().prepare('PRAGMA wal_checkpoint(TRUNCATE)').get() as { busy: number }
    return row.busy === 0 ? null : { message: 'the write-ahead log is in use', errcode: 5, failed: 'question' }
  } catch (error) {
    return faultOf(error, 'question')
  }
}

/** The next question opens it anew. */
function closeDatabase(): void {
  if (database) abandon(database)
  database = null
}

/** SQLITE_IOERR */
const ioError = 10

function faultOf(error: unknown, failed: NonNullable<Answer['error']>['failed']): NonNullable<Answer['error']> {
  const { message, code, errcode } = error as { message: string; code?: string; errcode?: number }
  // The package tells no result code of what fails while rows are read: a broken disk or file.
  return { message, errcode: errcode ?? (code === 'ERR_SQLITE_ERROR' ? ioError : undefined), failed }
}
