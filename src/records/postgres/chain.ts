import { randomBytes } from 'node:crypto'
import { type AuditHead, emptyChain } from '../questions/audit.ts'
import type { Connection } from './connection.ts'

/** An id of our own among the advisory locks of the database. */
const lock = "hashtextextended('clipgate audit ' || $1, 0)"

/**
 * Takes a chain of the audit trail for this connection alone, until it ends: one that nobody has, or a new one. So a process that
 * starts again goes on with a chain that one before it has left.
 */
export async function takeChain({ run }: Pick<Connection, 'run'>): Promise<AuditHead> {
  const { rows } = await run('SELECT node FROM audit_nodes ORDER BY node')
  for (const { node } of rows as { node: string }[]) if (await isOurs(run, node)) return endOf(run, node)
  const node = randomBytes(4).toString('hex')
  await isOurs(run, node)
  await run('INSERT INTO audit_nodes VALUES ($1)', [node])
  return emptyChain(node)
}

/** So that the next to look finds it free, however long the server takes to notice that we are gone. */
export async function leaveChain({ run }: Pick<Connection, 'run'>): Promise<void> {
  await run('SELECT pg_advisory_unlock_all()').catch(() => {})
}

async function isOurs(run: Connection['run'], node: string): Promise<boolean> {
  const { rows } = await run(`SELECT pg_try_advisory_lock(${lock}) AS ours`, [node])
  return (rows[0] as { ours: boolean }).ours
}

async function endOf(run: Connection['run'], node: string): Promise<AuditHead> {
  const { rows } = await run('SELECT node, seq, digest FROM audit WHERE node = $1 ORDER BY seq DESC LIMIT 1', [node])
  return (rows[0] as AuditHead | undefined) ?? emptyChain(node)
}
