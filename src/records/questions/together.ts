/**
 * Statements that do not wait for each other's answers: to a database across a network they travel together. Throws what the
 * first of them to fail has thrown, when all have ended, so that nothing of them comes after what follows.
 */
export async function together(...statements: (Promise<unknown> | null)[]): Promise<void> {
  for (const outcome of await Promise.allSettled(statements)) if (outcome.status === 'rejected') throw outcome.reason
}
