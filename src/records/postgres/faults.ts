import pg from 'pg'
import { OutcomeUnknown, Unavailable } from '../../errors.ts'
import { ConnectionFault, WrongServer } from './connection.ts'

/** A commit was asked for, and its answer did not come. */
export class CommitUnknown extends Error {}

/**
 * What a fault means for the change that met it, of which nothing stands.
 * `again`: another was in its way. `reconnect`: it can be asked anew over another connection. `fault`: it cannot be had.
 */
export type Fate = 'again' | 'reconnect' | 'fault'

/** serialization_failure, deadlock_detected, lock_not_available */
const inTheWay = ['40001', '40P01', '55P03']

export function fateOf(error: unknown): Fate {
  if (error instanceof ConnectionFault) return 'reconnect'
  if (!(error instanceof pg.DatabaseError)) return 'fault'
  // Somebody else wrote to this connection's chain: it looks for another.
  if (error.constraint === 'audit_chain') return 'reconnect'
  return inTheWay.includes(error.code ?? '') ? 'again' : 'fault'
}

/** Whether the server itself says that it did not commit: it goes on, and tells why. */
export function isRefusedCommit(error: unknown): boolean {
  return error instanceof pg.DatabaseError && error.severity === 'ERROR'
}

/** data_exception, integrity_constraint_violation: the question is wrong, not the database. */
const ofTheQuestion = /^2[23]/

export function toError(error: unknown, role: 'written' | 'read'): Error {
  if (error instanceof CommitUnknown) return new OutcomeUnknown('a commit was not confirmed', { cause: error.cause })
  const ofTheDatabase =
    error instanceof ConnectionFault ||
    error instanceof WrongServer ||
    (error instanceof pg.DatabaseError && !ofTheQuestion.test(error.code ?? ''))
  if (ofTheDatabase) return new Unavailable(`the records cannot be ${role}`, { cause: error })
  return new Error('a question to the records failed', { cause: error })
}
